/** Requests of scripts of other origins, as browsers send them: by raw bytes. */
import vm from 'node:vm';
import t, { type Test } from 'tap';
import { connectTo } from '../../kit/clients/raw-client.js';
import { startHoldfast } from '../../kit/holdfast.js';
import { responseHold, streamHold } from '../../kit/origins/origin.js';
import { ScriptedOrigin } from '../../kit/origins/scripted-origin.js';

const origin = await ScriptedOrigin.start(t);
const holdfast = await startHoldfast(t, {
  routes: [
    `*,aco ${origin.target}`,
    `basic,aco,jsonp_mode=basic,jsonp_cb=cb ${origin.target}`,
    `listed,aco,aco_origins=https://app.example|https://*.b.example ${origin.target}`,
  ],
});

/** Sends lines and gives the answer, of a connection that is closed behind it. */
async function ask(t: Test, lines: readonly string[], meanwhile?: () => Promise<unknown>): Promise<string> {
  const wire = await connectTo(t, holdfast.clients);
  wire.send(...lines, 'Connection: close', '');
  await meanwhile?.();
  await wire.closed();
  return wire.text;
}

/** Values of the fields that begin so. */
const fields = (answer: string, prefix: string) =>
  answer
    .split('\r\n\r\n', 1)
    .flatMap((head) => head.split('\r\n'))
    .filter((line) => line.startsWith(prefix));

t.test('a preflight, then the request itself', async (t) => {
  const path = origin.script({ headers: { 'X-Own': '1', Date: 'now' }, body: 'ok' });
  const preflight = await ask(t, [
    `OPTIONS ${path} HTTP/1.1`,
    'Host: a',
    'Origin: https://app.example',
    'Access-Control-Request-Method: PUT',
    'Access-Control-Request-Headers: x-a',
  ]);
  t.strictSame(fields(preflight, 'Access-Control-').sort(), [
    'Access-Control-Allow-Credentials: true',
    'Access-Control-Allow-Headers: x-a',
    'Access-Control-Allow-Methods: PUT',
    'Access-Control-Allow-Origin: https://app.example',
    'Access-Control-Expose-Headers: X-Own, Date',
    'Access-Control-Max-Age: 3600',
  ]);
  const answer = await ask(t, [`GET ${path} HTTP/1.1`, 'Host: a', 'Origin: https://app.example']);
  t.strictSame(fields(answer, 'Access-Control-Allow-Origin'), ['Access-Control-Allow-Origin: https://app.example']);
  t.match(answer, /\r\n\r\nok$/);
  t.strictSame(
    origin.seen(path).map(({ method }) => method),
    ['OPTIONS', 'GET'],
  );
});

t.test('held requests', async (t) => {
  const poll = origin.script({ headers: responseHold('room') });
  const polled = await ask(t, [`GET ${poll} HTTP/1.1`, 'Host: a'], async () => {
    await holdfast.holds('response', 1);
    await holdfast.publish({ channel: 'room', formats: { 'http-response': { body: 'item' } } });
  });
  t.strictSame(fields(polled, 'Access-Control-Allow-Origin'), ['Access-Control-Allow-Origin: *']);
  const stream = origin.script({ headers: streamHold('room') });
  const streamed = await ask(t, [`GET ${stream} HTTP/1.1`, 'Host: a'], async () => {
    await holdfast.holds('stream', 1);
    await holdfast.publish({ channel: 'room', formats: { 'http-stream': { action: 'close' } } });
  });
  t.strictSame(fields(streamed, 'Access-Control-Allow-Origin'), ['Access-Control-Allow-Origin: *']);
});

t.test('JSON-P, extended: a script of known length that calls the function', async (t) => {
  const path = origin.script({ status: 404, headers: { 'X-Own': 'é', 'Content-Type': 'text/plain' }, body: '"no"\n' });
  const answer = await ask(t, [`GET ${path}?callback=cb HTTP/1.1`, 'Host: a', 'Origin: https://app.example']);
  t.equal(origin.seen(`${path}?callback=cb`).length, 0);
  const [head = '', script = ''] = answer.split('\r\n\r\n');
  t.match(head, /^HTTP\/1\.1 200 OK\r\n/);
  t.match(head, /\r\nContent-Type: application\/javascript\r\n/);
  t.match(head, new RegExp(`\r\nContent-Length: ${script.length}(\r\n|$)`));
  t.strictSame(fields(answer, 'Access-Control-'), []);
  const got: { code?: number; body?: string }[] = [];
  vm.runInNewContext(Buffer.from(script, 'latin1').toString(), { cb: (value: object) => void got.push(value) });
  t.match(got, [{ code: 404, body: '"no"\n' }]);
});

t.test('JSON-P, basic, of a hold', async (t) => {
  const path = origin.script({ headers: responseHold('basic') });
  const answer = await ask(t, [`GET ${path}?cb=f&_method=GET HTTP/1.1`, 'Host: basic'], async () => {
    await holdfast.holds('response', 1);
    await holdfast.publish({ channel: 'basic', formats: { 'http-response': { body: '{"a":1}\n' } } });
  });
  t.match(answer, /\r\n\r\n\/\*\*\/f\(\{"a":1\}\);\n$/);
});

