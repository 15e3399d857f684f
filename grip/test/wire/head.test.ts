import t from 'tap';
import {
  headerFault,
  headerValue,
  headerValues,
  isFinalStatus,
  isInterimStatus,
  isToken,
  MAX_REASON,
  reasonFault,
  reasonPhrase,
  sendableReason,
} from '../../dist/index.js';
import { hasControl } from '../../dist/wire/head.js';

const headers = ['Set-Cookie', 'a', 'X', '1', 'set-cookie', 'b', 'SET-COOKIE', ''];

t.test('a header is found whatever its case; the first value is given', async (t) => {
  t.equal(headerValue(headers, 'set-cookie'), 'a');
  t.equal(headerValue(headers, 'x'), '1');
  t.equal(headerValue(headers, 'y'), undefined);
});

t.test('all values of a header are given in wire order, empty ones too', async (t) => {
  t.same(headerValues(headers, 'set-cookie'), ['a', 'b', '']);
  t.same(headerValues(headers, 'y'), []);
});

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

t.test('a code has the phrase of the IANA table', async (t) => {
  t.equal(reasonPhrase(200), 'OK');
  t.equal(reasonPhrase(404), 'Not Found');
  t.equal(reasonPhrase(511), 'Network Authentication Required');
});

t.test('413 and 414 have the wording that Pushpin sends', async (t) => {
  t.equal(reasonPhrase(413), 'Request Entity Too Large');
  t.equal(reasonPhrase(414), 'Request-URI Too Long');
});

t.test('an unknown code has an empty phrase', async (t) => {
  for (const code of [0, 99, 299, 509, 999, -1, Number.NaN]) t.equal(reasonPhrase(code), '');
});

t.test('a final status is from 200 to 999', async (t) => {
  for (const code of [200, 304, 599, 999]) t.ok(isFinalStatus(code), String(code));
  for (const code of [0, 99, 100, 101, 199, 1000, 200.5, Number.NaN]) t.notOk(isFinalStatus(code), String(code));
});

t.test('interim statuses are 100 to 199 but 101, which ends HTTP on its connection', async (t) => {
  for (const code of [100, 102, 103, 199]) t.ok(isInterimStatus(code), `${code}`);
  for (const code of [0, 42, 99, 101, 200, 100.5, Number.NaN, -100]) t.notOk(isInterimStatus(code), `${code}`);
});

t.test('a reason that cannot be sent is the default one in its place', async (t) => {
  t.equal(sendableReason(404, 'Trouv\u00e9'), 'Trouv\u00e9');
  t.equal(sendableReason(404, ''), '');
  for (const reason of ['a\r\nb', '\u0001', '\u007f', '\u010d\u010a', '\ufffd', 'x'.repeat(2_000)]) {
    t.equal(sendableReason(404, reason), 'Not Found', JSON.stringify(reason.slice(0, 10)));
    t.equal(sendableReason(299, reason), '');
  }
});
