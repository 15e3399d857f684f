import { parseItem } from '@holdfast/grip';
import t from 'tap';
import { decodeMessage, encodeMessage, type ItemMessage, type Message } from '../../../dist/index.js';

const LONE = '\ud800';

const json = {
  channel: `room${LONE}`,
  id: 'é€😀',
  'prev-id': '1',
  meta: { sender: 'x', ['__proto__']: 'y' },
  size: 7,
  'no-seq': true,
  formats: {
    'http-stream': { 'content-bin': Buffer.from([0, 255, 10]).toString('base64') },
    'http-response': { code: 201, reason: 'Made', headers: { 'X-A': 'b' }, body: 'whole\n' },
    'ws-message': { content: '', 'content-filters': ['skip-self'] },
  },
};

const messageOf = (value: object): ItemMessage => ({ type: 'item', item: parseItem(value), id: 'made' });

t.test('bytes: a message comes out as it went in', (t) => {
  const position = { epoch: 'e', offset: 2 ** 40 };
  const patch = {
    channel: '',
    formats: { 'http-response': { 'body-patch': [{ op: 'add', path: '/a', value: [1] }] } },
  };
  const messages: Message[] = [
    { type: 'recover' },
    { ...messageOf(json), position, headers: { traceparent: '00-1' } },
    messageOf(patch),
    messageOf({ channel: 'c', formats: { 'http-stream': { action: 'close' }, 'ws-message': { action: 'close' } } }),
    messageOf({ channel: 'c', formats: { 'http-stream': { action: 'hint' } } }),
  ];
  for (const message of messages) t.strictSame(decodeMessage(encodeMessage(message)), message);
  t.end();
});

t.test('bytes: what is kept of an item does not keep all that was read with it', (t) => {
  const [first, second] = [
    messageOf(json),
    messageOf({ channel: 'b', 'http-stream': { content: 'y'.repeat(50_000) } }),
  ];
  const bytes = encodeMessage(first);
  const read = Buffer.concat([bytes, encodeMessage(second)]);
  const decoded = decodeMessage(read.subarray(0, bytes.length)) as ItemMessage;
  const { content } = decoded.item.formats.httpStream as unknown as { readonly content: Buffer };
  t.strictSame([...content], [0, 255, 10]);
  t.ok(content.buffer.byteLength < 20_000);
  t.end();
});