t.test('a callback that would be a script of its own is refused', async (t) => {
  const answer = await ask(t, ['GET /x?callback=alert(1)// HTTP/1.1', 'Host: a']);
  t.match(answer, /^HTTP\/1\.1 400 Bad Request\r\n[\s\S]*\r\n\r\nInvalid callback parameter\.\n$/);
});

t.test('no credentials for an origin that any page can have, and Vary for every cache', async (t) => {
  const path = origin.script({ headers: { Vary: 'Accept' }, body: 'ok' });
  for (const site of ['null', 'https://a b', '']) {
    const answer = await ask(t, [`GET ${path} HTTP/1.1`, 'Host: a', `Origin: ${site}`]);
    t.strictSame(fields(answer, 'Access-Control-Allow-Origin'), ['Access-Control-Allow-Origin: *'], site);
    t.strictSame(fields(answer, 'Access-Control-Allow-Credentials'), []);
    t.strictSame(fields(answer, 'Vary'), ['Vary: Accept, Origin']);
  }
});

t.test('a list of origins: others get the answer without permission, and no JSON-P', async (t) => {
  const path = origin.script({ headers: { 'Set-Cookie': 'sid=1' }, body: 'ok' });
  const of = (site: string) => ask(t, [`GET ${path} HTTP/1.1`, 'Host: listed', `Origin: ${site}`]);
  t.strictSame(fields(await of('https://x.b.example'), 'Access-Control-Allow-').length, 3);
  for (const site of ['https://evil.example', 'null', 'https://b.example']) {
    const answer = await of(site);
    t.match(answer, /\r\n\r\nok$/);
    t.strictSame(fields(answer, 'Access-Control-'), [], site);
    t.strictSame(fields(answer, 'Vary'), ['Vary: Origin']);
  }
  const called = await ask(t, [`GET ${path}?callback=f HTTP/1.1`, 'Host: listed', 'Referer: https://evil.example/']);
  t.match(called, /^HTTP\/1\.1 403 /);
  t.strictSame(fields(called, 'Cache-Control'), ['Cache-Control: no-store']);
});

t.test('JSON-P: what a page may not set does not reach the origin, and no cookie the page', async (t) => {
  const path = origin.script({ headers: { 'Set-Cookie': 'sid=1', 'X-Own': '1' }, body: 'ok' });
  const named = {
    Origin: 'https://a',
    'Sec-Fetch-Site': 'none',
    X_Forwarded_For: '1.1.1.1',
    Cookie: 'b=2',
    'X-A': '1',
  };
  const query = `callback=f&_method=PUT&_headers=${encodeURIComponent(JSON.stringify(named))}`;
  const answer = await ask(t, [
    `GET ${path}?${query} HTTP/1.1`,
    'Host: a',
    'Cookie: own=1',
    'Sec-Fetch-Site: cross-site',
  ]);
  const { headers } = origin.seen(path).at(-1) ?? {};
  t.match(headers, { 'x-a': '1', cookie: 'own=1', 'sec-fetch-site': 'cross-site' });
  t.equal(headers?.origin, undefined);
  t.equal(headers?.x_forwarded_for, undefined);
  t.notMatch(answer, /Set-Cookie/i);
  t.strictSame(fields(answer, 'X-Content-Type-Options'), ['X-Content-Type-Options: nosniff']);
  t.match(await ask(t, [`GET ${path}?callback=f&_method=TRACE HTTP/1.1`, 'Host: a']), /^HTTP\/1\.1 400 /);
});

t.test('a check of the proxy is kept by no cache', async (t) => {
  const answer = await ask(t, ['GET / HTTP/1.1', 'Host: a', 'Pushpin-Check: 1']);
  t.match(answer, /^HTTP\/1\.1 200 /);
  t.strictSame(fields(answer, 'Cache-Control'), ['Cache-Control: no-store']);
});

t.test('aco_origins of the configuration, with workers too', async (t) => {
  const path = origin.script({ body: 'ok' });
  for (const workers of [1, 2]) {
    const settings = { auto_cross_origin: true, aco_origins: 'https://app.example,https://*.b.example', workers };
    const { clients } = await startHoldfast(t, { routes: [`* ${origin.target}`], settings });
    for (const [site, allowed] of [
      ['https://x.b.example', ['Access-Control-Allow-Origin: https://x.b.example']],
      ['https://evil.example', []],
    ] as const) {
      const wire = await connectTo(t, clients);
      wire.send(`GET ${path} HTTP/1.1`, 'Host: a', `Origin: ${site}`, 'Connection: close', '');
      await wire.closed();
      t.strictSame(fields(wire.text, 'Access-Control-Allow-Origin'), allowed);
    }
  }
});
