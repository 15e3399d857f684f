import fc from 'fast-check';
import t from 'tap';
import { textFromWire, wireFromText } from '../../dist/index.js';
import { httpStream } from '../../dist/item/http-stream.js';
import { parseInteger, trimWire } from '../../dist/wire/text.js';
import { messageOf } from '../grip-error.js';

t.test('text goes into a header as its UTF-8 bytes, one character each', async (t) => {
  t.equal(wireFromText('room'), 'room');
  t.equal(wireFromText('é€'), '\xc3\xa9\xe2\x82\xac');
  t.equal(wireFromText('\ud800'), '\xef\xbf\xbd', 'a lone surrogate has no UTF-8 form');
});

t.test('header bytes are read as UTF-8 where they are UTF-8, as Latin-1 where they are not', async (t) => {
  t.equal(textFromWire('room'), 'room');
  t.equal(textFromWire('\xc3\xa9'), 'é');
  t.equal(textFromWire('\xe9'), 'é', 'not UTF-8');
  t.equal(textFromWire('€'), '€', 'not Latin-1 at all');
});

t.test('reading is the inverse of writing for any well-formed text', async () => {
  fc.assert(fc.property(fc.string({ unit: 'grapheme' }), (text) => textFromWire(wireFromText(text)) === text));
});

t.test('only ASCII white space is trimmed from header bytes, never the byte A0 of a letter', async (t) => {
  t.equal(trimWire(' \t a b \r\n'), 'a b');
  t.equal(trimWire('   '), '');
  t.equal(trimWire(wireFromText(' à ')), wireFromText('à'));
});

t.test('an integer has digits, perhaps a sign, perhaps space around it, and fits 32 bits', async (t) => {
  const cases: [string, number | undefined][] = [
    ['0', 0],
    ['55', 55],
    ['007', 7],
    ['+5', 5],
    ['-5', -5],
    [' 5\t', 5],
    ['2147483647', 2147483647],
    ['2147483648', undefined],
    ['99999999999999999999999', undefined],
    ['', undefined],
    [' ', undefined],
    ['5s', undefined],
    ['5.0', undefined],
    ['5 5', undefined],
    ['1e3', undefined],
    ['0x10', undefined],
    ['--5', undefined],
    ['Infinity', undefined],
  ];
  for (const [text, value] of cases) t.equal(parseInteger(text), value, JSON.stringify(text));
});

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
