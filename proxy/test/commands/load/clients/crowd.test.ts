/** Clients of a load run against small servers: what they send, and when they come again. */
import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import t, { type Test } from 'tap';
import { Crowd, MAX_REASONS, Reasons } from '../../../../dist/commands/load/clients/crowd.js';
import { OwnPorts, portRange } from '../../../../dist/commands/load/clients/own-ports.js';
import { headersOf, type Kind, type Target } from '../../../../dist/commands/load/clients/transport.js';
import { markText } from '../../../../dist/commands/load/mark.js';
import { Tally } from '../../../../dist/commands/load/tally.js';
import { until } from '../../../kit/until.js';

// They wait most of the time.
t.jobs = 5;

const item = (number: number) =>
  markText({ run: 'run-1', first: Date.now() + 60_000, every: 10, last: 99 }, number, 80);

/** Starts a server and clients of it, at once. */
async function startCrowd(t: Test, listener: RequestListener, target: Partial<Target> = {}, clients = 1) {
  const server = createServer(listener);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const url = new URL(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`);
  const usual = { url, kind: 'sse' as Kind, headers: [], send: undefined, own: new OwnPorts([]), timeout: 30_000 };
  const tally = new Tally(clients, 0);
  const crowd = new Crowd({ ...usual, ...target }, { clients, perSecond: 1_000 }, tally);
  t.teardown(() => {
    crowd.end();
    server.closeAllConnections();
    server.close();
  });
  crowd.start();
  return { crowd, tally };
}

t.test('an event stream is asked for as browsers do, by connections of its clients’ own', async (t) => {
  const ports = new Set<number | undefined>();
  const { crowd } = await startCrowd(
    t,
    ({ headers, socket }, response) => {
      ports.add(socket.remotePort);
      const { accept, 'cache-control': cache, connection, cookie } = headers;
      t.match({ accept, cache, connection, cookie }, { accept: 'text/event-stream', cache: 'no-cache', cookie: 'a=b' });
      t.equal(connection, 'keep-alive');
      response.writeHead(200, { 'Content-Type': 'text/event-stream' }).flushHeaders();
    },
    { headers: [['Cookie', 'a=b']] },
    5,
  );
  await until('all are held', () => crowd.open === 5);
  t.equal(ports.size, 5);
  t.equal(crowd.opening.count, 5);
  t.ok(crowd.isRamped);
});

t.test('given fields replace usual ones, whatever their case, and add up', async (t) => {
  const headers = [
    ['accept', 'a'],
    ['X-A', '1'],
    ['x-a', '2'],
  ] as const;
  const target = { headers } as unknown as Target;
  t.same(headersOf(target, { Accept: '*/*', Connection: 'keep-alive' }), {
    Connection: 'keep-alive',
    accept: 'a',
    'X-A': ['1', '2'],
  });
});

t.test('a client that is not wanted does not come again', async (t) => {
  for (const [answer, reason] of [
    [{ status: 404 }, 'status 404'],
    [{ status: 204 }, 'status 204'],
    [{ status: 302 }, 'status 302'],
    [{ status: 200, type: 'text/html' }, 'content type text/html'],
    [{ status: 200, type: 'text/event-stream', coding: 'gzip' }, 'content encoding gzip'],
  ] as const) {
    const {
      status,
      type = 'text/event-stream',
      coding = 'identity',
    } = answer as typeof answer & { type?: string; coding?: string };
    const { crowd } = await startCrowd(t, (_, response) => {
      response.writeHead(status, { 'Content-Type': type, 'Content-Encoding': coding }).flushHeaders();
    });
    await until(reason, () => crowd.refused === 1);
    t.same(crowd.failed.read(), { [reason]: 1 });
    t.equal(crowd.held, 0);
  }
});

t.test('one that is put off comes when the server said', async (t) => {
  let asked = 0;
  const { crowd } = await startCrowd(t, (_, response) => {
    if (asked++ === 0) response.writeHead(503, { 'Retry-After': '0' }).end();
    else response.writeHead(200, { 'Content-Type': 'text/event-stream' }).flushHeaders();
  });
  await until('it is held', () => crowd.open === 1);
  t.same(crowd.failed.read(), { 'status 503': 1 });
  t.equal(crowd.reconnected, 0, 'it was never held before');
});

t.test('a server that does not answer in time', async (t) => {
  const { crowd } = await startCrowd(t, () => {}, { timeout: 20 });
  await until('it is given up', () => crowd.failed.total === 1);
  t.same(crowd.failed.read(), { 'no answer in time': 1 });
  t.ok(crowd.isRamped);
});

t.test('long polls ask again at once over the connection that they have', async (t) => {
  let asked = 0;
  const ports = new Set<number | undefined>();
  const { crowd, tally } = await startCrowd(
    t,
    ({ socket }, response) => {
      ports.add(socket.remotePort);
      asked++;
      if (asked <= 3) response.end(`${item(asked)}\n`);
    },
    { kind: 'poll' },
  );
  await until('three answers', () => asked === 4);
  t.equal(crowd.open, 1);
  t.equal(ports.size, 1);
  t.equal(tally.counts.early + tally.counts.received, 3);
});

t.test('a long poll whose kept connection was closed meanwhile asks once more, and has not failed', async (t) => {
  let asked = 0;
  const { crowd } = await startCrowd(
    t,
    ({ socket }, response) => {
      asked++;
      if (asked === 1) response.end(item(1));
      else if (asked === 2) socket.destroy();
    },
    { kind: 'poll' },
  );
  await until('it asks once more', () => asked === 3);
  t.equal(crowd.failed.total, 0);
  t.equal(crowd.lost.total, 0);
  t.equal(crowd.open, 1);
});

t.test('long polls that are not held are not asked as fast as can be', async (t) => {
  let asked = 0;
  await startCrowd(
    t,
    (_, response) => {
      asked++;
      response.end('nothing new\n');
    },
    { kind: 'poll' },
  );
  await until('the first', () => asked === 1);
  const first = performance.now();
  await delay(150);
  // An answer that took 100 ms counts as held, and on a busy machine one can.
  t.ok(asked <= 1 + (performance.now() - first) / 100, `asked ${asked} times`);
});

t.test('clients come from the given addresses in turns', { skip: process.platform !== 'linux' }, async (t) => {
  const seen: (string | undefined)[] = [];
  const { crowd } = await startCrowd(
    t,
    ({ socket }, response) => {
      seen.push(socket.remoteAddress);
      response.writeHead(200, { 'Content-Type': 'text/event-stream' }).flushHeaders();
    },
    { own: new OwnPorts(['127.0.0.2', '127.0.0.3']) },
    4,
  );
  await until('all are held', () => crowd.open === 4);
  t.same(seen.sort(), ['127.0.0.2', '127.0.0.2', '127.0.0.3', '127.0.0.3']);
});

t.test(
  'an own port that is taken is passed over, and nothing has failed',
  { skip: process.platform !== 'linux' },
  async (t) => {
    const { low = 0 } = portRange() ?? {};
    const taken = createServer();
    await new Promise<void>((resolve) => taken.listen(low + 1, '127.0.0.4', resolve));
    t.teardown(() => taken.close());
    const ports: (number | undefined)[] = [];
    const { crowd } = await startCrowd(
      t,
      ({ socket }, response) => {
        ports.push(socket.remotePort);
        response.writeHead(200, { 'Content-Type': 'text/event-stream' }).flushHeaders();
      },
      { own: new OwnPorts(['127.0.0.4'], () => 0) },
      3,
    );
    await until('all are held', () => crowd.open === 3);
    t.same(ports.sort(), [low, low + 2, low + 3]);
    t.equal(crowd.failed.total, 0);
  },
);

t.test('reasons beyond those that are counted apart are others', async (t) => {
  const reasons = new Reasons();
  for (let number = 0; number < MAX_REASONS + 5; number++) reasons.add(`reason ${number}`);
  reasons.add('reason 0');
  t.equal(Object.keys(reasons.read()).length, MAX_REASONS + 1);
  t.match(reasons.read(), { other: 5, 'reason 0': 2 });
  t.equal(reasons.total, MAX_REASONS + 6);
});
