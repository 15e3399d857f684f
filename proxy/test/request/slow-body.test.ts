/** `request_min_rate`: clients whose bodies are too slow, and those that are only held back. */
import type { IncomingMessage } from 'node:http';
import t, { type Test } from 'tap';
import type { App } from '../kit/app.js';
import { head, type RawClient } from '../kit/clients/raw-client.js';
import { startOrigin, streamHold } from '../kit/origins/origin.js';
import { until } from '../kit/until.js';
import { startRelay } from './fixture.js';

t.setTimeout(120_000);

const SETTINGS = { request_min_rate: 100, request_min_rate_window: 1 };

const TEXT = 'Request body too slow: request_min_rate is 100 bytes per second.\n';

const declared = (path: string, bytes: number) => head('POST', path, [`Content-Length: ${bytes}`]);

/** Sends so many bytes again and again. */
function trickle(t: Test, client: RawClient, piece: string, ms: number): void {
  const timer = setInterval(() => void client.write(piece), ms);
  t.teardown(() => clearInterval(timer));
}

/** How long it took, in ms. */
async function time(act: Promise<unknown>): Promise<number> {
  const since = performance.now();
  await act;
  return performance.now() - since;
}

const refusal = (proxy: App) => proxy.log.lines.find(({ fields }) => fields.code === 'ERR_REQUEST_TOO_SLOW');

for (const edge of ['node', 'uws']) {
  t.test(`edge ${edge}: a slow body is answered 408, its request broken off, and its connection closed`, async (t) => {
    const ends: string[] = [];
    const origin = await startOrigin(t, (request) => void request.once('aborted', () => ends.push('aborted')));
    const proxy = await startRelay(t, [`* ${origin.target}`], { edge, ...SETTINGS });
    // The first is read whole before the origin is asked, the second as the origin takes it.
    for (const [n, length] of [5_000, 500_000].entries()) {
      const client = await proxy.send(declared('/', length));
      trickle(t, client, 'x', 100);
      const ms = await time(client.closed());
      t.ok(ms >= 1_000, `after ${ms} ms`);
      const answer = await client.answer();
      t.strictSame([answer.status, answer.body.toString()], [408, TEXT], `${length} bytes`);
      t.equal(answer.header('connection'), 'close');
      t.match(await proxy.end(n + 1), { status: 408, error: 'ERR_REQUEST_TOO_SLOW' });
    }
    await until('the end of the request to the origin', () => ends.length === 1);
    t.match(refusal(proxy)?.message, /request_min_rate is 100 bytes per second/);
  });

  t.test(`edge ${edge}: a body that keeps the rate may take longer than the window`, async (t) => {
    const origin = await startOrigin(t, (request, response) => void request.once('end', () => response.end('whole')));
    const proxy = await startRelay(t, [`* ${origin.target}`], { edge, ...SETTINGS });
    const client = await proxy.send(declared('/', 900));
    let sent = 0;
    const timer = setInterval(() => {
      if (sent === 900) return;
      sent += 30;
      void client.write('x'.repeat(30));
    }, 100);
    t.teardown(() => clearInterval(timer));
    t.equal((await client.answer()).body.toString(), 'whole');
  });

  t.test(`edge ${edge}: a client that its origin holds back is not slow`, async (t) => {
    let held: IncomingMessage | undefined;
    const origin = await startOrigin(
      t,
      (request, response) => {
        held = request;
        let bytes = 0;
        request.on('data', (data: Buffer) => {
          bytes += data.length;
        });
        request.pause();
        request.once('end', () => response.end(`${bytes}`));
      },
      { keepBodies: false },
    );
    const proxy = await startRelay(t, [`* ${origin.target}`], { edge, ...SETTINGS });
    const much = 16 * 2 ** 20;
    const client = await proxy.send(declared('/', much));
    void client.write(Buffer.alloc(much, 'x'));
    await new Promise((resolve) => setTimeout(resolve, 3_000));
    t.notOk(refusal(proxy));
    held?.resume();
    t.equal((await client.answer()).body.toString(), `${much}`);
  });
}

t.test('a body is judged again in each window, and in chunks too', async (t) => {
  const origin = await startOrigin(t, () => {});
  const proxy = await startRelay(t, [`* ${origin.target}`], SETTINGS);
  const client = await proxy.send(
    `${head('POST', '/', ['Transfer-Encoding: chunked'])}3e8\r\n${'x'.repeat(1_000)}\r\n`,
  );
  trickle(t, client, '1\r\nx\r\n', 100);
  const ms = await time(client.closed());
  t.ok(ms >= 2_000, `what came at once was enough for the first: ${ms} ms`);
  t.equal((await client.answer()).status, 408);
});

t.test('an answer that is under way is cut, and so are holds', async (t) => {
  const origin = await startOrigin(t, (request, response) => {
    if (request.url === '/stream') response.writeHead(200, streamHold('a')).end('open');
    else if (request.url === '/poll') {
      response.writeHead(200, { 'Grip-Hold': 'response', 'Grip-Channel': 'a', 'Grip-Timeout': '50' }).end();
    } else response.writeHead(200, { 'Content-Length': 10 }).write('open');
  });
  const proxy = await startRelay(t, [`* ${origin.target}`], SETTINGS);
  const opened = await Promise.all(['/', '/stream', '/poll'].map((path) => proxy.send(declared(path, 50_000))));
  const [answer, stream, poll] = opened as [RawClient, RawClient, RawClient];
  await Promise.all([answer.closed(), stream.closed(), poll.closed()]);
  t.match(await answer.answer(), { status: 200, whole: false });
  t.match(stream.text, 'open');
  t.notOk(stream.text.includes('0\r\n\r\n'), 'it does not look whole');
  t.equal((await poll.answer()).status, 408);
});

t.test('SockJS: a slow body is answered 408', async (t) => {
  const origin = await startOrigin(t, () => {});
  const proxy = await startRelay(t, [`*,sockjs=/sock ${origin.target}`], SETTINGS);
  const client = await proxy.send(declared('/sock/000/abc/xhr_send', 500));
  t.match(await client.answer(), { status: 408 });
  await client.closed();
  t.match(await proxy.end(1), { status: 408, error: 'ERR_REQUEST_TOO_SLOW' });
});

t.test('0 waits for ever', async (t) => {
  const origin = await startOrigin(t, (request, response) => void request.once('end', () => response.end('whole')));
  const proxy = await startRelay(t, [`* ${origin.target}`], { ...SETTINGS, request_min_rate: 0 });
  const client = await proxy.send(declared('/', 5));
  await new Promise((resolve) => setTimeout(resolve, 2_500));
  void client.write('12345');
  t.equal((await client.answer()).body.toString(), 'whole');
});
