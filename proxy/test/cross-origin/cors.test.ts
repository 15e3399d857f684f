import t from 'tap';
import { AllowedOrigins } from '../../dist/config/types/allowed-origins.js';
import { corsHeaders } from '../../dist/cross-origin/cors.js';

const APP = 'https://app.example';

/** What is added, by name. */
function added(
  request: readonly string[],
  answer: readonly string[],
  origins: AllowedOrigins = AllowedOrigins.any,
): Record<string, string> {
  const headers = corsHeaders(request, answer, origins);
  const fields: Record<string, string> = {};
  for (let i = 0; i < headers.length; i += 2) {
    if (headers[i] !== answer[i] || headers[i + 1] !== answer[i + 1]) {
      fields[headers[i] as string] = headers[i + 1] as string;
    }
  }
  return fields;
}

t.test('without anything asked for: any origin, the usual methods, no credentials, for an hour', async (t) => {
  t.strictSame(added([], []), {
    Vary: 'Origin',
    'Access-Control-Allow-Methods': 'OPTIONS, HEAD, GET, POST, PUT, DELETE',
    'Access-Control-Allow-Origin': '*',
    'Access-Control-Max-Age': '3600',
  });
});

t.test('a script of a named origin may read what is made with credentials', async (t) => {
  for (const origin of [
    APP,
    'http://localhost:8080',
    'https://[::1]:7',
    'chrome-extension://abc',
    'HTTPS://A.EXAMPLE',
  ]) {
    t.match(added(['Origin', origin], []), {
      'Access-Control-Allow-Origin': origin,
      'Access-Control-Allow-Credentials': 'true',
      Vary: 'Origin',
    });
  }
});

t.test('an origin that any page can have, or that is none, gets no credentials', async (t) => {
  const odd = [
    'null',
    'NULL',
    '',
    'x',
    'https://',
    'https://a b',
    'https://a/',
    'https://a?',
    'https://u@a',
    'file://',
  ];
  for (const origin of [...odd, 'https://a,https://b', 'https://a https://b', '*', 'https://a:x', 'https://a\x01']) {
    const fields = added(['Origin', origin], []);
    t.equal(fields['Access-Control-Allow-Origin'], '*', origin);
    t.equal(fields['Access-Control-Allow-Credentials'], undefined, origin);
    t.equal(fields.Vary, 'Origin');
  }
  t.equal(added(['Origin', APP, 'origin', 'null'], [])['Access-Control-Allow-Credentials'], undefined, 'two are none');
});

t.test('a list: its origins are granted everything, others nothing, and Vary says so in any case', async (t) => {
  const origins = new AllowedOrigins([APP, 'https://*.b.example']);
  for (const origin of [APP, 'https://x.b.example', 'https://x.y.b.example']) {
    t.match(added(['Origin', origin], [], origins), {
      'Access-Control-Allow-Origin': origin,
      'Access-Control-Allow-Credentials': 'true',
    });
  }
  const preflight = ['Access-Control-Request-Method', 'PUT', 'Access-Control-Request-Headers', 'x-a'];
  for (const origin of [
    'null',
    'https://b.example',
    'http://app.example',
    `${APP}.evil.example`,
    'https://evil.example',
  ]) {
    t.strictSame(added(['Origin', origin, ...preflight], [], origins), { Vary: 'Origin' }, origin);
  }
  t.strictSame(added([], [], origins), { Vary: 'Origin' }, 'no origin');
});

t.test('Vary is joined with what the answer says itself', async (t) => {
  const vary = (...answer: string[]) => {
    const headers = corsHeaders(['Origin', APP], answer, AllowedOrigins.any);
    return headers.filter((_, i) => i % 2 === 1 && headers[i - 1]?.toLowerCase() === 'vary');
  };
  t.strictSame(vary('Vary', 'Accept'), ['Accept, Origin']);
  t.strictSame(vary('vary', 'Accept', 'Vary', 'Cookie'), ['Accept, Origin', 'Cookie']);
  t.strictSame(vary('Vary', 'accept,ORIGIN'), ['accept,ORIGIN']);
  t.strictSame(vary('Vary', 'A', 'Vary', ' origin '), ['A', ' origin ']);
  t.strictSame(vary('Vary', '*'), ['*']);
  t.strictSame(vary('Vary', ''), ['Origin']);
  t.strictSame(vary('Vary', 'X-Origin'), ['X-Origin, Origin']);
});

t.test('a preflight is allowed what it asks for', async (t) => {
  const request = [
    ...['origin', APP, 'access-control-request-method', 'PATCH'],
    ...['Access-Control-Request-Headers', 'x-a, x-b'],
  ];
  t.match(added(request, []), {
    'Access-Control-Allow-Methods': 'PATCH',
    'Access-Control-Allow-Headers': 'x-a, x-b',
    'Access-Control-Allow-Origin': APP,
  });
});

t.test('of what a preflight asks for, only tokens are repeated', async (t) => {
  const asked = (method: string, headers: string) =>
    added(['Origin', APP, 'Access-Control-Request-Method', method, 'Access-Control-Request-Headers', headers], []);
  const usual = 'OPTIONS, HEAD, GET, POST, PUT, DELETE';
  t.match(asked('PUT, *', 'x-a,, x b ,x-c;q=1,"d",  x-e'), {
    'Access-Control-Allow-Methods': usual,
    'Access-Control-Allow-Headers': 'x-a, x-e',
  });
  t.equal(asked('', 'a b')['Access-Control-Allow-Methods'], usual);
  t.equal(asked('', 'a b')['Access-Control-Allow-Headers'], undefined);
});

t.test('what the origin says itself stands', async (t) => {
  const answer = [
    ...['access-control-allow-methods', 'GET', 'Access-Control-Allow-Headers', 'x'],
    ...['Access-Control-Expose-Headers', 'x', 'Access-Control-Allow-Credentials', 'false'],
    ...['Access-Control-Allow-Origin', 'https://only.example', 'Access-Control-Max-Age', '1', 'Vary', 'Origin'],
  ];
  t.strictSame(added(['Origin', APP], answer), {});
});

t.test('an answer that says who may read it is not given credentials', async (t) => {
  const fields = added(['Origin', APP], ['Access-Control-Allow-Origin', APP]);
  t.equal(fields['Access-Control-Allow-Credentials'], undefined);
});

t.test(
  'scripts may read every field but the simple ones, which they may anyway, cookies and the proxies’ own',
  async (t) => {
    const simple = ['Cache-Control', 'content-language', 'Content-Length', 'Content-Type', 'Expires', 'Last-Modified'];
    const more = ['Pragma', 'Grip-X', 'Access-Control-X', 'X-A', 'Set-Cookie', 'set-cookie2', 'x-a', 'ETag'];
    const fields = [...simple, ...more].flatMap((name) => [name, 'v']);
    t.equal(added([], fields)['Access-Control-Expose-Headers'], 'X-A, ETag');
    t.equal(added([], ['Pragma', 'x'])['Access-Control-Expose-Headers'], undefined, 'an empty list is left out');
  },
);

t.test('the answer’s own fields stay as they are', async (t) => {
  const answer = ['X-A', '1', 'x-a', '2', 'B', '3'];
  t.strictSame(corsHeaders([], answer, AllowedOrigins.any).slice(0, 6), answer);
  t.strictSame(answer, ['X-A', '1', 'x-a', '2', 'B', '3'], 'and its list untouched');
});
