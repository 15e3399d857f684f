import fc from 'fast-check';
import t from 'tap';
import { type Element, paramValue, parseElement, parseParams, splitElements } from '../../dist/wire/params.js';
import { written } from './written-element.js';

t.test('a repeated header and one with commas give the same elements', async (t) => {
  t.same(splitElements(['a, b', 'c']), ['a', 'b', 'c']);
  t.same(splitElements(['a', 'b', 'c']), ['a', 'b', 'c']);
});

t.test('commas in quotes do not split, and a backslash there escapes a quote', async (t) => {
  t.same(splitElements(['a; x="1,2", b']), ['a; x="1,2"', 'b']);
  t.same(splitElements(['a; x="1\\",2", b']), ['a; x="1\\",2"', 'b']);
  t.same(splitElements(['a\\, b']), ['a\\', 'b'], 'outside quotes a backslash is nothing special');
  t.same(splitElements(['a; x="1, b']), ['a; x="1, b'], 'an open quote takes the rest');
});

t.test('an empty element counts between commas, not at the end', async (t) => {
  t.same(splitElements(['a,,b']), ['a', '', 'b']);
  t.same(splitElements([',a']), ['', 'a']);
  t.same(splitElements(['a,']), ['a']);
  t.same(splitElements(['']), []);
  t.same(splitElements([]), []);
});

t.test('the value of an element is taken raw up to the first semicolon', async (t) => {
  t.same(parseElement(' a b = "c" ; d=e'), { value: 'a b = "c"', params: [['d', 'e']] });
  t.same(parseElement('"a;b"'), { value: '"a', params: [['b"', '']] });
  t.same(parseElement(''), { value: '', params: [] });
});

t.test('parameters are names, name=value or name="value" with escapes', async (t) => {
  t.same(parseElement('a;b;c=d ; e="f \\"g\\" \\\\;,"rest;h="";i='), {
    value: 'a',
    params: [
      ['b', ''],
      ['c', 'd'],
      ['e', 'f "g" \\;,'],
      ['h', ''],
      ['i', ''],
    ],
  });
  t.same(parseParams('a=b=c; d= "e"'), [
    ['a', 'b=c'],
    ['d', '"e"'],
  ]);
});

t.test('an element with an open quote or a backslash at the end cannot be parsed', async (t) => {
  t.equal(parseElement('a; b="c'), undefined);
  t.equal(parseElement('a; b="c\\'), undefined);
  t.equal(parseElement('a; b="c\\"'), undefined);
});

t.test('parameter names are compared whatever their case, and the first of a name counts', async (t) => {
  const params = parseParams('Prev-ID=1; prev-id=2') ?? [];
  t.equal(paramValue(params, 'prev-id'), '1');
  t.equal(paramValue(params, 'filter'), undefined);
});

const tokens = fc.stringMatching(/^[a-z][a-zA-Z0-9-]{0,8}$/);
const latin1 = fc.string({ unit: fc.integer({ min: 0x20, max: 0xff }).map((code) => String.fromCharCode(code)) });
const printable = latin1.filter((text) => !text.includes('\x7f'));
const elements: fc.Arbitrary<Element> = fc.record({
  value: printable.map((text) => text.replace(/[;,"]/g, '').replace(/^ +| +$/g, '')),
  params: fc.array(fc.tuple(tokens, printable)),
});

t.test('written elements are read back unchanged, alone and in a list', async (t) => {
  fc.assert(
    fc.property(fc.array(elements), (list) => {
      const text = list.map(written);
      t.same(text.map(parseElement), list);
      // An empty last element is invisible in a list, so the list is closed with one that is not.
      t.same(splitElements([[...text, 'end'].join(', ')]).map(parseElement), [...list, { value: 'end', params: [] }]);
    }),
  );
});

t.test('arbitrary bytes are split and parsed without an exception', async () => {
  const bytes = fc.uint8Array().map((array) => Buffer.from(array).toString('latin1'));
  const syntax = fc.string({ unit: fc.constantFrom('a', ',', ';', '=', '"', '\\', ' ') });
  fc.assert(
    fc.property(fc.array(fc.oneof(bytes, syntax)), (values) => {
      for (const text of splitElements(values)) {
        const element = parseElement(text);
        if (element?.value.includes(';')) throw new Error('a value never holds a semicolon');
      }
    }),
  );
});
