import fc from 'fast-check';
import t from 'tap';
import { closeFrame, framedPiece, messagesFrame, quote, quotedPiece } from '../../dist/sockjs/frames.js';
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
