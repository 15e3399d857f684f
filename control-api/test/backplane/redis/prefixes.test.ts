/** Interest in prefixes over a real Redis: what is missed, what is forgotten, and how many there may be. */
import { Redis } from 'ioredis';
import t, { type Test } from 'tap';
import { RedisKeys } from '../../../dist/backplane/redis/keys.js';
import { MAX_PREFIXES } from '../../../dist/backplane/redis/limits.js';
import { streamMessage } from '../../items.js';
import { startNode } from './backplane-fixture.js';
import { startRedis, until } from './redis-fixture.js';

const keys = new RedisKeys('hf');

/** Two nodes, and the connection of an operator. */
async function start(t: Test) {
  const server = await startRedis(t);
  const [publisher, subscriber] = [await startNode(t, server.url), await startNode(t, server.url)];
  const redis = new Redis(server.port, '127.0.0.1');
  t.teardown(() => redis.disconnect());
  return { publisher, subscriber, redis };
}

t.test('what a node missed while its connection was away comes when it is back, in order', async (t) => {
  const { publisher, subscriber, redis } = await start(t);
  await subscriber.backplane.subscribePrefix('a-');
  await publisher.backplane.publish([streamMessage('a-1', 'first')]);
  await subscriber.listener.saw('a-1/first');
  const sent: string[] = [];
  const publish = async (id: string) => {
    sent.push(id);
    await publisher.backplane.publish([streamMessage('a-1', id), streamMessage('b-1', id)]);
  };
  await publish('before');
  await redis.call('CLIENT', 'KILL', 'TYPE', 'pubsub');
  for (let i = 0; i < 20; i++) await publish(`${i}`);
  await publish('end');
  await subscriber.listener.saw('a-1/end');
  t.strictSame(subscriber.listener.labels, ['a-1/first', ...sent.map((id) => `a-1/${id}`)]);
  t.strictSame(subscriber.listener.gaps, []);
});

t.test(
  'a prefix that Redis has forgotten is wanted again when the node is connected again, and is a gap',
  async (t) => {
    const { publisher, subscriber, redis } = await start(t);
    await subscriber.backplane.subscribePrefix('a-');
    await publisher.backplane.publish([streamMessage('a-1', '1')]);
    await subscriber.listener.saw('a-1/1');
    const { known, version } = keys.prefixes(0);
    await redis.del(known, version);
    await publisher.backplane.publish([streamMessage('a-1', 'lost')]);
    await redis.call('CLIENT', 'KILL', 'TYPE', 'pubsub');
    await until('the prefix is wanted again', async () => (await redis.zscore(known, 'a-')) !== null);
    await publisher.backplane.publish([streamMessage('a-1', '2')]);
    await subscriber.listener.saw('a-1/2');
    t.strictSame(subscriber.listener.labels, ['a-1/1', 'a-1/2']);
    t.match(subscriber.listener.gaps, [{ prefix: 'a-', reason: 'rewound' }]);
    t.equal(subscriber.events.counts['gap rewound'], 1);
  },
);

t.test('a further prefix than there may be is refused, and none of the others', async (t) => {
  const { publisher, subscriber } = await start(t);
  const prefixes = Array.from({ length: MAX_PREFIXES }, (_, n) => `p${n}-`);
  await Promise.all(prefixes.map((prefix) => subscriber.backplane.subscribePrefix(prefix)));
  await t.rejects(Promise.resolve(publisher.backplane.subscribePrefix('more-')), {
    code: 'ERR_BACKPLANE_UNAVAILABLE',
    message: `more than ${MAX_PREFIXES} prefixes`,
  });
  await publisher.backplane.subscribePrefix('p7-');
  await publisher.backplane.publish([streamMessage('more-1', '1'), streamMessage(`p${MAX_PREFIXES - 1}-1`, '1')]);
  await subscriber.listener.saw(`p${MAX_PREFIXES - 1}-1/1`);
  t.equal(subscriber.listener.messages.length, 1);
});

t.test('a publisher reads the prefixes when they have changed, and at no other time', async (t) => {
  const { publisher, subscriber, redis } = await start(t);
  const reads = async () => Number(/cmdstat_zrevrange:calls=(\d+)/.exec(await redis.info('commandstats'))?.[1] ?? 0);
  await publisher.backplane.publish([streamMessage('x', '1')]);
  t.equal(await reads(), 0);
  await subscriber.backplane.subscribePrefix('a-');
  for (const id of ['2', '3', '4']) await publisher.backplane.publish([streamMessage('x', id)]);
  t.equal(await reads(), 1);
  await subscriber.backplane.subscribePrefix('a-');
  await publisher.backplane.subscribePrefix('a-');
  await publisher.backplane.publish([streamMessage('x', '5')]);
  t.equal(await reads(), 1);
});

t.test('an id that is long, or made, is one of its channel all the same', async (t) => {
  const { publisher, subscriber } = await start(t);
  const long = 'i'.repeat(1_000);
  await subscriber.backplane.subscribePrefix('a-');
  await publisher.backplane.publish([streamMessage('a-1', 'x', long), streamMessage('a-2', 'x', long)]);
  await publisher.backplane.publish([streamMessage('a-1', 'x', long), streamMessage('a-1', 'end')]);
  await subscriber.listener.saw('a-1/end');
  t.strictSame(subscriber.listener.labels, [`a-1/${long}`, `a-2/${long}`, 'a-1/end']);
});
