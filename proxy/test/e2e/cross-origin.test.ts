/** Requests of scripts of other origins, as browsers send them: by raw bytes. */
import vm from 'node:vm';
import t, { type Test } from 'tap';
import { startHoldfast } from './holdfast.js';
import { responseHold, streamHold } from './origin.js';
import { ScriptedOrigin } from './scripted-origin.js';
import { connectTo } from './wire.js';

const origin = await ScriptedOrigin.start(t);
const holdfast = await startHoldfast(t, {
  routes: [`*,aco ${origin.target}`, `basic,aco,jsonp_mode=basic,jsonp_cb=cb ${origin.target}`],
});

/** Sends lines and gives the answer, of a connection that is closed behind it. */
async function ask(t: Test, lines: readonly string[], meanwhile?: () => Promise<unknown>): Promise<string> {
  const wire = await connectTo(t, holdfast.clients);
  wire.send(...lines, 'Connection: close', '');
  await meanwhile?.();
  await wire.end();
  return wire.received;
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
  t.match(head, new RegExp(`\r\nContent-Length: ${script.length}\r\n`));
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
