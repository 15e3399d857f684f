import fc from 'fast-check';
import t from 'tap';
import { parseGripExtension } from '../../dist/index.js';

t.test('the extension is found alone, among others and in a repeated header', async (t) => {
  for (const values of [['grip'], [' grip '], ['a, grip'], ['a; b=1', 'grip, c'], ['a; b="grip, x", grip']]) {
    t.same(parseGripExtension(values), { messagePrefix: 'm:' }, values.join(' | '));
  }
});

t.test('without it there is no GRIP mode', async (t) => {
  for (const values of [[], [''], ['permessage-deflate'], ['gripped'], ['Grip'], ['a; grip'], ['a; b="x, grip"']]) {
    t.equal(parseGripExtension(values), undefined, values.join(' | '));
  }
});

t.test('message-prefix is quoted or not', async (t) => {
  const table: [string, string][] = [
    ['grip; message-prefix="X"', 'X'],
    ['grip;message-prefix=X', 'X'],
    ['grip ; foo=1; Message-Prefix=msg:', 'msg:'],
    ['grip; message-prefix="a, b; \\"c\\""', 'a, b; "c"'],
    ['grip; message-prefix="\xc5\xbe"', '\xc5\xbe'],
    ['grip; foo=1', 'm:'],
    ['grip; message-prefix=A, grip; message-prefix=B', 'A'],
  ];
  for (const [value, messagePrefix] of table) t.same(parseGripExtension([value]), { messagePrefix }, value);
});

t.test('an empty message-prefix is one', async (t) => {
  for (const value of [
    'grip; message-prefix=""',
    'grip; message-prefix=',
    'grip; message-prefix',
    'grip;message-prefix=;a',
  ]) {
    t.same(parseGripExtension([value]), { messagePrefix: '' }, value);
  }
});

t.test('parameters that cannot be parsed turn GRIP mode off', async (t) => {
  t.equal(parseGripExtension(['grip; message-prefix="x']), undefined);
});

t.test('no header makes it fail, and only one that names it turns GRIP mode on', async (t) => {
  const parts = fc.array(fc.constantFrom('grip', 'a', ';', ',', '=', '"', '\\', ' ', 'message-prefix'));
  fc.assert(
    fc.property(fc.array(parts.map((list) => list.join(''))), (values) => {
      if (!values.some((value) => value.includes('grip'))) t.equal(parseGripExtension(values), undefined);
      else parseGripExtension(values);
    }),
  );
});
