import t, { type Test } from 'tap';
import { HEARTBEAT_MS, NODE_TTL_MS } from '../../dist/cluster/redis.js';
import { type NodeMember, type Question, RedisNodes, silentLog } from '../../dist/index.js';
import { startNode } from '../backplane/redis/backplane-fixture.js';
import { clusterUrl, startCluster, startRedis, until } from '../backplane/redis/redis-fixture.js';
import { ManualClock } from '../manual-clock.js';

class Member implements NodeMember {
  readonly asked: Question[] = [];
  readonly #id: string;
  connections = 0;
  reply: () => Promise<unknown> = () => Promise.resolve('yes');

  constructor(id: string) {
    this.#id = id;
  }

  state() {
    const { connections } = this;
    return { id: this.#id, host: 'h', pid: 1, version: '1', startedAt: 5, workers: 1, connections, channels: 0 };
  }

  answer(question: Question): Promise<unknown> {
    this.asked.push(question);
    return this.reply();
  }
}

async function join(t: Test, url: string, id: string) {
  const { backplane } = await startNode(t, url);
  const clock = new ManualClock();
  const nodes = new RedisNodes({ connections: backplane.connections, clock, log: silentLog });
  const member = new Member(id);
  await nodes.join(member);
  t.teardown(() => nodes.leave());
  return { nodes, member, clock, backplane };
}

const question: Question = { about: 'channel', name: 'c' };

async function checkSystem(t: Test, url: string): Promise<void> {
  const a = await join(t, url, 'a');
  const b = await join(t, url, 'b');
  t.match(await a.nodes.list(), [
    { ...a.member.state(), age: 0 },
    { ...b.member.state(), age: Number },
  ]);
  a.member.reply = () => Promise.resolve({ count: 3 });
  const { answers, silent } = await b.nodes.ask(question, 5_000);
  t.strictSame(
    [...answers].sort((x, y) => x.node.localeCompare(y.node)),
    [
      { node: 'a', answer: { count: 3 } },
      { node: 'b', answer: 'yes' },
    ],
  );
  t.strictSame(silent, []);
  t.strictSame(a.member.asked, [question]);
  a.member.connections = 7;
  a.clock.advance(HEARTBEAT_MS);
  await until(
    'the heartbeat is seen',
    async () => (await b.nodes.list())[0]?.connections === 7 || (await b.nodes.list())[1]?.connections === 7,
  );
  await b.nodes.leave();
  t.strictSame(
    (await a.nodes.list()).map(({ id }) => id),
    ['a'],
  );
}

t.test('redis nodes: nodes know each other, ask each other and are forgotten when they leave', async (t) => {
  const server = await startRedis(t);
  await checkSystem(t, server.url);
});

t.test('redis nodes: the same in a cluster', async (t) => {
  await checkSystem(t, clusterUrl(await startCluster(t)));
});

t.test('redis nodes: those that do not answer in time are named, and those that fail too', async (t) => {
  const server = await startRedis(t);
  const a = await join(t, server.url, 'a');
  const b = await join(t, server.url, 'b');
  const c = await join(t, server.url, 'c');
  b.member.reply = () => new Promise(() => {});
  c.member.reply = () => Promise.reject(new Error('cannot'));
  const asking = a.nodes.ask(question, 1_000);
  await until('all are asked', () => a.member.asked.length + b.member.asked.length + c.member.asked.length === 3);
  a.clock.advance(1_000);
  const { silent } = await asking;
  t.strictSame([...silent].sort().slice(-2), ['b', 'c']);
});

t.test('redis nodes: a node without heartbeats is forgotten', async (t) => {
  const server = await startRedis(t);
  const a = await join(t, server.url, 'a');
  await join(t, server.url, 'b');
  // As if its last heartbeat had been so long ago.
  const key = (await server.cli('keys', '*nodes:seen')).trim();
  await server.cli('zincrby', key, String(-NODE_TTL_MS), 'b');
  t.strictSame(
    (await a.nodes.list()).map(({ id }) => id),
    ['a'],
  );
  a.clock.advance(HEARTBEAT_MS);
  await until('it is gone', async () => (await server.cli('zcard', key)) === '1');
});

t.test('redis nodes: without redis nothing can be asked, and with it everybody is there again', async (t) => {
  const server = await startRedis(t);
  const a = await join(t, server.url, 'a');
  await server.kill();
  // First, for a moment, it may be that redis sends no messages.
  await until('it is away', () => a.backplane.unavailableReason?.includes('unreachable since') === true);
  await t.rejects(a.nodes.list(), {
    code: 'ERR_BACKPLANE_UNAVAILABLE',
    message: /^The other nodes cannot be reached: redis 127\.0\.0\.1:\d+ unreachable since /,
  });
  t.strictSame(a.nodes.self(), { ...a.member.state(), age: 0 });
  await t.rejects(a.nodes.ask(question, 1_000), { code: 'ERR_BACKPLANE_UNAVAILABLE' });
  await server.start();
  await until('it is back', () => a.backplane.unavailableReason === undefined);
  a.clock.advance(HEARTBEAT_MS);
  await until('it is listed', async () => (await a.nodes.list()).length === 1);
  const { answers } = await a.nodes.ask(question, 5_000);
  t.strictSame(answers, [{ node: 'a', answer: 'yes' }]);
});
