import fc from 'fast-check';
import t from 'tap';
import { MAX_JSON_DEPTH, readJson, readJsonBytes } from '../../dist/index.js';
import { isDeeper, MAX_JSON_VALUES } from '../../dist/wire/json.js';

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
