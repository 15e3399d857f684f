/** Clients served by several processes: they see one node, and lose nothing but their own connection when one dies. */
import { existsSync, readFileSync, renameSync, statSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { createServer } from 'node:net';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { type Answer, ask, open } from '../../kit/clients/http-client.js';
import { openWs, type WsClient, wsUrl } from '../../kit/clients/ws-client.js';
import { startEcho } from '../../kit/echo-fixture.js';
import {
  type Holdfast,
  type HoldfastOptions,
  newDirectory,
  responseItem,
  runHoldfast,
  startHoldfast,
  streamItem,
} from '../../kit/holdfast.js';
import { responseHold, startOrigin, streamHold } from '../../kit/origins/origin.js';
import { until } from '../../kit/until.js';

/** Of most nodes here: each process more is the time of one more start. */
const WORKERS = 2;

/** Holds on the channel of the path's second part, as its first part says; answers all else. */
function startHoldingOrigin(t: Test, answer: string) {
  return startOrigin(t, (request, response) => {
    const [, kind, channel = ''] = (request.url ?? '').split('/');
    if (kind === 'stream') response.writeHead(200, streamHold(channel)).end('[open]\n');
    else if (kind === 'poll') response.writeHead(200, responseHold(channel)).end('nothing new\n');
    else if (kind === 'sse') {
      response.writeHead(200, { ...streamHold(channel), 'Content-Type': 'text/event-stream' }).end('data: open\n\n');
    } else response.end(answer);
  });
}

async function start(t: Test, options: HoldfastOptions = {}): Promise<Holdfast> {
  const origin = await startHoldingOrigin(t, 'plain\n');
  const echo = await startEcho(t, 'over-http');
  const direct = await startEcho(t, 'direct');
  return startHoldfast(t, {
    routes: [
      `*,path_beg=/sock,sockjs=/sock ${direct.target}`,
      `*,proto=ws,path_beg=/ws ${echo.target},over_http`,
      `* ${origin.target}`,
    ],
    ...options,
    settings: { workers: WORKERS, ...options.settings },
  });
}

/** The node of the tests that leave it as it is, each on channels of its own. */
const SHARED_WORKERS = 3;
const shared = await start(t, { settings: { workers: SHARED_WORKERS } });

/** For tests that count what is held on the shared node: the clients of others have gone. */
async function untilFree(): Promise<void> {
  for (const kind of ['stream', 'response', 'ws'] as const) await shared.holds(kind, 0);
}

/** What the log has of a request by a unix socket. */
const SOCKET_URL = 'http://site/';

/** Asks by a unix socket; resolves with the status. */
function askSocket(t: Test, socketPath: string): Promise<number | undefined> {
  return new Promise((resolve, reject) => {
    const asking = request({ socketPath, path: '/', agent: false, headers: { host: 'site' } }, (response) => {
      response.resume();
      resolve(response.statusCode);
    });
    asking.on('error', reject);
    asking.end();
    t.teardown(() => asking.destroy());
  });
}

/** The processes of the workers. */
function pidsOf(holdfast: Holdfast): number[] {
  const path = `/proc/${holdfast.child.pid}/task/${holdfast.child.pid}/children`;
  return readFileSync(path, 'utf8').trim().split(' ').filter(Boolean).map(Number);
}

const isGone = (pid: number) => !existsSync(`/proc/${pid}`);

/** Opens streams on a channel, each on a connection of its own. */
async function openStreams(t: Test, holdfast: Holdfast, count: number, channel = 'room'): Promise<Answer[]> {
  const streams: Answer[] = [];
  // One after the other: in a burst the first worker that is free takes the next connection, whoever's turn it is.
  for (let i = 0; i < count; i++) {
    const stream = await open(t, `${holdfast.clients}/stream/${channel}`);
    await stream.until('[open]\n');
    streams.push(stream);
  }
  return streams;
}

/** Publishes numbered items; resolves with the text that a stream should have got. */
async function publishNumbers(holdfast: Holdfast, count: number, channel = 'room'): Promise<string> {
  const lines = Array.from({ length: count }, (_, i) => `${i}\n`);
  for (const line of lines) await holdfast.publish({ ...streamItem(channel, line), id: line.trim() });
  return lines.join('');
}

t.test('holds are spread over the workers; items reach each exactly once and in order', async (t) => {
  await untilFree();
  t.equal((shared.child.stdout.match(/\(clients\)/g) ?? []).length, 1, 'the listener is announced once');
  const streams = await openStreams(t, shared, 30, 'spread');
  await shared.holds('stream', 30);
  t.equal(await shared.metric('holdfast_workers'), SHARED_WORKERS);
  const expected = `[open]\n${await publishNumbers(shared, 100, 'spread')}`;
  await Promise.all(streams.map((stream) => stream.until('\n99\n')));
  for (const stream of streams) t.equal(stream.text, expected);
  // Each worker writes its lines by itself: they come when they come.
  const lines = await until('the lines of 30 streams', () => {
    const found = shared.records().filter(({ url }) => String(url).endsWith('/stream/spread'));
    return found.length >= 30 && found;
  });
  const workers = new Map<unknown, number>();
  for (const { worker } of lines) workers.set(worker, (workers.get(worker) ?? 0) + 1);
  t.equal(workers.size, SHARED_WORKERS);
  for (const [worker, holds] of workers) t.ok(holds >= 3 && holds <= 20, `worker ${worker} has ${holds} of 30 holds`);
  t.equal(new Set(lines.map(({ id }) => id)).size, 30, 'request ids are unique');
});

t.test('an item published as soon as a client is answered reaches it, whichever worker it is on', async (t) => {
  const once = async (channel: string) => {
    const stream = await open(t, `${shared.clients}/stream/${channel}`);
    await stream.until('[open]\n');
    await shared.publish(streamItem(channel, 'at once\n'));
    await stream.until('at once\n');
    stream.drop();
  };
  for (let round = 0; round < 10; round++) {
    await Promise.all(Array.from({ length: 20 }, (_, i) => once(`at-once-${round}-${i}`)));
  }
  for (let i = 0; i < 10; i++) {
    const socket = await openWs(t, wsUrl(shared.clients, '/ws'));
    socket.send(`!subscribe ws-${i}`);
    await socket.ping('subscribed');
    await shared.publish({ channel: `ws-${i}`, formats: { 'ws-message': { content: 'at once' } } });
    t.equal(await socket.text(), 'at once');
    socket.vanish();
  }
});

t.test('SSE, long polls and WebSockets are served by whichever worker has them', async (t) => {
  await untilFree();
  const sse = await Promise.all(Array.from({ length: 4 }, () => open(t, `${shared.clients}/sse/kinds`)));
  for (const stream of sse) await stream.until('data: open\n\n');
  const polls = Array.from({ length: 4 }, () => ask(t, `${shared.clients}/poll/kinds`));
  const sockets: WsClient[] = [];
  for (let i = 0; i < 4; i++) {
    const socket = await openWs(t, wsUrl(shared.clients, '/ws'));
    socket.send('!subscribe kinds');
    await socket.ping('subscribed');
    sockets.push(socket);
  }
  await shared.holds('response', 4);
  await shared.holds('stream', 4);
  const [receipt] = await shared.publish({
    channel: 'kinds',
    formats: {
      'http-stream': { content: 'data: news\n\n' },
      'http-response': { body: 'news\n' },
      'ws-message': { content: 'news' },
    },
  });
  t.match(receipt, { channel: 'kinds', nodes: 1, subscribers: undefined });
  for (const stream of sse) await stream.until('data: news\n\n');
  for (const poll of await Promise.all(polls)) t.equal(poll.text, 'news\n');
  for (const socket of sockets) t.equal(await socket.text(), 'news');
});

t.test('a route with sockjs is warned of: WebSockets are served, sessions over HTTP are not', async (t) => {
  await shared.record('of sockjs', ({ msg }) => String(msg).startsWith('sockjs: with workers'));
  for (const transport of ['xhr', 'xhr_streaming']) {
    const answer = await ask(t, `${shared.clients}/sock/000/session/${transport}`, { method: 'POST' });
    t.match(answer, { status: 503, text: 'Only WebSocket is served here\n' });
  }
  const client = await openWs(t, wsUrl(shared.clients, '/sock/000/session/websocket'));
  t.equal(await client.text(), 'o');
  client.send('["hello"]');
  t.equal(await client.text(), 'a["hello"]');
});

t.test('kill -9 of a worker', async (t) => {
  const directory = newDirectory(t);
  const path = join(directory, 'clients');
  const holdfast = await start(t, { directory, settings: { local_ports: `${path}?mode=600` } });
  const before = pidsOf(holdfast);
  const counted = () => holdfast.metric('holdfast_requests_total{status="2xx"}');
  for (let i = 0; i < 30; i++) await ask(t, `${holdfast.clients}/`);
  await until('all requests counted', async () => (await counted()) === 30);
  const streams = await openStreams(t, holdfast, 30);
  await holdfast.publish(streamItem('other', 'x\n'));
  const publishedBefore = await holdfast.metric('holdfast_items_published_total');
  const atLeast = await counted();
  const [victim] = before as [number];
  process.kill(victim, 'SIGKILL');

  await t.test('it costs its own connections only, and is replaced', async (t) => {
    t.equal(before.length, WORKERS);
    let broken = 0;
    const survivors = new Set(streams);
    for (const stream of streams) {
      void stream.end().then(() => {
        broken++;
        survivors.delete(stream);
      });
    }
    const expected = `[open]\n${await publishNumbers(holdfast, 50)}`;
    const holds = () => holdfast.metric('holdfast_holds{kind="stream"}');
    await until('the end of the connections of one worker', async () => broken > 0 && (await holds()) === 30 - broken);
    await Promise.all([...survivors].map((stream) => stream.until('\n49\n')));
    t.ok(survivors.size >= 5 && survivors.size <= 27, `${survivors.size} of 30 connections survive`);
    for (const stream of survivors) t.equal(stream.text, expected);
    t.match(await holdfast.record('of the end', ({ signal }) => signal === 'SIGKILL'), {
      pid: victim,
      part: 'workers',
    });
    await holdfast.record('of the next', ({ msg }) => msg === 'worker serves clients');
    t.equal(pidsOf(holdfast).length, WORKERS);
    t.equal(await holdfast.metric('holdfast_workers_ended_total{cause="SIGKILL"}'), 1);
    const others = await openStreams(t, holdfast, 3);
    await holdfast.publish(streamItem('room', 'again\n'));
    for (const stream of [...others, ...survivors]) await stream.until('again\n');
  });

  await t.test('metrics are those of all processes, and counters do not fall when a worker dies', async (t) => {
    t.equal(publishedBefore, 1);
    await holdfast.record('of the next', ({ msg }) => msg === 'worker serves clients');
    t.ok((await counted()) >= atLeast);
  });

  await t.test('a unix socket is shared by the workers, also by those that come later', async (t) => {
    await holdfast.record('of the next', ({ msg }) => msg === 'worker serves clients');
    t.match(holdfast.child.stdout, `listening on unix:${path} (clients)`);
    t.equal(statSync(path).mode & 0o777, 0o600);
    const answered = new Set<unknown>();
    await until('answers of all workers', async () => {
      t.equal(await askSocket(t, path), 200);
      for (const { worker, status, url } of holdfast.records())
        if (status === 200 && url === SOCKET_URL) answered.add(worker);
      return answered.size === WORKERS;
    });
  });

  await t.test('workers do not outlive a primary that is killed', async (t) => {
    const workers = pidsOf(holdfast);
    t.equal(workers.length, WORKERS);
    holdfast.child.signal('SIGKILL');
    await holdfast.child.exited;
    await until('the end of the workers', () => workers.every(isGone));
  });
});

t.test('a worker that does not read what it is sent is killed and replaced', async (t) => {
  const holdfast = await start(t, { settings: { push_in_http_max_body_size: 10_000_000 } });
  const streams = await openStreams(t, holdfast, 4);
  const [victim] = pidsOf(holdfast) as [number];
  process.kill(victim, 'SIGSTOP');
  const big = 'x'.repeat(4_000_000);
  let published = 0;
  await until('the kill', async () => {
    // The streams have no use for what is for long polls; their worker is sent it all the same.
    if (published++ < 30) await holdfast.publish(responseItem('room', big));
    return holdfast.records().some(({ msg }) => msg === 'worker does not read what it is sent: killed');
  });
  await until('its end', () => isGone(victim));
  await holdfast.record('of the next', ({ msg }) => msg === 'worker serves clients');
  for (const stream of streams) stream.drop();
});

t.test('signals', async (t) => {
  const directory = newDirectory(t);
  const [old, renewed] = await Promise.all(['old', 'new'].map((name) => startHoldingOrigin(t, `${name}\n`)));
  const file = join(directory, 'routes');
  const log = join(directory, 'log');
  writeFileSync(file, `* ${old?.target}\n`);
  const settings = { workers: WORKERS, routesfile: 'routes', logfile: log };
  const holdfast = await startHoldfast(t, { directory, settings });

  await t.test('SIGHUP reloads the routes and opens the log anew in all workers', async (t) => {
    const answers = () =>
      Promise.all(Array.from({ length: 6 }, async () => (await ask(t, `${holdfast.clients}/`)).text));
    t.strictSame(new Set(await answers()), new Set(['old\n']));
    renameSync(log, `${log}.1`);
    writeFileSync(file, `* ${renewed?.target}\n`);
    holdfast.child.signal('SIGHUP');
    await until('new routes everywhere', async () => (await answers()).every((text) => text === 'new\n'));
    const lines = () =>
      readFileSync(log, 'utf8')
        .trim()
        .split('\n')
        .filter((line) => line.startsWith('{'));
    const writers = () => new Set(lines().map((line) => (JSON.parse(line) as { worker?: number }).worker));
    await until('lines of all workers in the new file', async () => {
      await answers();
      return existsSync(log) && Array.from({ length: WORKERS }, (_, i) => i + 1).every((n) => writers().has(n));
    });
  });

  await t.test('SIGTERM drains all workers: streams end cleanly, polls get their own answer, exit 0', async (t) => {
    const streams = await openStreams(t, holdfast, 6);
    const polls = Array.from({ length: 6 }, () => ask(t, `${holdfast.clients}/poll/room`));
    await holdfast.holds('response', 6);
    const workers = pidsOf(holdfast);
    // As a service manager or a terminal does: to all of them.
    for (const pid of workers) process.kill(pid, 'SIGTERM');
    t.match(await ask(t, `${holdfast.clients}/`), { status: 200 }, 'workers wait for their primary');
    holdfast.child.signal('SIGTERM');
    for (const poll of await Promise.all(polls)) t.equal(poll.text, 'nothing new\n');
    for (const stream of streams) t.equal(await stream.end(), 'complete');
    t.match(await holdfast.child.exited, { code: 0, signal: null });
    t.ok(workers.every(isGone));
  });
});

t.test('a port in use stops the node, with one line', async (t) => {
  const taken = createServer();
  await new Promise<void>((resolve) => taken.listen(0, '127.0.0.1', resolve));
  t.teardown(() => taken.close());
  const { port } = taken.address() as { port: number };
  const directory = newDirectory(t);
  const args = ['--route', '* test', '--workers', '2', '--port', `127.0.0.1:${port}`, '--control-port', '0'];
  const child = runHoldfast(t, { directory, args });
  t.match(await child.exited, { code: 1 });
  t.equal(child.stderr, `holdfast: cannot listen on 127.0.0.1:${port}: it is in use\n`);
});

t.test('--workers auto is one for each core', async (t) => {
  const holdfast = await start(t, { args: ['--workers', 'auto'] });
  const cores = availableParallelism();
  t.equal(pidsOf(holdfast).length, cores === 1 ? 0 : cores);
  t.match(await ask(t, `${holdfast.clients}/`), { status: 200 });
});

t.test(
  'each worker takes its part of client_maxconn; over it connections are closed, and the node goes on',
  async (t) => {
    const holdfast = await start(t, { settings: { workers: 2, client_maxconn: 8 } });
    const streams: Answer[] = [];
    for (let i = 0; i < 12; i++) {
      await open(t, `${holdfast.clients}/stream/room`).then(
        (stream) => streams.push(stream),
        () => {},
      );
    }
    t.ok(streams.length >= 4 && streams.length <= 8, `${streams.length} of 12 connections were taken`);
    t.equal(await holdfast.metric('holdfast_connections_refused_total'), 12 - streams.length);
    for (const stream of streams) stream.drop();
    await holdfast.holds('stream', 0);
    t.match(await ask(t, `${holdfast.clients}/`), { status: 200 });
  },
);

t.test('the uws edge: workers share one port, and replace each other', async (t) => {
  const holdfast = await start(t, { settings: { edge: 'uws' } });
  t.equal(pidsOf(holdfast).length, WORKERS);
  const streams = await openStreams(t, holdfast, 20);
  await holdfast.publish(streamItem('room', 'one\n'));
  await Promise.all(streams.map((stream) => stream.until('one\n')));
  process.kill(pidsOf(holdfast)[0] as number, 'SIGKILL');
  await holdfast.record('of the next', ({ msg }) => msg === 'worker serves clients');
  const later = await openStreams(t, holdfast, 10);
  await holdfast.publish(streamItem('room', 'two\n'));
  await Promise.all(later.map((stream) => stream.until('two\n')));
  for (const stream of later) t.equal(stream.text, '[open]\ntwo\n');
});

t.test('the uws edge: a unix socket cannot be shared, which is said at the start', async (t) => {
  const directory = newDirectory(t);
  const args = ['--route', '* test', '--workers', '2', '--edge', 'uws', '--port', '127.0.0.1:0', '--control-port', '0'];
  const child = runHoldfast(t, { directory, args: [...args, '--local-ports', join(directory, 'clients')] });
  t.match(await child.exited, { code: 1 });
  t.equal(child.stderr, 'holdfast: edge uws: workers cannot share local_ports; use edge: node, or workers: 1\n');
});
