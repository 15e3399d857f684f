import fc from 'fast-check';
import t from 'tap';
import {
  closeFrame,
  framedPiece,
  MAX_MESSAGE,
  MAX_MESSAGES,
  messagesFrame,
  PayloadFault,
  quote,
  quotedPiece,
  readMessages,
  sentText,
} from '../../dist/sockjs/frames.js';
import { FramePiece } from '../../dist/websocket/message-socket.js';

const escaped = (code: number) => `\\u${code.toString(16).padStart(4, '0')}`;

t.test('strings come out of JSON as they went in', async () => {
  fc.assert(fc.property(fc.string({ unit: 'binary' }), (text) => JSON.parse(quote(text)) === text));
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 0, max: 0xffff })), (codes) => {
      const text = String.fromCharCode(...codes);
      return JSON.parse(quote(text)) === text;
    }),
    { numRuns: 500 },
  );
});

t.test('characters that clients lose are escaped, and only they', async (t) => {
  const fragile = /[\u200c-\u200f\u2028-\u202f\u2060-\u206f\ud800-\udfff\ufff0-\uffff]/;
  const wrong: string[] = [];
  for (let code = 0x20; code <= 0xffff; code++) {
    const character = String.fromCharCode(code);
    if (character === '"' || character === '\\') continue;
    const expected = fragile.test(character) ? escaped(code) : character;
    if (quote(character) !== `"${expected}"`) wrong.push(escaped(code));
  }
  t.strictSame(wrong, []);
  for (let code = 0; code < 0x20; code++) t.match(quote(String.fromCharCode(code)), /^"\\/);
  t.equal(quote('𝒳'), '"\\ud835\\udcb3"');
});

t.test('frames', async (t) => {
  t.equal(messagesFrame([quote('a"b'), quote('')]), 'a["a\\"b",""]');
  t.equal(closeFrame(3001, Buffer.from('bye\n')), 'c[3001,"bye\\n"]');
  t.equal(closeFrame(undefined, undefined), 'c[0,"Connection closed"]');
  t.equal(closeFrame(1000, Buffer.alloc(0)), 'c[1000,"Connection closed"]');
});

t.test('a published message is encoded once for all', async (t) => {
  const text = new FramePiece('text', Buffer.from('é'));
  t.equal(quotedPiece(text), '"é"');
  t.equal(framedPiece(text), framedPiece(text));
  t.equal(framedPiece(text).payload.toString(), 'a["é"]');
  const binary = framedPiece(new FramePiece('binary', Buffer.from([0x61, 0xff])));
  t.equal(binary.type, 'text');
  t.equal(binary.payload.toString(), 'a["a\\ufffd"]');
});

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
