/** What becomes of requests, streams and publishes while a node goes down. */
import { writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import t, { type Test } from 'tap';
import { open } from '../../kit/clients/http-client.js';
import { connectTo } from '../../kit/clients/raw-client.js';
import { type Holdfast, newDirectory, startHoldfast, streamItem } from '../../kit/holdfast.js';
import { startOrigin, streamHold } from '../../kit/origins/origin.js';
import { startRedis } from '../../kit/redis.js';
import { until } from '../../kit/until.js';

/** Longer than a request had once, before it was cut. */
const LONG_MS = 1_800;

interface Options {
  readonly settings?: Readonly<Record<string, string | number>>;
  readonly env?: Readonly<Record<string, string>>;
}

/** A node before an origin that streams, and answers `/slow` when it is told to. */
async function start(t: Test, { settings = {}, env = {} }: Options) {
  const answers: ((text: string) => void)[] = [];
  const origin = await startOrigin(t, (request, response) => {
    if (request.url === '/slow' || request.url === '/gone') answers.push((text) => response.end(text));
    else if (request.url === '/up') {
      let length = 0;
      request.on('data', (text: string) => {
        length += text.length;
      });
      request.on('end', () => response.end(`${length} bytes\n`));
    } else if (request.url === '/down') {
      response.writeHead(200, { 'Content-Length': 20 }).write('0123456789');
      answers.push((text) => response.end(text));
    } else if (request.url === '/begin') {
      response.writeHead(200, streamHold('room')).write('first');
      answers.push((text) => response.end(text));
    } else response.writeHead(200, streamHold('room')).end('opened\n');
  });
  const holdfast = await startHoldfast(t, { routes: [`* ${origin.target}`], settings, env });
  return { origin, answers, holdfast };
}

/** Sends SIGTERM, and waits until the node has noticed. */
async function stop(holdfast: Holdfast): Promise<void> {
  holdfast.child.signal('SIGTERM');
  await holdfast.record('of the stop', ({ msg }) => String(msg).includes('stopping'));
}

/** What the control API says of one item: status, text, and whether the connection is kept. */
function publish(holdfast: Holdfast, content: string): Promise<{ status: number; text: string; connection: string }> {
  return new Promise((resolve, reject) => {
    const call = request(`${holdfast.control}/publish/`, { method: 'POST', agent: false }, (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (part: string) => {
        text += part;
      });
      const { statusCode: status = 0, headers } = response;
      response.on('end', () => resolve({ status, text, connection: headers.connection ?? '' }));
    });
    call.on('error', reject);
    call.end(JSON.stringify({ items: [streamItem('room', content)] }));
  });
}

type Node = Awaited<ReturnType<typeof start>>;

/** The rest of something that was under way when its node was told to stop. */
type Rest = (t: Test) => Promise<void>;

async function startTransfers(t: Test, { holdfast, answers }: Node): Promise<Rest> {
  const before = answers.length;
  const slow = await connectTo(t, holdfast.clients);
  slow.send('GET /slow HTTP/1.1', 'Host: a', '');
  const down = await connectTo(t, holdfast.clients);
  down.send('GET /down HTTP/1.1', 'Host: a', '');
  await down.until('0123456789');
  await until('both at the origin', () => answers.length === before + 2);
  const mine = answers.slice(before);
  const up = await connectTo(t, holdfast.clients);
  up.send('POST /up HTTP/1.1', 'Host: a', 'Content-Length: 20', '', '012345678');
  await delay(100);
  return async () => {
    await delay(LONG_MS);
    up.socket.write('9abcdefgh');
    for (const answer of mine) answer('abcdefghij');
    await slow.until('\r\n\r\nabcdefghij');
    await down.until('0123456789abcdefghij');
    await up.until('20 bytes\n');
    for (const wire of [slow, down, up]) await wire.closed();
  };
}

async function startGone(t: Test, { holdfast, answers }: Node): Promise<Rest> {
  const before = answers.length;
  const gone = await connectTo(t, holdfast.clients);
  gone.send('GET /gone HTTP/1.1', 'Host: a', '');
  await until('the request at the origin', () => answers.length === before + 1);
  return async (t) => {
    gone.socket.resetAndDestroy();
    const line = await holdfast.record('of its request', ({ url }) => String(url).endsWith('/gone'));
    t.match(line, { error: 'ERR_REQUEST_CLIENT_GONE' });
  };
}

