import fc from 'fast-check';
import t from 'tap';
import { MAX_MESSAGE, MAX_MESSAGES, PayloadFault, readMessages, sentText } from '../../dist/sockjs/payload.js';

const expected = new PayloadFault('Payload expected.', 500);
const broken = new PayloadFault('Broken JSON encoding.', 500);

t.test('an array of strings', async (t) => {
  fc.assert(
    fc.property(fc.array(fc.string({ unit: 'binary' })), (messages) => {
      const read = readMessages(JSON.stringify(messages)).map(String);
      return JSON.stringify(read) === JSON.stringify(messages);
    }),
  );
  t.strictSame(readMessages('["\\ud800"]').map(String), ['\ufffd'], 'half a pair is no text');
});

t.test('anything else', async (t) => {
  for (const text of ['', '{}', '"a"', 'null', '[1]', '["a",null]', '[["a"]]']) {
    t.throws(() => readMessages(text), expected, text);
  }
  for (const text of ['x', '["x', '[]x', '['.repeat(99_999)]) {
    t.throws(() => readMessages(text), broken, text.slice(0, 9));
  }
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (text) => {
      try {
        return readMessages(text).every(Buffer.isBuffer);
      } catch (error) {
        return error instanceof PayloadFault;
      }
    }),
  );
});

t.test('a message may have 200,000 bytes and no more', async (t) => {
  t.equal(readMessages(JSON.stringify(['é'.repeat(MAX_MESSAGE / 2)]))[0]?.length, MAX_MESSAGE);
  const tooLarge = new PayloadFault('Message too large');
  t.throws(() => readMessages(JSON.stringify(['a', `${'é'.repeat(MAX_MESSAGE / 2)}a`])), tooLarge);
});

t.test('where the text of a request is', async (t) => {
  const text = (transport: 'xhr_send' | 'jsonp_send', path: string, body: string) =>
    sentText(transport, path, Buffer.from(body));
  t.equal(text('xhr_send', '/x?d=q', '["a"]'), '["a"]');
  t.equal(text('jsonp_send', '/x', 'd=%5B%22x+%2B%22%5D'), '["x +"]', 'a form, in which + is a space');
  t.equal(text('jsonp_send', '/x', 'i=1&d=%5B%5D&d=2'), '[]');
  t.equal(text('jsonp_send', '/x', '["%61"]'), '["%61"]', 'bare JSON');
  t.equal(text('jsonp_send', '/x?d=%5B%5D', ''), '[]');
  for (const body of ['', 'd=', 'p=p', '%', '&&=']) t.equal(text('jsonp_send', '/x', body), '', body);
});

t.test('there may be 10,000 messages and no more', async (t) => {
  const messages = (count: number) => `[${Array.from({ length: count }, () => '""').join(',')}]`;
  t.equal(readMessages(messages(MAX_MESSAGES)).length, MAX_MESSAGES);
  t.throws(() => readMessages(messages(MAX_MESSAGES + 1)), new PayloadFault('Too many messages'));
});
