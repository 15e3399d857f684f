import fc from 'fast-check';
import t from 'tap';
import { checkRequest, isRefusal, type Refusal, type RequestHead, type Target } from '../../dist/edge/request-check.js';

const request = (over: Partial<RequestHead>): RequestHead => ({
  method: 'GET',
  target: '/',
  version: '1.1',
  headers: ['Host', 'a'],
  ...over,
});

const accepted: readonly (readonly [string, Partial<RequestHead>, Target])[] = [
  ['a path', { target: '/p?q' }, { host: 'a', path: '/p?q' }],
  ['two slashes', { target: '//b/p' }, { host: 'a', path: '//b/p' }],
  ['a fragment', { target: '/p#f' }, { host: 'a', path: '/p' }],
  ['an absolute target', { target: 'http://b:1/p' }, { host: 'b:1', path: '/p' }],
  ['an absolute target without a path', { target: 'http://b' }, { host: 'b', path: '/' }],
  ['an absolute target with a query only', { target: 'http://b?q#f' }, { host: 'b', path: '/?q' }],
  ['an IPv6 Host with a zone', { headers: ['Host', '[fe80::1%25eth0]'] }, { host: '[fe80::1%25eth0]', path: '/' }],
  ['a Host with an empty port', { headers: ['Host', 'a:'] }, { host: 'a:', path: '/' }],
  ['an IPv6 Host', { headers: ['Host', '[::1]:80'] }, { host: '[::1]:80', path: '/' }],
  ['a Host with the last port', { headers: ['Host', 'a:65535'] }, { host: 'a:65535', path: '/' }],
  ['an empty Host (RFC 9112 §3.2)', { headers: ['Host', ''] }, { host: '', path: '/' }],
  ['no Host in HTTP/1.0', { version: '1.0', headers: [] }, { host: '', path: '/' }],
  ['chunked in any case', { headers: ['host', 'a', 'transfer-encoding', 'Chunked'] }, { host: 'a', path: '/' }],
  ['the longest length', { headers: ['Host', 'a', 'CONTENT-LENGTH', '999999999999999'] }, { host: 'a', path: '/' }],
  ['OPTIONS *', { method: 'OPTIONS', target: '*' }, { host: 'a', path: '*' }],
];

for (const [what, over, target] of accepted) {
  t.test(`accepts ${what}`, async (t) => {
    t.strictSame(checkRequest(request(over)), target);
  });
}

const refused: readonly (readonly [string, Partial<RequestHead>, number, string])[] = [
  [
    'a length that no number holds',
    { headers: ['Host', 'a', 'Content-Length', '9999999999999999'] },
    400,
    'Content-Length',
  ],
  ['no Host in HTTP/1.1', { headers: [] }, 400, 'Failed to parse request: missing Host header\n'],
  ['two Hosts', { headers: ['Host', 'a', 'HOST', 'a'] }, 400, 'Failed to parse request: more than one Host header\n'],
  ['two Hosts in HTTP/1.0', { version: '1.0', headers: ['Host', 'a', 'Host', 'b'] }, 400, 'more than one Host header'],
  ['a Host with a path', { headers: ['Host', 'a/b'] }, 400, 'invalid Host header'],
  ['a Host with a bracket that does not close', { headers: ['Host', '['] }, 400, 'invalid Host header'],
  ['a Host with half a bracket', { headers: ['Host', '[::1'] }, 400, 'invalid Host header'],
  ['a Host with an empty address', { headers: ['Host', '[]'] }, 400, 'invalid Host header'],
  ['a Host with a bracket in its midst', { headers: ['Host', 'a[::1]'] }, 400, 'invalid Host header'],
  ['a Host with something behind the address', { headers: ['Host', '[::1]a'] }, 400, 'invalid Host header'],
  ['a Host with two ports', { headers: ['Host', 'a:1:2'] }, 400, 'invalid Host header'],
  ['a Host with a port that is none', { headers: ['Host', 'a:99999'] }, 400, 'invalid Host header'],
  ['a Host with a port that is no number', { headers: ['Host', 'a:b'] }, 400, 'invalid Host header'],
  ['an authority with a bracket that does not close', { target: 'http://[::1/' }, 400, 'invalid Host header'],
  ['a Host with user information', { headers: ['Host', 'u@a'] }, 400, 'invalid Host header'],
  ['a Host with bytes above 127', { headers: ['Host', 'caf\xe9'] }, 400, 'invalid Host header'],
  [
    'a Host with a path, asked of the server itself',
    { method: 'OPTIONS', target: '*', headers: ['Host', 'a/b'] },
    400,
    'invalid Host',
  ],
  ['an authority with user information', { target: 'http://u:p@a/' }, 400, 'invalid Host header'],
  ['a target without a slash', { target: 'p' }, 400, 'invalid request target'],
  ['an absolute target without authority', { target: 'http:///p' }, 400, 'invalid request target'],
  ['an absolute target of another scheme', { target: 'ws://a/p' }, 400, 'invalid request target'],
  ['an asterisk outside OPTIONS', { target: '*' }, 400, 'invalid request target'],
  ['a coding in HTTP/1.0', { version: '1.0', headers: ['Transfer-Encoding', 'chunked'] }, 400, 'HTTP/1.0'],
  ['another coding', { headers: ['Host', 'a', 'Transfer-Encoding', 'gzip'] }, 501, 'Transfer coding not supported.\n'],
  ['a list of codings', { headers: ['Host', 'a', 'Transfer-Encoding', 'gzip, chunked'] }, 501, 'not supported'],
  [
    'codings in two fields',
    { headers: ['Host', 'a', 'Transfer-Encoding', 'chunked', 'Transfer-Encoding', 'chunked'] },
    501,
    'not supported',
  ],
  ['HTTP/2.0', { version: '2.0' }, 505, 'HTTP version not supported.\n'],
];

