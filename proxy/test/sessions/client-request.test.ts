import t from 'tap';
import type { ClientRequest } from '../../dist/edge/port.js';
import {
  RequestInterner,
  SHARED_LENGTH_MAX,
  SHARED_MAX,
  takeResumeRequest,
} from '../../dist/sessions/client-request.js';

const fields = (...headers: string[]): ClientRequest => ({
  id: 'r1',
  method: 'GET',
  path: '/chat?a=1',
  host: 'chat.test:80',
  version: '1.1',
  headers,
  secure: true,
  clientAddress: '192.0.2.1',
  hops: ['10.0.0.1'],
  body: undefined,
});

t.test('what is kept says what the request said, without its body', (t) => {
  const request = fields('Host', 'chat.test:80', 'X-Two', 'a', 'X-Two', 'b', 'Cookie', 'a=b\xe9', 'Origin', '');
  const body = { length: 1, read() {}, pause() {}, resume() {} };
  t.strictSame(new RequestInterner().keep({ ...request, body }), request);
  t.end();
});

t.test('it is not changed with the list that it came in', (t) => {
  const headers = ['Host', 'chat.test'];
  const kept = new RequestInterner().keep(fields(...headers));
  headers[1] = 'other';
  t.strictSame(kept.headers, ['Host', 'chat.test']);
  t.end();
});

t.test('more kinds of clients than are shared, and longer texts, are kept as they are', (t) => {
  const keeper = new RequestInterner();
  const long = 'x'.repeat(SHARED_LENGTH_MAX + 1);
  for (let i = 0; i < 2 * SHARED_MAX; i++) {
    const headers = [`X-${i}`, `${i}`, 'User-Agent', `agent ${i}`, 'Origin', long];
    if (JSON.stringify(keeper.keep(fields(...headers)).headers) !== JSON.stringify(headers))
      t.fail(`the ${i}th differs`);
  }
  t.strictSame(keeper.keep(fields('User-Agent', 'agent 0')).headers, ['User-Agent', 'agent 0']);
  t.end();
});

t.test('the parameter is taken out of the query, and nothing else', async (t) => {
  for (const [path, expected, token] of [
    ['/?holdfast-resume', '/', ''],
    ['/?holdfast-resume=', '/', ''],
    ['/?holdfast-resume=abc', '/', 'abc'],
    ['/a/b?x=1&holdfast-resume=abc&y=%20+', '/a/b?x=1&y=%20+', 'abc'],
    ['/?holdfast-resume=a&holdfast-resume=b&', '/?', 'b'],
  ] as const) {
    t.strictSame(takeResumeRequest(path), { path: expected, token }, path);
  }
});

t.test('a path without it is left alone', async (t) => {
  for (const path of [
    '/',
    '/?',
    '/?x=holdfast-resume',
    '/?holdfast-resumed=1',
    '/holdfast-resume',
    '/?xholdfast-resume',
  ]) {
    t.equal(takeResumeRequest(path), undefined, path);
  }
});
