/**
 * The rights that docs/operations.md has operators give to a node's user in a cluster are enough. That those for a single
 * server are is shown by proxy/test/e2e/operation/deploy.test.ts.
 */
import { readFileSync } from 'node:fs';
import { parseItem } from '@holdfast/grip';
import t, { type Test } from 'tap';
import { RedisNodes, RedisOccupancy, silentLog } from '../../../dist/index.js';
import { streamMessage } from '../../items.js';
import { realClock, startNode } from './backplane-fixture.js';
import { clusterUrl, type RedisServer, startCluster, until } from './redis-fixture.js';

/** What docs/operations.md gives a node's user: everywhere, and in a cluster besides. */
function documentedRights(): { readonly user: readonly string[]; readonly cluster: readonly string[] } {
  const page = readFileSync(new URL('../../../../docs/operations.md', import.meta.url), 'utf8');
  const [, name, rules] = /^ACL SETUSER (\S+) (on >password [^`]+)^```$/m.exec(page) ?? [];
  const [, cluster] = /^and in a Cluster ((?:`\+cluster\|\w+`(?: and )?)+)/m.exec(page) ?? [];
  return {
    user: [name ?? '', ...(rules ?? '').trim().split(/\s+/)],
    cluster: [...(cluster ?? '').matchAll(/`(\S+)`/g)].map(([, rule]) => rule ?? ''),
  };
}

/** Publishes, receives, reads, joins and asks as the user; then nothing may have been refused by any server. */
async function checkRights(t: Test, servers: readonly RedisServer[], url: string, rules: readonly string[]) {
  for (const server of servers) {
    await server.cli('acl', 'setuser', ...rules);
    await server.cli('acl', 'log', 'reset');
  }
  const { backplane, listener } = await startNode(t, url.replace('//', '//holdfast:password@'), {
    redisPrefix: 'holdfast',
  });
  const names = Array.from({ length: 20 }, (_, i) => `c${i}`);
  await Promise.all(names.map((name) => backplane.subscribe(name)));
  await backplane.publish([...names.map((name) => streamMessage(name, '1')), { type: 'recover' }]);
  for (const name of names) await listener.saw(`${name}/1`);
  await listener.saw('recover');
  listener.hasSubscriber = true;
  const forOne = parseItem({ channel: 'c2', id: 'one', deliver: 'one', formats: { 'http-stream': { content: 'x' } } });
  await backplane.publish([{ type: 'item', item: forOne, id: 'one' }]);
  await until('it is given', () => listener.given.length === 1);
  listener.hasSubscriber = false;
  await backplane.publish([{ type: 'item', item: { ...forOne, id: 'two' }, id: 'two' }]);
  await listener.saw('c2/two');
  t.equal((await backplane.read('c0', { afterId: '1' }, 10))?.complete, true);
  t.equal((await backplane.head('c1'))?.offset, 1);
  const nodes = new RedisNodes({ connections: backplane.connections, clock: realClock, log: silentLog });
  t.teardown(() => nodes.leave());
  const state = { host: 'h', pid: 1, version: '1', startedAt: 5, workers: 1, connections: 0, channels: 20 };
  await nodes.join({ state: () => ({ id: 'a', ...state }), answer: () => Promise.resolve('yes') });
  t.strictSame(await nodes.ask({ about: 'channel', name: 'c0' }, 5_000), {
    answers: [{ node: 'a', answer: 'yes' }],
    silent: [],
  });
  const { connections } = backplane;
  const counted = new Set<string>();
  const options = { connections, set: 'presence', clock: realClock, delay: 0, log: silentLog };
  const occupancy = new RedisOccupancy({ ...options, node: 'a' });
  occupancy.start({
    onEdges: (edges) => edges.forEach(({ group, occupied }) => void counted.add(`${group} ${occupied}`)),
  });
  for (const name of names) occupancy.enter(name, 'user');
  await until('they are counted', () => counted.size === names.length);
  for (const name of names) occupancy.leave(name, 'user');
  await until('they have gone', () => counted.size === 2 * names.length);
  await occupancy.close();
  for (const name of names) backplane.unsubscribe(name);
  await nodes.leave();
  const topics = async () =>
    (await Promise.all(servers.map((server) => server.cli('pubsub', 'shardchannels')))).join('').includes(':c:');
  await until('the channels are left', async () => !(await topics()));
  for (const server of servers) t.equal(await server.cli('acl', 'log'), '');
}

t.test('redis: the rights that docs/operations.md gives are enough for a cluster', async (t) => {
  const { user, cluster } = documentedRights();
  t.ok(cluster.length > 0);
  const servers = await startCluster(t);
  const url = clusterUrl(servers);
  await checkRights(t, servers, url, [...user, ...cluster]);
});
