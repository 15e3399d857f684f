import t from 'tap';
import { streamMessage } from '../../items.js';
import { backplaneContract } from '../contract.js';
import { makeNode, startNode } from './backplane-fixture.js';
import { clusterUrl, startCluster, until } from './redis-fixture.js';

const servers = await startCluster(t);
const url = clusterUrl(servers);
let systems = 0;

function nextPrefix(): string {
  systems += 1;
  return `hf${systems}`;
}

backplaneContract(t, 'redis cluster', async () => {
  const prefix = nextPrefix();
  return { backplanes: Array.from({ length: 2 }, () => makeNode(url, { redisPrefix: prefix }).backplane) };
});

t.test('redis cluster: channels are spread over all masters, and messages travel on theirs only', async (t) => {
  const prefix = nextPrefix();
  const node = await startNode(t, url, { redisPrefix: prefix });
  const names = Array.from({ length: 300 }, (_, i) => `c${i}`);
  await Promise.all(names.map((name) => node.backplane.subscribe(name)));
  const counts: number[] = [];
  for (const server of servers) {
    const topics = (await server.cli('pubsub', 'shardchannels', `${prefix}:*`))
      .split('\n')
      .filter((line) => line !== '');
    counts.push(topics.length);
  }
  // The recovers are one more.
  t.equal(
    counts.reduce((sum, count) => sum + count),
    names.length + 1,
  );
  for (const count of counts) t.ok(count > 60, `${count} topics on a master`);
  await node.backplane.publish(names.map((name) => streamMessage(name, '1')));
  for (const name of names) await node.listener.saw(`${name}/1`);
  t.equal(node.listener.labels.length, names.length);
});

t.test('redis cluster: items of every master have a lag by the clock of that master', async (t) => {
  const { backplane, listener, events } = await startNode(t, url, { redisPrefix: nextPrefix() });
  const names = Array.from({ length: 60 }, (_, i) => `c${i}`);
  await Promise.all(names.map((name) => backplane.subscribe(name)));
  const started = performance.now();
  await backplane.publish(names.map((name) => streamMessage(name, '1')));
  for (const name of names) await listener.saw(`${name}/1`);
  t.equal(events.lags.length, names.length);
  for (const lag of events.lags) t.ok(lag <= performance.now() - started + 1_000, `${lag} ms`);
});

t.test('redis cluster: slots that move to another master take their channels along without loss', async (t) => {
  const prefix = nextPrefix();
  const publisher = await startNode(t, url, { redisPrefix: prefix });
  const receiver = await startNode(t, url, { redisPrefix: prefix });
  const names = Array.from({ length: 60 }, (_, i) => `c${i}`);
  await Promise.all(names.map((name) => receiver.backplane.subscribe(name)));
  let stopped = false;
  let rounds = 0;
  const publishing = (async () => {
    while (!stopped) {
      rounds += 1;
      await publisher.backplane.publish(names.map((name) => streamMessage(name, String(rounds))));
    }
  })();
  await until('items flow', () => rounds > 5);
  const ids = await Promise.all(servers.map((server) => server.cli('cluster', 'myid')));
  const from = ids[0] ?? '';
  const to = ids[1] ?? '';
  const { port } = servers[0] as (typeof servers)[0];
  await servers[0]?.cli(
    '--cluster',
    'reshard',
    `127.0.0.1:${port}`,
    '--cluster-from',
    from,
    '--cluster-to',
    to,
    '--cluster-slots',
    '2000',
    '--cluster-yes',
  );
  const after = rounds;
  await until('items flow again', () => rounds > after + 5);
  stopped = true;
  await publishing;
  for (const name of names) await receiver.listener.saw(`${name}/${rounds}`);
  for (const name of names) {
    const got = receiver.listener.labels.filter((label) => label.startsWith(`${name}/`));
    t.strictSame(
      got,
      Array.from({ length: rounds }, (_, i) => `${name}/${i + 1}`),
      name,
    );
  }
  t.strictSame(receiver.listener.gaps, []);
});
