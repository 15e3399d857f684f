/** `/drain` of the control API, on both edges and with workers: clients go, the process stays; and what signals mean to it. */
import { readFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import t, { type Test } from 'tap';
import { type Answer, ask, open } from '../../kit/clients/http-client.js';
import { openWs, wsUrl } from '../../kit/clients/ws-client.js';
import { startEcho } from '../../kit/echo-fixture.js';
import { type Holdfast, startHoldfast, streamItem } from '../../kit/holdfast.js';
import { responseHold, startOrigin, streamHold } from '../../kit/origins/origin.js';
import { until } from '../../kit/until.js';

type Settings = Readonly<Record<string, string | number | boolean>>;

async function start(t: Test, settings: Settings): Promise<Holdfast> {
  const origin = await startOrigin(t, (request, response) => {
    if (request.url === '/stream') response.writeHead(200, streamHold('room')).end('opened\n');
    else if (request.url === '/poll') response.writeHead(200, responseHold('poll')).end('nothing new\n');
    else response.end('quick\n');
  });
  const echo = await startEcho(t, 'over-http');
  const routes = [`*,proto=ws ${echo.target},over_http`, `* ${origin.target}`];
  return startHoldfast(t, { routes, settings });
}

/** What the control API answers. */
async function drain(holdfast: Holdfast, method: string): Promise<{ status: number; state: string; holds: number }> {
  const response = await fetch(`${holdfast.control}/drain`, { method });
  return { ...((await response.json()) as { state: string; holds: number }), status: response.status };
}

async function openStream(t: Test, holdfast: Holdfast): Promise<Answer> {
  const stream = await open(t, `${holdfast.clients}/stream`);
  await stream.until('opened\n');
  return stream;
}

const readyz = async (t: Test, holdfast: Holdfast) => (await ask(t, `${holdfast.url('admin')}/readyz`)).status;

/** The processes of the workers. */
function pidsOf(holdfast: Holdfast): number[] {
  const path = `/proc/${holdfast.child.pid}/task/${holdfast.child.pid}/children`;
  return readFileSync(path, 'utf8').trim().split(' ').filter(Boolean).map(Number);
}

for (const [edge, workers] of [
  ['node', 1],
  ['uws', 2],
] as const) {
  t.test(
    `${edge}, workers ${workers}: all that is held ends, what comes later too, until it is taken back`,
    async (t) => {
      const holdfast = await start(t, { edge, workers, shutdown_window: '1s' });
      const before = await Promise.all(Array.from({ length: 8 }, () => openStream(t, holdfast)));
      const socket = await openWs(t, wsUrl(holdfast.clients));
      const poll = ask(t, `${holdfast.clients}/poll`);
      await holdfast.holds('response', 1);
      t.match(await drain(holdfast, 'GET'), { status: 200, state: 'serving' });

      t.match(await drain(holdfast, 'POST'), { status: 200, state: 'draining' });
      t.equal(await readyz(t, holdfast), 503);
      t.equal(await holdfast.metric('holdfast_draining'), 1);
      t.match(await drain(holdfast, 'POST'), { status: 200, state: /^drain/ });
      for (const stream of before) t.equal(await stream.end(), 'complete');
      t.match(await socket.end(), { code: 1012 });
      t.match(await poll, { status: 200, text: 'nothing new\n' });
      await until('the drain to be over', async () => (await drain(holdfast, 'GET')).state === 'drained');
      await until('nothing to be left', async () => (await drain(holdfast, 'GET')).holds === 0);
      t.match(await ask(t, `${holdfast.clients}/quick`), { status: 200, headers: { connection: 'close' } });
      const late = await openStream(t, holdfast);
      t.equal(await late.end(), 'complete', 'what comes later is served, and ends soon');
      const text = holdfast.records().filter(({ msg }) => /^(draining|drained)/.test(String(msg)));
      t.match(text, [{ holds: workers === 1 ? 10 : Number }, {}], 'once');

      t.match(await drain(holdfast, 'DELETE'), { status: 200, state: 'serving' });
      t.equal(await readyz(t, holdfast), 200);
      t.equal(await holdfast.metric('holdfast_draining'), 0);
      const stream = await openStream(t, holdfast);
      const agent = await ask(t, `${holdfast.clients}/quick`, { headers: { Connection: 'keep-alive' } });
      t.not(agent.headers.connection, 'close');
      // Longer than a round of a drained node.
      await delay(1_200);
      await holdfast.publish(streamItem('room', 'news\n'));
      await stream.until('news\n');
      holdfast.child.signal('SIGTERM');
      t.equal(await stream.end(), 'complete');
      t.match(await holdfast.child.exited, { code: 0, signal: null });
    },
  );
}

/** Kills a worker, and waits until another serves in its place. */
async function replaceWorker(holdfast: Holdfast): Promise<void> {
  const served = () => holdfast.records().filter(({ msg }) => msg === 'worker serves clients').length;
  const count = served();
  process.kill(pidsOf(holdfast)[0] as number, 'SIGKILL');
  await until('the next worker', () => served() > count);
}

t.test('a worker that dies is replaced by one that drains as the others do', async (t) => {
  const holdfast = await start(t, { workers: 2, shutdown_delay: '8s', shutdown_window: '1s' });
  const endsStreams = async (t: Test) => {
    const streams = await Promise.all(Array.from({ length: 6 }, () => openStream(t, holdfast)));
    for (const stream of streams) t.equal(await stream.end(), 'complete');
  };

  await t.test('in a drain', async (t) => {
    t.match(await drain(holdfast, 'POST'), { status: 200 });
    await replaceWorker(holdfast);
    for (let i = 0; i < 4; i++)
      t.match(await ask(t, `${holdfast.clients}/quick`), { status: 200, headers: { connection: 'close' } });
    await endsStreams(t);
    t.match(await drain(holdfast, 'DELETE'), { status: 200, state: 'serving' });
    t.equal((await openStream(t, holdfast)).status, 200);
  });

  await t.test('while the node goes down', async (t) => {
    const drains = () => holdfast.records().filter(({ msg }) => String(msg).startsWith('draining')).length;
    const before = drains();
    holdfast.child.signal('SIGTERM');
    await until('the drain', () => drains() > before);
    await replaceWorker(holdfast);
    await endsStreams(t);
    t.match(await holdfast.child.exited, { code: 0, signal: null });
  });
});

t.test('SIGTERM goes on with a drain that has begun, and does not wait for one that is over', async (t) => {
  const holdfast = await start(t, { shutdown_delay: '1s' });
  const stream = await openStream(t, holdfast);
  await drain(holdfast, 'POST');
  t.equal(await stream.end(), 'complete');
  await until('the drain to be over', async () => (await drain(holdfast, 'GET')).state === 'drained');
  const since = performance.now();
  holdfast.child.signal('SIGTERM');
  t.match(await holdfast.child.exited, { code: 0, signal: null });
  t.ok(performance.now() - since < 10_000);
  t.equal(holdfast.records().filter(({ msg }) => String(msg).startsWith('draining')).length, 1);
});

t.test('a drain that has become the end of the node is not taken back', async (t) => {
  const holdfast = await start(t, { shutdown_delay: '5m' });
  await drain(holdfast, 'POST');
  holdfast.child.signal('SIGTERM');
  await holdfast.record('of the stop', ({ msg }) => msg === 'SIGTERM: stopping');
  t.match(await drain(holdfast, 'GET'), { state: 'stopping' });
  t.match(await drain(holdfast, 'DELETE'), { status: 409, code: 'ERR_CONTROL_DRAIN', state: 'stopping' });
  holdfast.child.signal('SIGTERM');
  t.match(await holdfast.child.exited, { code: 1 });
});

for (const workers of [1, 2]) {
  t.test(`workers ${workers}: SIGINT waits for neither delay nor window, and what is held ends as ever`, async (t) => {
    const holdfast = await start(t, { workers, shutdown_delay: '5m', shutdown_window: '5m' });
    const stream = await openStream(t, holdfast);
    const poll = ask(t, `${holdfast.clients}/poll`);
    await holdfast.holds('response', 1);
    holdfast.child.signal('SIGINT');
    t.equal(await stream.end(), 'complete');
    t.match(await poll, { status: 200, text: 'nothing new\n' });
    t.match(await holdfast.child.exited, { code: 0, signal: null });
  });
}