for (const edge of ['node', 'uws']) {
  t.test(`${edge}: what is under way when a node is told to stop`, async (t) => {
    const node = await start(t, { settings: { edge } });
    const gone = await startGone(t, node);
    const transfers = await startTransfers(t, node);
    await stop(node.holdfast);
    // The node waits for nothing but the transfers in the end.
    await t.test('a client that goes meanwhile is told as gone', gone);
    await t.test('requests, uploads and downloads go on to their end', transfers);
    t.match(await node.holdfast.child.exited, { code: 0, signal: null });
    const records = node.holdfast.records();
    t.strictSame(
      records
        .filter(({ status, url }) => status === 200 && /\/(slow|up|down)$/.test(String(url)))
        .map(({ error }) => error),
      [undefined, undefined, undefined],
    );
  });

  t.test(`${edge}: a stream whose first body is still on its way gets all of it`, async (t) => {
    const { holdfast, answers } = await start(t, { settings: { edge } });
    const stream = await connectTo(t, holdfast.clients);
    stream.send('GET /begin HTTP/1.1', 'Host: a', '');
    await stream.until('first');
    await stop(holdfast);
    await delay(200);
    answers.at(-1)?.('and last');
    await stream.closed();
    const [, body = ''] = stream.text.split('\r\n\r\n', 2);
    t.match(body, /^5\r\nfirst\r\n8\r\nand last\r\n0/);
    t.match(await holdfast.child.exited, { code: 0, signal: null });
    t.match(
      holdfast.records().find(({ kind }) => kind === 'stream'),
      { reason: 'shutdown' },
    );
  });

  t.test(`${edge}: streams end whole, to slow clients too`, async (t) => {
    const { holdfast } = await start(t, { settings: { edge, client_queue_size: '16MiB' } });
    const quick = await Promise.all(Array.from({ length: 20 }, () => open(t, `${holdfast.clients}/stream`)));
    const slow = await open(t, `${holdfast.clients}/stream`);
    await slow.until('opened\n');
    for (const stream of quick) await stream.until('opened\n');
    slow.stall();
    const item = `${'x'.repeat(40_000)}\n`;
    // More than the buffers of the connection hold, less than may wait.
    for (let i = 0; i < 15; i++) await holdfast.publish(...Array.from({ length: 10 }, () => streamItem('room', item)));
    for (const stream of quick) await until('all', () => stream.text.length === 7 + 150 * item.length);
    await stop(holdfast);
    for (const stream of quick) t.equal(await stream.end(), 'complete');
    await delay(LONG_MS);
    slow.resume();
    t.equal(await slow.end(), 'complete');
    t.equal(slow.text.length, 7 + 150 * item.length);
    t.match(await holdfast.child.exited, { code: 0, signal: null });
  });
}

