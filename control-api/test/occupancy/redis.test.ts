import t, { type Test } from 'tap';
import { OCCUPANCY_SHARDS, partitionOf, RedisKeys } from '../../dist/backplane/redis/keys.js';
import { HEARTBEAT_MS, NODE_TTL_MS } from '../../dist/cluster/redis.js';
import { RedisOccupancy, silentLog } from '../../dist/index.js';
import { MEMBERS_PER_CALL, RETRY_MS } from '../../dist/occupancy/shard.js';
import { realClock, startNode } from '../backplane/redis/backplane-fixture.js';
import { clusterUrl, type RedisServer, startCluster, startRedis, until } from '../backplane/redis/redis-fixture.js';
import { ManualClock } from '../manual-clock.js';
import { RecordingLog } from '../recorder.js';
import { DELAY_MS, occupancyContract, RecordedEdges } from './contract.js';

let sets = 0;

/** So many nodes that count one set, which is no other test's. */
async function makeNodes(t: Test, url: string, count: number, clock = realClock, delay = DELAY_MS) {
  const set = `set${++sets}`;
  return Promise.all(
    Array.from({ length: count }, async (_, i) => {
      const { backplane } = await startNode(t, url);
      const { connections } = backplane;
      const occupancy = new RedisOccupancy({ connections, set, node: `node${i}`, clock, delay, log: silentLog });
      t.teardown(() => occupancy.close());
      return occupancy;
    }),
  );
}

const server = await startRedis(t);
occupancyContract(t, 'redis', (t, count) => makeNodes(t, server.url, count));

t.test('redis: the same in a cluster, for groups of all shards', async (t) => {
  const [one, two] = await makeNodes(t, clusterUrl(await startCluster(t)), 2);
  const recorded = new RecordedEdges();
  one?.start(recorded);
  two?.start(recorded);
  const groups = Array.from({ length: 5 * OCCUPANCY_SHARDS }, (_, i) => `group${i}`);
  for (const group of groups) {
    one?.enter(group, 'a');
    two?.enter(group, 'a');
    // Reported together with the one before.
    two?.enter(group, 'b');
  }
  await until('all are there', () => recorded.edges.length === 2 * groups.length);
  await one?.close();
  for (const group of groups) two?.leave(group, 'a');
  await until('all have gone', () => recorded.edges.length === 3 * groups.length);
  for (const group of groups) {
    const ofOne = recorded.edges.filter((edge) => edge.group === group && edge.member === 'a');
    t.strictSame(
      ofOne.map(({ occupied }) => occupied),
      [true, false],
    );
  }
});

/** As if the last heartbeats of a node had been so long ago. */
async function age(server: RedisServer, node: string): Promise<void> {
  const keys = (await server.cli('keys', `*occ:set${sets}:beats`)).trim().split('\n');
  for (const key of keys) await server.cli('zincrby', key, String(-NODE_TTL_MS), node);
}

t.test(
  'redis: what only a dead node had is gone, once each and in batches; who was elsewhere too is not',
  async (t) => {
    const [clock, dead] = [new ManualClock(), new ManualClock()];
    const [one] = await makeNodes(t, server.url, 1, clock);
    const { backplane } = await startNode(t, server.url);
    const options = { connections: backplane.connections, set: `set${sets}`, delay: DELAY_MS, log: silentLog };
    const two = new RedisOccupancy({ ...options, node: 'dead', clock: dead });
    t.teardown(() => two.close());
    const recorded = new RecordedEdges();
    one?.start(recorded);
    two.start(recorded);
    const count = 3 * MEMBERS_PER_CALL;
    for (let i = 0; i < count; i++) two.enter('g', String(i));
    one?.enter('g', '0');
    const step = () => {
      clock.advance(20);
      dead.advance(20);
      return recorded.edges.length === count;
    };
    await until('all are there', step);
    await age(server, 'dead');
    const before = recorded.calls;
    clock.advance(HEARTBEAT_MS);
    await until('those are gone that were only there', () => recorded.edges.length === 2 * count - 1);
    const gone = recorded.edges.slice(count);
    t.notOk(gone.some(({ occupied, member }) => occupied || member === '0'));
    t.equal(new Set(gone.map(({ member }) => member)).size, count - 1);
    t.ok(recorded.calls - before <= 5);
    t.equal(gone.at(-1)?.size, 1);

    // It was not dead, but away: with its next heartbeat all that it has is there again.
    dead.advance(HEARTBEAT_MS);
    await until('they are there again', () => {
      dead.advance(20);
      return recorded.edges.length === 3 * count - 2;
    });
    t.equal(recorded.edges.at(-1)?.size, count);
  },
);

t.test(
  'redis: what comes and goes while Redis is away counts when it is back, and what it lost is counted anew',
  async (t) => {
    const own = await startRedis(t);
    const clock = new ManualClock();
    const [node] = await makeNodes(t, own.url, 1, clock, 0);
    const recorded = new RecordedEdges();
    node?.start(recorded);
    node?.enter('g', 'kept');
    node?.enter('g', 'leaves');
    const tick = (count: number) => () => {
      clock.advance(RETRY_MS);
      return recorded.edges.length >= count;
    };
    await until('both are there', tick(2));
    await own.kill();
    node?.leave('g', 'leaves');
    node?.enter('g', 'comes');
    clock.advance(RETRY_MS);
    // Without persistence it comes back empty.
    await own.start();
    await until('all that is there is counted', tick(4));
    t.strictSame(
      recorded.edges
        .slice(2)
        .map(({ member, occupied }) => `${occupied}${member}`)
        .sort(),
      ['truecomes', 'truekept'],
    );
    t.equal(recorded.edges.at(-1)?.size, 2);
  },
);

t.test('redis: a key of another program is logged once, and counts are right when it has gone', async (t) => {
  const { backplane } = await startNode(t, server.url);
  const log = new RecordingLog();
  const set = `set${++sets}`;
  const { connections } = backplane;
  const node = new RedisOccupancy({ connections, set, node: 'n', clock: realClock, delay: 0, log });
  t.teardown(() => node.close());
  const counts = new RedisKeys('hf').occupancy(set, partitionOf('g') % OCCUPANCY_SHARDS).of('n')[2] as string;
  await server.cli('set', counts, 'foreign');
  const recorded = new RecordedEdges();
  node.start(recorded);
  node.enter('g', 'a');
  await until('it was tried again', () => log.lines.length > 1);
  t.match(log.at('warn'), [{ message: 'who is present cannot be counted in Redis' }]);
  t.equal(log.at('warn').length, 1);
  await server.cli('del', counts);
  await recorded.last('g', '+a=1');
});

t.test('redis: nothing is kept of members who have gone', async (t) => {
  const [node] = await makeNodes(t, server.url, 1, realClock, 0);
  const recorded = new RecordedEdges();
  node?.start(recorded);
  for (let i = 0; i < 20; i++) node?.enter(`g${i}`, 'a');
  await until('all are there', () => recorded.edges.length === 20);
  for (let i = 0; i < 20; i++) node?.leave(`g${i}`, 'a');
  await until('all have gone', () => recorded.edges.length === 40);
  await node?.close();
  const left = (await server.cli('keys', `*occ:set${sets}:*`)).trim().split('\n');
  t.strictSame(
    left.filter((key) => !key.endsWith(':seq')),
    [],
  );
  for (const key of left) t.ok(Number(await server.cli('pttl', key)) > 0, `${key} goes by itself`);
});
