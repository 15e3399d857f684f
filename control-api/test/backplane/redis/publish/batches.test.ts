/** What is published at the same time goes to Redis together, whatever channels it is for, and expires as it should. */
import { Redis } from 'ioredis';
import t, { type Test } from 'tap';
import { encodePayload } from '../../../../dist/backplane/redis/envelope.js';
import { RedisKeys } from '../../../../dist/backplane/redis/keys.js';
import { BATCH_MESSAGES } from '../../../../dist/backplane/redis/limits.js';
import { streamItem, streamMessage } from '../../../items.js';
import { startNode } from '../backplane-fixture.js';
import { startRedis } from '../redis-fixture.js';
import { publishAsEarlier } from './earlier-node.js';

const settings = { historySize: 1_000, historyTtl: 60_000, idCacheTtl: 60_000 };

async function startBoth(t: Test, options: Partial<typeof settings> = {}) {
  const server = await startRedis(t);
  const node = await startNode(t, server.url, { ...settings, ...options });
  const redis = new Redis(server.port, '127.0.0.1');
  t.teardown(() => redis.disconnect());
  return { ...node, redis, keys: new RedisKeys('hf').channel('a') };
}

/** How often a command was called since the last CONFIG RESETSTAT. */
async function callsOf(redis: Redis, command: string): Promise<number> {
  return Number(new RegExp(`cmdstat_${command}:calls=(\\d+)`).exec(await redis.info('commandstats'))?.[1] ?? 0);
}

t.test(
  'calls for many channels, made in one go, are one script call, and an item of a known channel four commands',
  async (t) => {
    const { backplane, redis, listener } = await startBoth(t);
    const channels = Array.from({ length: 100 }, (_, i) => `c${i}`);
    await Promise.all(channels.map((channel) => backplane.subscribe(channel)));
    const publishAll = (round: string) =>
      Promise.all(
        channels.map((channel) =>
          backplane.publish([{ ...streamMessage(channel, round), item: streamItem(channel, round) }]),
        ),
      );
    await publishAll('1');
    await redis.config('RESETSTAT');
    const accepted = await publishAll('2');
    t.ok(accepted.every(([one]) => one?.nodes === 1 && one.position?.offset === 2));
    t.equal(await callsOf(redis, 'evalsha'), 1);
    for (const command of ['hmget', 'xadd', 'hset', 'publish']) t.equal(await callsOf(redis, command), 100, command);
    for (const command of ['pexpire', 'del']) t.equal(await callsOf(redis, command), 0, command);
    for (const command of ['mget', 'set']) t.equal(await callsOf(redis, command), 1, command);
    await listener.saw('c99/2');
    t.equal(listener.messages.length, 200);
  },
);

t.test('a call with more messages than a batch may have is several batches, and keeps its order', async (t) => {
  const { backplane, redis, listener } = await startBoth(t, { idCacheTtl: 0 });
  await Promise.all(['0', '1', '2'].map((channel) => backplane.subscribe(channel)));
  await backplane.publish([streamMessage('0', 'before')]);
  await redis.config('RESETSTAT');
  const count = 2 * BATCH_MESSAGES + 1;
  const accepted = await backplane.publish(
    Array.from({ length: count }, (_, i) => streamMessage(String(Math.floor((3 * i) / count)), `${i}`)),
  );
  t.equal(await callsOf(redis, 'evalsha'), 3);
  t.equal(accepted.length, count);
  await listener.saw(`2/${count - 1}`);
  t.strictSame(
    listener.labels.filter((each) => each.startsWith('1/')),
    Array.from({ length: count }, (_, i) => i)
      .filter((i) => Math.floor((3 * i) / count) === 1)
      .map((i) => `1/${i}`),
  );
});

t.test('the same id twice in one call is a duplicate', async (t) => {
  const { backplane } = await startBoth(t);
  t.match(await backplane.publish([streamMessage('a', '1'), streamMessage('b', '1'), streamMessage('a', '1')]), [
    { duplicate: false, position: { offset: 1 } },
    { duplicate: false, position: { offset: 1 } },
    { duplicate: true, position: { offset: 1 } },
  ]);
});

t.test('the history is kept for its time after each item, and its time is not set with each', async (t) => {
  const { backplane, redis, keys } = await startBoth(t);
  await backplane.publish([streamMessage('a', '1')]);
  const { historyTtl } = settings;
  await redis.config('RESETSTAT');
  await backplane.publish([streamMessage('a', '2')]);
  t.equal(await callsOf(redis, 'pexpire'), 0);
  const left = await redis.pttl(keys.stream);
  t.ok(left > historyTtl && left <= historyTtl * 1.125, `${left} ms`);
  // As if the time had been set long ago.
  await redis.pexpire(keys.stream, 1_000);
  await redis.hincrby(keys.meta, 'x', -historyTtl / 8);
  await backplane.publish([streamMessage('a', '3')]);
  t.ok((await redis.pttl(keys.stream)) > historyTtl);
});

t.test('a stream that was evicted, and one that was in the way, are made anew with a time', async (t) => {
  const { backplane, redis, keys } = await startBoth(t);
  await backplane.publish([streamMessage('a', '1')]);
  await redis.del(keys.stream);
  t.match(await backplane.publish([streamMessage('a', '2')]), [{ position: { offset: 2 } }]);
  t.ok((await redis.pttl(keys.stream)) > settings.historyTtl);
  await redis.xadd(keys.stream, '9-0', 'd', 'another');
  t.match(await backplane.publish([streamMessage('a', '3')]), [{ position: { offset: 1 } }]);
  t.equal(await redis.xlen(keys.stream), 1);
  t.ok((await redis.pttl(keys.stream)) > settings.historyTtl);
});

t.test('nothing is kept without history, and what is known of the channel expires', async (t) => {
  const { backplane, redis, keys } = await startBoth(t, { historySize: 0 });
  for (const [n, id] of ['1', '2'].entries()) {
    t.match(await backplane.publish([streamMessage('a', id)]), [{ position: { offset: n + 1 } }]);
  }
  t.equal(await redis.exists(keys.stream), 0);
  t.ok((await redis.pttl(keys.meta)) > 0);
});

t.test('beside a node of the version before: one count, one history, its time, and ids known to both', async (t) => {
  const { backplane, redis, keys, listener } = await startBoth(t);
  await backplane.subscribe('a');
  const publishEarlier = (id: string) =>
    publishAsEarlier(redis, keys, { id, payload: encodePayload(streamMessage('a', id), id) }, settings);
  await backplane.publish([streamMessage('a', '1')]);
  t.match(await publishEarlier('2'), [String, '2', '1']);
  t.match(await publishEarlier('1'), [String, '1', '-1']);
  t.match(await backplane.publish([streamMessage('a', '2')]), [{ duplicate: true, position: { offset: 2 } }]);
  // Its time runs from the earlier node's item; the next item of this one sets it anew, however short ago that was.
  await redis.pexpire(keys.stream, 1_000);
  await backplane.publish([streamMessage('a', '3')]);
  t.ok((await redis.pttl(keys.stream)) > settings.historyTtl);
  t.match(await publishEarlier('4'), [String, '4', '1']);
  await listener.saw('a/4');
  t.strictSame(listener.labels, ['a/1', 'a/2', 'a/3', 'a/4']);
  t.strictSame(listener.gaps, []);
  const page = await backplane.read('a', { afterId: '1' }, 10);
  t.strictSame(
    page?.messages.map(({ id }) => id),
    ['2', '3', '4'],
  );
});
