import fc from 'fast-check';
import t from 'tap';
import { httpStream } from '../../dist/item/http-stream.js';
import { messageOf } from '../grip-error.js';

const read = (text: string) => (httpStream.parse({ 'content-bin': text }) as { content: Buffer }).content;

t.test('both alphabets are base64, with padding and without, and over several lines', async (t) => {
  t.same(read(''), Buffer.alloc(0));
  for (const text of ['+/8=', '-_8=', '+/8', '+/\r\n8=', ' +/ 8 =\n'])
    t.same(read(text), Buffer.from([0xfb, 0xff]), text);
  t.same(read('AA=='), Buffer.from([0]));
});

t.test('anything else is refused, and the character is named', async (t) => {
  const table: [string, string][] = [
    ['hello world!', 'unexpected "!" at character 12'],
    ['AP8!', 'unexpected "!" at character 4'],
    ['é', 'unexpected "é" at character 1'],
    ['data:text/plain;base64,AA==', 'unexpected ":" at character 5'],
    ['A', 'it is cut short, or its padding is wrong'],
    ['AAAAA', 'it is cut short, or its padding is wrong'],
    ['AA=', 'it is cut short, or its padding is wrong'],
    ['AA=A', 'it is cut short, or its padding is wrong'],
    ['AAA===', 'it is cut short, or its padding is wrong'],
    ['====', 'it is cut short, or its padding is wrong'],
  ];
  for (const [text, wanted] of table) {
    const message = messageOf('ERR_GRIP_ITEM', () => httpStream.parse({ 'content-bin': text }));
    t.equal(message, `'http-stream' contains 'content-bin' that is not base64: ${wanted}`);
  }
});

t.test('what an encoder made is what it was made of', async (t) => {
  fc.assert(
    fc.property(fc.uint8Array(), fc.constantFrom('base64' as const, 'base64url' as const), (bytes, alphabet) => {
      const text = Buffer.from(bytes).toString(alphabet);
      t.same(read(text), Buffer.from(bytes));
      t.same(read(text.replace(/.{8}/g, '$&\n')), Buffer.from(bytes));
    }),
    { numRuns: 200 },
  );
});
