import t from 'tap';
import { hasControl } from '../../dist/headers/header-field.js';
import { headerFault, isToken, MAX_REASON, reasonFault } from '../../dist/index.js';

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

t.test('a value may have HTAB, SP, VCHAR and obs-text, and nothing else (RFC 9110 §5.5)', async (t) => {
  for (let code = 0; code <= 0x200; code++) {
    const isAllowed = code === 9 || (code >= 0x20 && code <= 0x7e) || (code >= 0x80 && code <= 0xff);
    const value = `a${String.fromCharCode(code)}b`;
    t.equal(headerFault('X-A', value) === undefined, isAllowed, `value with U+${code.toString(16)}`);
    t.equal(reasonFault(value) === undefined, isAllowed, `reason with U+${code.toString(16)}`);
  }
  t.equal(headerFault('X-A', '\u010d\u010aX: y'), "header 'X-A' contains a character above U+00FF");
  t.equal(headerFault('X-A', '\ud800'), "header 'X-A' contains a character above U+00FF");
});

t.test('a reason may be empty, and has a length', async (t) => {
  t.equal(reasonFault(''), undefined);
  t.equal(reasonFault('x'.repeat(MAX_REASON)), undefined);
  t.equal(reasonFault('x'.repeat(MAX_REASON + 1)), `more than ${MAX_REASON} bytes`);
  t.equal(reasonFault('a\u010d\u010a'), 'a character above U+00FF');
  t.equal(reasonFault('a\r\n\u010d'), 'a control character');
});
