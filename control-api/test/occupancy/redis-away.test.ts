/** A Redis that was away for longer than nodes live without heartbeats: nobody has died, and nobody is reported as gone. */
import t from 'tap';
import { HEARTBEAT_MS, NODE_TTL_MS } from '../../dist/cluster/redis.js';
import { type OccupancyEdge, RedisOccupancy, silentLog } from '../../dist/index.js';
import { startNode } from '../backplane/redis/backplane-fixture.js';
import { startRedis, until } from '../backplane/redis/redis-fixture.js';
import { ManualClock } from '../manual-clock.js';

t.test('redis: when no node could beat, none counts as dead', async (t) => {
  const server = await startRedis(t);
  const edges: OccupancyEdge[] = [];
  const listener = { onEdges: (more: readonly OccupancyEdge[]) => void edges.push(...more) };
  const nodes = await Promise.all(
    ['one', 'two'].map(async (node) => {
      const clock = new ManualClock();
      const { connections } = (await startNode(t, server.url)).backplane;
      const occupancy = new RedisOccupancy({ connections, set: 'away', node, clock, delay: 0, log: silentLog });
      t.teardown(() => occupancy.close());
      occupancy.start(listener);
      occupancy.enter(node, '');
      return { clock, occupancy };
    }),
  );
  await until('both are there', () => {
    for (const { clock } of nodes) clock.advance(20);
    return edges.length === 2;
  });
  // As if the last heartbeats of all nodes had been so long ago.
  for (const key of (await server.cli('keys', '*occ:away:beats')).trim().split('\n')) {
    for (const node of ['one', 'two']) await server.cli('zincrby', key, String(-2 * NODE_TTL_MS), node);
  }
  nodes[0]?.clock.advance(HEARTBEAT_MS);
  nodes[0]?.occupancy.enter('later', '');
  await until('the first beats again', () => {
    nodes[0]?.clock.advance(20);
    return edges.length === 3;
  });
  t.strictSame(edges.map(({ group, occupied }) => `${group} ${occupied}`).sort(), [
    'later true',
    'one true',
    'two true',
  ]);
  nodes[1]?.occupancy.leave('two', '');
  await until('the second is known as before', () => {
    nodes[1]?.clock.advance(20);
    return edges.length === 4;
  });
  t.match(edges[3], { group: 'two', occupied: false });
});
