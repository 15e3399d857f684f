import fc from 'fast-check';
import t from 'tap';
import { parseCstring } from '../../dist/wire/cstring.js';

t.test('backslash, r, n and xHH escapes give their bytes', async (t) => {
  t.same(parseCstring('a\\\\b\\r\\n\\x00\\xfF'), Buffer.from('a\\b\r\n\0\xff', 'latin1'));
  t.same(parseCstring('\xe9'), Buffer.from([0xe9]), 'other bytes stand for themselves');
});

t.test('an unknown escape is dropped', async (t) => {
  t.same(parseCstring('a\\tb'), Buffer.from('ab'));
});

t.test('an escape that is cut short or not hexadecimal is an error', async (t) => {
  for (const text of ['\\', 'a\\', '\\x', '\\x1', '\\xg0', '\\x0g']) t.equal(parseCstring(text), undefined, text);
});

t.test('any bytes can be written as \\xHH and read back', async (t) => {
  fc.assert(
    fc.property(fc.uint8Array(), (bytes) => {
      const text = [...bytes].map((byte) => `\\x${byte.toString(16).padStart(2, '0')}`).join('');
      t.same(parseCstring(text), Buffer.from(bytes));
    }),
  );
});
