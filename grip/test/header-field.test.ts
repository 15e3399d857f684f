import t from 'tap';
import { hasControl, headerFault, isToken } from '../dist/index.js';

t.test('a header name is an RFC 9110 token', async (t) => {
  for (const name of ['X-A', 'a', "!#$%&'*+-.^_`|~09", '__proto__']) t.ok(isToken(name), name);
  for (const name of ['', 'a b', 'a:', 'a\r\n', 'é', 'a\0', '"a"']) t.notOk(isToken(name), JSON.stringify(name));
});

t.test('control characters other than a tab are found', async (t) => {
  for (const text of ['a\r', 'a\n', 'a\0', '\x7f', '\x1b[0m']) t.ok(hasControl(text), JSON.stringify(text));
  for (const text of ['', 'a\tb', 'é', '\xff', '~']) t.notOk(hasControl(text), JSON.stringify(text));
});

t.test('a fault names the header', async (t) => {
  t.equal(headerFault('X-A', 'fine'), undefined);
  t.equal(headerFault('X-A', 'a\r\nSet-Cookie: b'), "header 'X-A' contains a control character");
  t.equal(headerFault('X A', 'fine'), 'header name "X A" is not a token');
});
