import fc from 'fast-check';
import t from 'tap';
import { mergeHeaders } from '../../dist/holds/response-answer.js';

t.test('published fields follow the held ones, in the place of those with their name, whatever its case', async (t) => {
  const held = ['A', '1', 'B', '2', 'a', '3', 'C', '4'];
  t.strictSame(mergeHeaders(held, ['a', 'new', 'D', '5', 'A', 'again']), [
    ...['B', '2', 'C', '4'],
    ...['a', 'new', 'D', '5', 'A', 'again'],
  ]);
});

t.test('without published fields the held ones stand', async (t) => {
  t.strictSame(mergeHeaders(['A', '1'], []), ['A', '1']);
});

t.test(
  'held fields that describe the body of the origin alone are not for the item, unless it has them itself',
  async (t) => {
    const held = [
      'ETag',
      '"a"',
      'Content-Type',
      'text/a',
      'content-encoding',
      'gzip',
      'Last-Modified',
      'x',
      'Vary',
      'b',
    ];
    t.strictSame(mergeHeaders(held, []), ['Content-Type', 'text/a', 'Vary', 'b']);
    const published = ['etag', '"i"', 'Content-Encoding', 'br'];
    t.strictSame(mergeHeaders(held, published), ['Content-Type', 'text/a', 'Vary', 'b', ...published]);
  },
);

t.test('published GRIP fields are no data', async (t) => {
  t.strictSame(mergeHeaders(['A', '1'], ['Grip-Hold', 'stream', 'GRIP-X', '', 'B', '2']), ['A', '1', 'B', '2']);
});

t.test('Grip-Expose-Headers, once or more often, keeps only the fields that it names', async (t) => {
  const published = ['grip-expose-headers', 'a , D', 'D', '5', 'E', '6', 'Grip-Expose-Headers', 'B'];
  t.strictSame(mergeHeaders(['A', '1', 'B', '2', 'C', '4'], published), ['A', '1', 'B', '2', 'D', '5']);
  t.strictSame(mergeHeaders(['A', '1'], ['Grip-Expose-Headers', '']), [], 'an empty list names nothing');
});

const fields = fc
  .array(fc.tuple(fc.constantFrom('A', 'a', 'B', 'b', 'C', 'Grip-X'), fc.string()))
  .map((pairs) => pairs.flat());

t.test('no published field is lost, none of a replaced name stays, and order is kept', async () => {
  fc.assert(
    fc.property(fields, fields, (held, published) => {
      const merged = mergeHeaders(held, published);
      if (published.length === 0) return JSON.stringify(merged) === JSON.stringify(held);
      const own = pairs(published).filter(([name]) => !/^grip-/i.test(name));
      const names = new Set(own.map(([name]) => name.toLowerCase()));
      const kept = pairs(held).filter(([name]) => !names.has(name.toLowerCase()));
      return JSON.stringify(pairs(merged)) === JSON.stringify([...kept, ...own]);
    }),
  );
});

function pairs(list: readonly string[]): [string, string][] {
  return list.flatMap((name, i) => (i % 2 === 0 ? [[name, list[i + 1] as string] as [string, string]] : []));
}