// Each edge, alone in its process or beside another: workers are the same to both.
for (const [edge, workers] of [
  ['node', 1],
  ['uws', 2],
] as const) {
  t.test(`${edge}, ${workers} workers: what is cut when the time is over is told as the node’s doing`, async (t) => {
    const { holdfast, answers } = await start(t, { settings: { edge, workers, shutdown_requests: '500ms' } });
    const slow = await connectTo(t, holdfast.clients);
    slow.send('GET /slow HTTP/1.1', 'Host: a', '');
    const down = await connectTo(t, holdfast.clients);
    down.send('GET /down HTTP/1.1', 'Host: a', '');
    await down.until('0123456789');
    await until('both at the origin', () => answers.length === 2);
    const since = performance.now();
    await stop(holdfast);
    await slow.closed();
    await down.closed();
    t.ok(performance.now() - since >= 450, 'not before');
    t.match(await holdfast.child.exited, { code: 0, signal: null });
    const ends = holdfast.records().filter(({ error }) => error !== undefined);
    t.strictSame(
      ends.map(({ error }) => error),
      ['ERR_REQUEST_SHUTDOWN', 'ERR_REQUEST_SHUTDOWN'],
    );
  });

  t.test(`${edge}, ${workers} workers: what is acknowledged has reached the client`, async (t) => {
    const { holdfast, answers } = await start(t, { settings: { edge, workers } });
    const stream = await open(t, `${holdfast.clients}/stream`);
    await stream.until('opened\n');
    const slow = await connectTo(t, holdfast.clients);
    slow.send('GET /slow HTTP/1.1', 'Host: a', '');
    await until('the request at the origin', () => answers.length === 1);
    // Waits for the one before it, which never comes.
    const [first, third] = [streamItem('room', 'first\n'), streamItem('room', 'third\n')];
    await holdfast.publish({ ...first, id: '1' }, { ...third, id: '3', 'prev-id': '2' });
    await stream.until('first\n');
    t.notMatch(stream.text, 'third');
    const acknowledged: string[] = ['third\n'];
    const refused: Awaited<ReturnType<typeof publish>>[] = [];
    const flood = async (from: number) => {
      for (let i = from; refused.length < 20; i += 10) {
        const result = await publish(holdfast, `item ${i}\n`);
        if (result.status === 200) acknowledged.push(`item ${i}\n`);
        else refused.push(result);
      }
    };
    const flooding = Promise.all(Array.from({ length: 10 }, (_, i) => flood(i)));
    await until('some items', () => acknowledged.length > 50);
    holdfast.child.signal('SIGTERM');
    await flooding;
    t.match(refused[0], { status: 503, text: /^This node is stopping, .*\n$/, connection: 'close' });
    t.equal((await fetch(`${holdfast.url('admin')}/readyz`)).status, 503, 'not ready');
    t.equal(await stream.end(), 'complete');
    const lost = acknowledged.filter((item) => !stream.text.includes(`\n${item}`));
    t.strictSame(lost, [], `of ${acknowledged.length}`);
    answers[0]?.('');
    t.match(await holdfast.child.exited, { code: 0, signal: null });
  });
}

t.test('with Redis others get what is published to a node that goes down', async (t) => {
  const redis = await startRedis(t);
  const settings = { redis_url: redis.url };
  const going = await start(t, { settings: { ...settings, edge: 'node' } });
  const staying = await start(t, { settings: { ...settings, edge: 'uws' } });
  const stream = await open(t, `${staying.holdfast.clients}/stream`);
  await stream.until('opened\n');
  const slow = await connectTo(t, going.holdfast.clients);
  slow.send('GET /slow HTTP/1.1', 'Host: a', '');
  await until('the request at the origin', () => going.answers.length === 1);
  await stop(going.holdfast);
  t.match(await publish(going.holdfast, 'late\n'), { status: 200 });
  t.equal((await fetch(`${going.holdfast.url('admin')}/readyz`)).status, 503, 'not ready');
  await stream.until('late\n');
  going.answers[0]?.('');
  t.match(await going.holdfast.child.exited, { code: 0, signal: null });
});

t.test('a wall clock that is set back meanwhile does not put off the end', async (t) => {
  const directory = newDirectory(t);
  const preload = join(directory, 'set-back.mjs');
  const text = "const real = Date.now; process.on('SIGTERM', () => { Date.now = () => real() - 3_600_000; });\n";
  writeFileSync(preload, text);
  const settings = { edge: 'uws', shutdown_requests: '500ms' };
  const { holdfast, answers } = await start(t, { settings, env: { NODE_OPTIONS: `--import ${preload}` } });
  const slow = await connectTo(t, holdfast.clients);
  slow.send('GET /slow HTTP/1.1', 'Host: a', '');
  await until('the request at the origin', () => answers.length === 1);
  const stopped = holdfast.child.exited.then(() => true);
  holdfast.child.signal('SIGTERM');
  t.ok(await Promise.race([stopped, delay(10_000, false)]));
  const end = holdfast.records().find(({ url }) => String(url).endsWith('/slow'));
  t.match(end, { error: 'ERR_REQUEST_SHUTDOWN' });
  t.ok((end?.duration as number) >= 0, 'durations do not go back');
});
