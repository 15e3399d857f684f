import { setImmediate as turn } from 'node:timers/promises';
import type { Test } from 'tap';
import t from 'tap';
import { Client, type Dispatcher } from 'undici';
import {
  ORIGIN_WAITING_MAX,
  OriginConnections,
  type OriginConnectionsOptions,
} from '../../dist/origin/origin-connections.js';
import { answerBytes, RawOrigin } from '../kit/origins/raw-origin.js';
import { deadPort } from '../kit/ports.js';
import { until } from '../kit/until.js';

type Pool = OriginConnections<Dispatcher.DispatchOptions, Dispatcher.DispatchHandler>;

/** Connections to a port of this machine, broken off at the end of the test. */
function connectionsTo(
  t: Test,
  port: number,
  keepAliveTimeout = 60_000,
  more: Omit<OriginConnectionsOptions<Dispatcher.DispatchOptions, Dispatcher.DispatchHandler>, 'open'> = {},
): Pool {
  const pool: Pool = new OriginConnections({
    open: () => new Client(`http://127.0.0.1:${port}`, { pipelining: 1, keepAliveTimeout }),
    ...more,
  });
  t.teardown(() => pool.destroy());
  return pool;
}

interface Asked {
  readonly over: string | undefined;
  readonly handler: object;
}

/** Sends one GET. `over` says how it ended, once it has. */
function ask(pool: Pool, headers: string[] = []): Asked {
  const asked: { over: string | undefined; handler: object } = { over: undefined, handler: {} };
  const handler: Dispatcher.DispatchHandler = {
    onConnect: () => {},
    onHeaders: () => true,
    onData: () => true,
    onComplete: () => {
      asked.over = 'end';
    },
    onError: (error) => {
      asked.over = (error as Error & { code?: string }).code ?? error.message;
    },
  };
  asked.handler = handler;
  pool.dispatch({ method: 'GET', path: '/', headers }, handler);
  return asked;
}

/** How it ended; its connection is free then, which undici has it a turn after the answer. */
async function ended(asked: Pick<Asked, 'over'>): Promise<string | undefined> {
  await until(() => asked.over !== undefined);
  await turn();
  return asked.over;
}

t.test('each of many requests at a time has a connection of its own, which later ones use again', async (t) => {
  const waiting: (() => void)[] = [];
  const origin = await RawOrigin.open(t, ({ socket }) => waiting.push(() => socket.write(answerBytes(''))));
  const pool = connectionsTo(t, origin.port);
  for (let round = 1; round <= 3; round++) {
    const asked = Array.from({ length: 100 }, () => ask(pool));
    await until(() => waiting.length === 100);
    t.equal(new Set(origin.requests.slice(-100).map(({ connection }) => connection)).size, 100);
    for (const answer of waiting.splice(0)) answer();
    for (const request of asked) t.equal(await ended(request), 'end');
    t.equal(pool.size, 100);
  }
  t.equal(Math.max(...origin.requests.map(({ connection }) => connection)), 100);
});

t.test(
  'requests one after the other stay on the connection used last, so that the others time out and are forgotten',
  async (t) => {
    const origin = await RawOrigin.open(t, ({ socket }) => socket.write(answerBytes('')));
    const pool = connectionsTo(t, origin.port, 1_000);
    for (const asked of Array.from({ length: 10 }, () => ask(pool))) t.equal(await ended(asked), 'end');
    t.equal(pool.size, 10);
    const first = origin.requests.length;
    while (pool.size > 1) await ended(ask(pool));
    // In turns all ten would be used, and none time out. On a machine that stalls the one in use may time out as well.
    t.ok(new Set(origin.requests.slice(first).map(({ connection }) => connection)).size < 5);
  },
);

t.test('connections that the origin closes are forgotten, whether they were idle or not', async (t) => {
  const origin = await RawOrigin.open(t, ({ socket, lines }) => {
    if (lines.includes('X-Close: 1')) socket.end(answerBytes('', ['Connection: close']));
    else if (lines.includes('X-Break: 1')) socket.destroy();
    else socket.write(answerBytes(''));
  });
  const pool = connectionsTo(t, origin.port);
  const asked = [ask(pool), ask(pool), ask(pool, ['X-Close', '1']), ask(pool, ['X-Break', '1'])];
  t.strictSame(await Promise.all(asked.map(ended)), ['end', 'end', 'end', 'UND_ERR_SOCKET']);
  await until(() => pool.size === 2);
  for (const socket of origin.sockets) socket.destroy();
  await until(() => pool.size === 0);
  t.equal(await ended(ask(pool)), 'end');
  t.equal(pool.size, 1);
});

t.test('a connection that cannot be made is forgotten', async (t) => {
  const pool = connectionsTo(t, await deadPort());
  t.equal(await ended(ask(pool)), 'ECONNREFUSED');
  await until(() => pool.size === 0);
});

t.test('a request that cannot be sent leaves its connection to the next', async (t) => {
  const origin = await RawOrigin.open(t, ({ socket }) => socket.write(answerBytes('')));
  const pool = connectionsTo(t, origin.port);
  t.equal(await ended(ask(pool)), 'end');
  for (let i = 0; i < 3; i++) t.equal(await ended(ask(pool, ['X-A', 'a\nb'])), 'UND_ERR_INVALID_ARG');
  t.equal(await ended(ask(pool)), 'end');
  t.equal(pool.size, 1);
  t.equal(origin.requests.at(-1)?.connection, 1);
});

t.test('a connection that was made for a request that cannot be sent is forgotten', async (t) => {
  const pool = connectionsTo(t, await deadPort());
  // undici cannot make a server name of the last.
  for (const field of [
    ['X-A', 'a\nb'],
    ['a b', 'c'],
    ['Host', '['],
  ]) {
    for (let i = 0; i < 10; i++) await ended(ask(pool, field));
    t.equal(pool.size, 0, field.join(': '));
  }
});