for (const [what, over, status, text] of refused) {
  t.test(`refuses ${what} with ${status}`, async (t) => {
    const refusal = checkRequest(request(over)) as Refusal;
    t.ok(isRefusal(refusal));
    t.equal(refusal.status, status);
    t.ok(refusal.text.includes(text), refusal.text);
    t.ok(refusal.text.endsWith('\n'));
  });
}

const names = fc.oneof(
  fc.constantFrom('Host', 'host', 'Transfer-Encoding', 'transfer-encoding', 'X-A'),
  fc.string({ maxLength: 20 }),
);
const values = fc.oneof(fc.constantFrom('a', 'a:80', 'chunked', 'gzip', '[::1]', ''), fc.string({ maxLength: 20 }));
const heads = fc.record({
  method: fc.constantFrom('GET', 'POST', 'OPTIONS'),
  target: fc.oneof(fc.constantFrom('/', '*', 'http://a/p'), fc.string(), fc.webUrl({ withFragments: true })),
  version: fc.constantFrom('1.0', '1.1', '2.0'),
  headers: fc.array(fc.tuple(names, values), { maxLength: 6 }).map((pairs) => pairs.flat()),
});

const count = (headers: readonly string[], name: string) =>
  headers.filter((text, i) => i % 2 === 0 && text.toLowerCase() === name).length;

t.test('every head is accepted or refused with a client or server error, never thrown at', async (t) => {
  fc.assert(
    fc.property(heads, (head) => {
      const outcome = checkRequest(head);
      return isRefusal(outcome) ? [400, 501, 505].includes(outcome.status) : typeof outcome.path === 'string';
    }),
  );
  t.pass();
});

t.test('no accepted head has two Hosts, another coding than chunked, or a target that is no path', async (t) => {
  fc.assert(
    fc.property(heads, (head) => {
      const outcome = checkRequest(head);
      if (isRefusal(outcome)) return true;
      const coding = head.headers.find(
        (_, i) => i % 2 === 1 && head.headers[i - 1]?.toLowerCase() === 'transfer-encoding',
      );
      return (
        count(head.headers, 'host') <= 1 &&
        count(head.headers, 'transfer-encoding') <= 1 &&
        (coding === undefined || (coding.toLowerCase() === 'chunked' && head.version === '1.1')) &&
        (outcome.path.startsWith('/') || (outcome.path === '*' && head.method === 'OPTIONS')) &&
        !outcome.path.includes('#') &&
        !/[/?#@\s]/.test(outcome.host)
      );
    }),
  );
  t.pass();
});
