/** The bounds of what travels beside items. */
import t from 'tap';
import { boundedHeaders, ITEM_HEADER_CHARS, ITEM_HEADERS_MAX } from '../../dist/backplane/item-headers.js';

t.test('headers of an item: names in lower case with short texts of ASCII stay, all else is left out', async (t) => {
  const longest = 'x'.repeat(ITEM_HEADER_CHARS);
  const given: unknown = JSON.parse(`{
    "traceparent": "00-ab", "a-1": "", "longest": "${longest}",
    "longer": "${longest}x", "Upper": "x", "1a": "x", "": "x", "a b": "x", "${'n'.repeat(65)}": "x", "__proto__": "x",
    "number": 1, "list": ["x"], "null": null, "line": "a\\r\\nb", "wide": "\u00e9"
  }`);
  t.strictSame(boundedHeaders(given), { traceparent: '00-ab', 'a-1': '', longest });
});

t.test('headers of an item: of too many the first stay', async (t) => {
  const many = Object.fromEntries(Array.from({ length: 100_000 }, (_, i) => [`h${i}`, 'x']));
  t.strictSame(Object.keys(boundedHeaders(many) ?? {}), Object.keys(many).slice(0, ITEM_HEADERS_MAX));
});

t.test('headers of an item: what is no object, or has nothing that may stay, is none', async (t) => {
  for (const value of [undefined, null, 1, 'text', [], ['x'], {}, { Upper: 'x' }])
    t.equal(boundedHeaders(value), undefined);
});