t.test('closing waits for what is under way', async (t) => {
  let answer = () => {};
  const origin = await RawOrigin.open(t, ({ socket }) => {
    answer = () => socket.write(answerBytes(''));
  });
  const pool = connectionsTo(t, origin.port);
  const asked = ask(pool);
  await until(() => origin.requests.length === 1);
  const closed = pool.close();
  answer();
  await closed;
  t.equal(asked.over, 'end');
  await until(() => origin.sockets.size === 0);
});

t.test('a connection that is too old takes no further request, whether it is idle or not', async (t) => {
  const origin = await RawOrigin.open(t, ({ socket }) => socket.write(answerBytes('')));
  let now = 0;
  const pool: Pool = new OriginConnections({
    open: () => new Client(`http://127.0.0.1:${origin.port}`, { pipelining: 1, keepAliveTimeout: 60_000 }),
    maxAge: 1_000,
    now: () => now,
  });
  t.teardown(() => pool.destroy());
  for (const asked of [ask(pool), ask(pool), ask(pool)]) t.equal(await ended(asked), 'end');
  t.equal(pool.size, 3);
  now = 999;
  t.equal(await ended(ask(pool)), 'end');
  t.equal(pool.size, 3);
  now = 1_000;
  const asked = ask(pool);
  t.equal(pool.size, 1, 'none of the three is used, nor kept');
  t.equal(await ended(asked), 'end');
  await until(() => origin.sockets.size === 1);
  t.equal(origin.requests.at(-1)?.connection, 4);
  now = 1_500;
  const late = ask(pool);
  now = 2_000;
  t.equal(await ended(late), 'end', 'a request under way goes on');
  await until(() => pool.size === 0 && origin.sockets.size === 0);
});

t.test('idle connections that have just been broken off are closed once more without harm', async (t) => {
  const origin = await RawOrigin.open(t, ({ socket }) => socket.write(answerBytes('')));
  const pool = connectionsTo(t, origin.port);
  for (const asked of [ask(pool), ask(pool)]) t.equal(await ended(asked), 'end');
  const over = pool.destroy();
  pool.closeIdle();
  t.equal(pool.size, 0);
  await over;
  await until(() => origin.sockets.size === 0);
});

t.test(
  'more requests than there may be connections wait their turn, and one that is over meanwhile is not sent',
  async (t) => {
    const waiting: (() => void)[] = [];
    const origin = await RawOrigin.open(t, ({ socket }) => waiting.push(() => socket.write(answerBytes(''))));
    const over = new Set<object>();
    const pool = connectionsTo(t, origin.port, 60_000, { max: 3, isOver: (handler) => over.has(handler) });
    const asked = Array.from({ length: 8 }, () => ask(pool));
    await until(() => waiting.length === 3);
    t.equal(pool.size, 3);
    t.equal(pool.waiting, 5);
    const [gone] = asked.splice(4, 1) as [Asked];
    over.add(gone.handler);
    while (asked.some((request) => request.over === undefined)) {
      waiting.shift()?.();
      await turn();
    }
    for (const request of asked) t.equal(request.over, 'end');
    t.equal(gone.over, undefined);
    t.equal(origin.requests.length, 7);
    t.equal(Math.max(...origin.requests.map(({ connection }) => connection)), 3);
  },
);

t.test('a request that waits too long is refused, in the order of their coming; so is one too many', async (t) => {
  const origin = await RawOrigin.open(t, () => {});
  let refused = 0;
  let now = 0;
  const refuse = () => refused++;
  const pool = connectionsTo(t, origin.port, 60_000, { max: 1, patience: 50, refused: refuse, now: () => now });
  for (let i = 0; i < ORIGIN_WAITING_MAX + 2; i++) ask(pool);
  t.equal(pool.waiting, ORIGIN_WAITING_MAX);
  t.equal(refused, 0);
  await turn();
  t.equal(refused, 1);
  now = 50;
  await until(() => refused === ORIGIN_WAITING_MAX + 1);
  t.equal(pool.waiting, 0);
  t.equal(pool.size, 1);
});

t.test('the connection of a request that fails goes to the next, or makes room for another', async (t) => {
  const origin = await RawOrigin.open(t, ({ socket, connection }) => {
    if (connection === 1) socket.destroy();
    else socket.write(answerBytes(''));
  });
  const pool = connectionsTo(t, origin.port, 60_000, { max: 1 });
  const asked = Array.from({ length: 3 }, () => ask(pool));
  t.not(await ended(asked[0] as Asked), 'end');
  t.equal(await ended(asked[1] as Asked), 'end');
  t.equal(await ended(asked[2] as Asked), 'end');
});

t.test('what waits is sent before the end, and refused where all is broken off', async (t) => {
  const waiting: (() => void)[] = [];
  const origin = await RawOrigin.open(t, ({ socket }) => waiting.push(() => socket.write(answerBytes(''))));
  let refused = 0;
  const pool = connectionsTo(t, origin.port, 60_000, { max: 1, refused: () => refused++ });
  const asked = [ask(pool), ask(pool)];
  await until(() => waiting.length === 1);
  const closed = pool.close();
  waiting.shift()?.();
  await until(() => waiting.length === 1);
  waiting.shift()?.();
  await closed;
  t.strictSame(
    asked.map(({ over }) => over),
    ['end', 'end'],
  );
  const other = connectionsTo(t, origin.port, 60_000, { max: 1, refused: () => refused++ });
  ask(other);
  ask(other);
  await until(() => waiting.length === 1);
  await other.destroy();
  t.equal(refused, 1);
});
