import { parseItem } from '@holdfast/grip';
import t from 'tap';
import { Delivery } from '../../dist/channels/delivery.js';
import { chunkOf } from '../../dist/edge/node/answer.js';

const delivery = (formats: object) => new Delivery(parseItem({ channel: 'c', formats }), 5);

t.test('each kind of connection finds its own form, or none', async (t) => {
  const all = delivery({
    'http-response': { body: 'a' },
    'http-stream': { content: 'b' },
    'ws-message': { content: 'c' },
  });
  t.match([all.response, all.stream, all.ws], [{ body: Buffer.from('a') }, { action: 'send' }, { type: 'text' }]);
  const none = delivery({ other: {} });
  t.strictSame([none.response, none.stream, none.ws], [undefined, undefined, undefined]);
  t.equal(none.at, 5);
});

t.test('content is encoded once, however often it is asked for', async (t) => {
  const both = delivery({ 'http-stream': { content: 'é' }, 'ws-message': { content: 'é' } });
  t.equal(both.piece, both.piece);
  t.equal(both.frame, both.frame);
  t.equal(both.piece.payload.toString(), 'é');
  t.equal(both.piece.framed(chunkOf).toString(), '2\r\né\r\n');
});

t.test('an action has no content', async (t) => {
  t.equal(delivery({ 'http-stream': { action: 'close' } }).piece.payload.length, 0);
});
