import t from 'tap';
import { corsHeaders } from '../../dist/cross-origin/cors.js';

/** What is added, by name. */
function added(request: readonly string[], answer: readonly string[]): Record<string, string> {
  const headers = corsHeaders(request, answer);
  const fields: Record<string, string> = {};
  for (let i = answer.length; i < headers.length; i += 2) fields[headers[i] as string] = headers[i + 1] as string;
  return fields;
}

t.test('without anything asked for: any origin, the usual methods, credentials, for an hour', async (t) => {
  t.strictSame(added([], []), {
    'Access-Control-Allow-Methods': 'OPTIONS, HEAD, GET, POST, PUT, DELETE',
    'Access-Control-Allow-Credentials': 'true',
    'Access-Control-Allow-Origin': '*',
    'Access-Control-Max-Age': '3600',
  });
});

t.test('a preflight is allowed what it asks for', async (t) => {
  const request = [
    ...['origin', 'https://app.example', 'access-control-request-method', 'PATCH'],
    ...['Access-Control-Request-Headers', 'x-a, x-b'],
  ];
  t.match(added(request, []), {
    'Access-Control-Allow-Methods': 'PATCH',
    'Access-Control-Allow-Headers': 'x-a, x-b',
    'Access-Control-Allow-Origin': 'https://app.example',
  });
});

t.test('what the origin says itself stands', async (t) => {
  const answer = [
    ...['access-control-allow-methods', 'GET', 'Access-Control-Allow-Headers', 'x'],
    ...['Access-Control-Expose-Headers', 'x', 'Access-Control-Allow-Credentials', 'false'],
    ...['Access-Control-Allow-Origin', 'https://only.example', 'Access-Control-Max-Age', '1'],
  ];
  t.strictSame(added(['Origin', 'https://app.example'], answer), {});
});

t.test('scripts may read every field but the simple ones, which they may anyway, and the proxies’ own', async (t) => {
  const simple = ['Cache-Control', 'content-language', 'Content-Length', 'Content-Type', 'Expires', 'Last-Modified'];
  const answer = [...simple, 'Pragma', 'Grip-X', 'Access-Control-X', 'X-A', 'Set-Cookie', 'x-a', 'ETag'];
  const fields = answer.flatMap((name) => [name, 'v']);
  t.equal(added([], fields)['Access-Control-Expose-Headers'], 'X-A, Set-Cookie, ETag');
  t.equal(added([], ['Pragma', 'x'])['Access-Control-Expose-Headers'], undefined, 'an empty list is left out');
});

t.test('the answer’s own fields stay as they are', async (t) => {
  const answer = ['X-A', '1', 'x-a', '2', 'B', '3'];
  t.strictSame(corsHeaders([], answer).slice(0, 6), answer);
  t.strictSame(answer, ['X-A', '1', 'x-a', '2', 'B', '3'], 'and its list untouched');
});
