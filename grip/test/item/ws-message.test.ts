import t from 'tap';
import { wsMessage } from '../../dist/item/ws-message.js';
import { MAX_CONTROL_PAYLOAD } from '../../dist/ws/message.js';
import { messageOf } from '../grip-error.js';

const { parse } = wsMessage;

t.test('ws-message content is text, content-bin is binary, and type overrides both', async (t) => {
  t.same(parse({ content: 'x' }), { action: 'send', type: 'text', content: Buffer.from('x') });
  t.match(parse({ 'content-bin': 'AA==' }), { type: 'binary', content: Buffer.from([0]) });
  t.match(parse({ 'content-bin': 'AA==', type: 'text' }), { type: 'text' });
  t.match(parse({ content: 'x', type: 'binary' }), { type: 'binary' });
});

t.test('RFC 6455 §8.1: the content of a text is UTF-8', async (t) => {
  t.match(parse({ 'content-bin': '4oKs', type: 'text' }), { type: 'text', content: Buffer.from('€') });
  for (const content of ['-0', '4oI=', '7aCA']) {
    t.equal(
      messageOf('ERR_GRIP_ITEM', () => parse({ 'content-bin': content, type: 'text' })),
      "'ws-message' contains text content that is not UTF-8: expected UTF-8, or the type 'binary'",
    );
    t.match(parse({ 'content-bin': content }), { type: 'binary' });
  }
});

t.test('ws-message pings and pongs need no content and take what a control frame holds', async (t) => {
  for (const type of ['ping', 'pong']) {
    t.same(parse({ type }), { action: 'send', type, content: Buffer.alloc(0) });
    t.ok(parse({ type, content: 'x'.repeat(MAX_CONTROL_PAYLOAD) }));
    t.equal(
      messageOf('ERR_GRIP_ITEM', () => parse({ type, content: 'x'.repeat(MAX_CONTROL_PAYLOAD + 1) })),
      `'ws-message' contains more than 125 bytes of content for a ${type}`,
    );
  }
});

t.test('ws-message closes with a code and a reason, or without', async (t) => {
  t.same(parse({ action: 'close' }), { action: 'close' });
  t.same(parse({ action: 'close', code: '4001', reason: 'é' }), { action: 'close', code: 4001, reason: 'é' });
  t.same(parse({ action: 'close', code: 0, reason: '' }), { action: 'close', code: 0 });
});
