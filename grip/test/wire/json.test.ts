import fc from 'fast-check';
import t from 'tap';
import { MAX_JSON_DEPTH, readJson, readJsonBytes } from '../../dist/index.js';
import { isDeeper, jsonFaultText, MAX_JSON_VALUES } from '../../dist/wire/json.js';

/** Lists and objects in turn, so many levels of them, with text that makes the whole longer than `padding`. */
function nested(levels: number, padding = 0): string {
  const open = Array.from({ length: levels }, (_, i) => (i % 2 === 0 ? '[' : '{"a":'));
  const close = Array.from({ length: levels }, (_, i) => ((levels - 1 - i) % 2 === 0 ? ']' : '}'));
  return `${open.join('')}"${'x'.repeat(padding)}"${close.join('')}`;
}

t.test('values nest as deep as they may and no deeper, in short texts and long ones', async (t) => {
  for (const padding of [0, 100_000]) {
    t.equal(readJson(nested(MAX_JSON_DEPTH, padding)).fault, undefined);
    t.equal(readJson(nested(MAX_JSON_DEPTH + 1, padding)).fault, 'nests deeper than 256 levels');
  }
  t.equal(readJson('['.repeat(200_000) + ']'.repeat(200_000)).fault, 'nests deeper than 256 levels');
  t.equal(readJson('['.repeat(200_000)).fault, 'nests deeper than 256 levels', 'also where it is no JSON');
});

t.test('a text has only so many values', async (t) => {
  const many = (count: number) => `[${Array.from({ length: count }, () => '0').join()}]`;
  t.equal(readJson(many(MAX_JSON_VALUES - 1)).fault, undefined);
  t.equal(readJson(many(MAX_JSON_VALUES)).fault, 'has more than 500000 values');
  t.equal(readJson(`[${'[],'.repeat(MAX_JSON_VALUES)}0]`).fault, 'has more than 500000 values');
});

t.test('brackets and commas in strings do not count, wherever quotes and backslashes stand', async (t) => {
  for (const piece of ['[', ',', '"', '\\', '\\"', '"[', '\\\\"{', `${'x'.repeat(63)}"[`, `${'\\'.repeat(65)}"[`]) {
    const value = { text: piece.repeat(100_000), after: [[1]] };
    t.strictSame(readJson(JSON.stringify(value)).value, value);
  }
});

t.test('bytes are UTF-8, with or without a byte order mark', async (t) => {
  t.strictSame(readJsonBytes(Buffer.from('\ufeff{"a":1}')).value, { a: 1 });
  t.equal(readJsonBytes(Buffer.from([0x22, 0xff, 0x22])).fault, 'is not valid JSON');
  t.equal(readJsonBytes(Buffer.from('')).fault, 'is not valid JSON');
});

t.test('any JSON is read as JSON.parse reads it', async (t) => {
  fc.assert(
    fc.property(fc.jsonValue(), fc.boolean(), (value, long) => {
      const text = JSON.stringify(long ? [value, ' '.repeat(70_000), value] : value);
      t.strictSame(readJson(text).value, JSON.parse(text));
    }),
    { numRuns: 100 },
  );
  for (const text of ['', '{', '[1,]', '"', '\\', `"${'x'.repeat(70_000)}`, `"${'x'.repeat(70_000)}\\`]) {
    t.equal(readJson(text).fault, 'is not valid JSON');
  }
});

t.test('levels are those of lists and objects', async (t) => {
  t.equal(isDeeper('a', 0), false);
  t.equal(isDeeper([], 0), true);
  t.equal(isDeeper([[], { a: [] }], 2), true);
  t.equal(isDeeper([[], { a: 1 }], 2), false);
});

const faultOf = (text: string) => jsonFaultText(Buffer.from(text));

t.test('the place where a text stops being JSON is named, with what should be there', async (t) => {
  const table: [string, string][] = [
    ['', 'it is empty'],
    ['{"items":[}', `unexpected '}' where a value should be at line 1, column 11 (byte 10), near "{\\"items\\":[}"`],
    ['{"items":[', 'the text ends too early at line 1, column 11 (byte 10), near "{\\"items\\":["'],
    ['{"a":1,}', `unexpected '}' where a name in double quotes should be at line 1, column 8 (byte 7), near `],
    ["{'a':1}", `unexpected ''' where a name in double quotes should be at line 1, column 2 (byte 1), near `],
    ['{"a" 1}', `unexpected '1' where ':' should be at line 1, column 6 (byte 5), near `],
    ['{"a":1 "b":2}', `unexpected '"' where ',' or '}' should be at line 1, column 8 (byte 7), near `],
    ['[1 2]', `unexpected '2' where ',' or ']' should be at line 1, column 4 (byte 3), near `],
    ['{}\n{}', `unexpected '{' where the end should be at line 2, column 1 (byte 3), near `],
    ['{\n "é": tru}', `unexpected 't' where a value should be at line 2, column 7 (byte 9), near `],
    ['["a\nb"]', `an unescaped "\\n" in a string at line 1, column 4 (byte 3), near `],
    ['["\\x"]', 'an unknown escape at line 1, column 3 (byte 2), near '],
    ['["abc', 'a string that does not end at line 1, column 2 (byte 1), near "[\\"abc"'],
    ['["abc\\', 'a string that does not end at line 1, column 2 (byte 1), near '],
    ['\ufeff[,]', `unexpected ',' where a value should be at line 1, column 2 (byte 4), near "[,]"`],
  ];
  for (const [text, wanted] of table) t.ok(faultOf(text)?.startsWith(wanted), `${text}: ${faultOf(text)}`);
});

t.test('bytes that are not UTF-8 have a place too', async (t) => {
  const body = Buffer.concat([Buffer.from('["\ufffd", "'), Buffer.from([0xff]), Buffer.from('"]')]);
  t.match(jsonFaultText(body), /^bytes that are not UTF-8 at line 1, column 8 \(byte 9\), near /);
});

t.test('an excerpt is short, and shows no control characters', async (t) => {
  const text = faultOf(`["${'\u0001'.repeat(100_000)}`) ?? '';
  t.ok(text.length < 500, `${text.length}`);
  t.notMatch(text, /\p{Cc}/u);
});

t.test('a text has a fault exactly where JSON.parse refuses it', async () => {
  const broken = fc.tuple(
    fc.json(),
    fc.nat(),
    fc.constantFrom('', ',', '"', '\\', '}', ']', '1', '-', '.', 'e', ' ', 'null'),
  );
  fc.assert(
    fc.property(broken, fc.boolean(), ([json, at, piece], cut) => {
      const i = at % (json.length + 1);
      const text = json.slice(0, i) + piece + json.slice(cut ? i + 1 : i);
      let isJson = true;
      try {
        JSON.parse(Buffer.from(text).toString());
      } catch {
        isJson = false;
      }
      if ((faultOf(text) === undefined) !== isJson) throw new Error(`${isJson}: ${faultOf(text)}`);
    }),
    { numRuns: 3_000 },
  );
});

t.test('texts of any shape and a megabyte are looked through at once', async (t) => {
  const many = 1_000_000;
  for (const piece of ['[', '{"a":', ' ', '"a', '\\u0041', '1', '-', '"', '[[],', '\n', '\ufffd']) {
    const began = process.hrtime.bigint();
    t.type(faultOf(piece.repeat(many / piece.length).concat('[')), 'string');
    t.type(faultOf(`"${piece.repeat(many / piece.length)}`), 'string');
    t.ok(process.hrtime.bigint() - began < 5_000_000_000n, piece);
  }
});
