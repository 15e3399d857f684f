/** Versions over Redis: decided in one place for all nodes, and nothing for items without one. */
import { Redis } from 'ioredis';
import t from 'tap';
import { RedisKeys } from '../../../../dist/backplane/redis/keys.js';
import { streamMessage } from '../../../items.js';
import { signs, versionContract, versioned } from '../../versions.js';
import { startNode } from '../backplane-fixture.js';
import { startRedis } from '../redis-fixture.js';

const server = await startRedis(t);
let systems = 0;

versionContract(t, 'redis', async (t) => (await startNode(t, server.url, { redisPrefix: `v${++systems}` })).backplane);

t.test('of what two nodes publish at once each version is accepted once, in growing order', async (t) => {
  const prefix = { redisPrefix: `v${++systems}` };
  const [one, two] = [await startNode(t, server.url, prefix), await startNode(t, server.url, prefix)];
  await one.backplane.subscribe('a');
  const numbers = Array.from({ length: 200 }, (_, i) => i + 1);
  const accepted = await Promise.all(
    numbers.flatMap((n) => [one.backplane.publish([versioned(n)]), two.backplane.publish([versioned(n)])]),
  );
  await one.backplane.publish([streamMessage('a', 'end')]);
  await one.listener.saw('a/end');
  const seen = one.listener.messages.flatMap((message) =>
    message.type === 'item' && message.item.version !== undefined ? [message.item.version] : [],
  );
  t.strictSame(
    seen,
    [...new Set(seen)].sort((a, b) => a - b),
  );
  t.equal(seen.at(-1), 200);
  t.equal(signs(accepted.flat()).replaceAll('-', '').length, seen.length);
});

t.test('an item without a version costs no command more, and says nothing of it', async (t) => {
  const redisPrefix = `v${++systems}`;
  const { backplane } = await startNode(t, server.url, { redisPrefix });
  const redis = new Redis(server.port, '127.0.0.1');
  t.teardown(() => redis.disconnect());
  await backplane.publish([streamMessage('a', '1')]);
  await redis.config('RESETSTAT');
  await backplane.publish([streamMessage('a', '2')]);
  const stats = await redis.info('commandstats');
  const calls = (name: string) => Number(new RegExp(`cmdstat_${name}:calls=(\\d+)`).exec(stats)?.[1] ?? 0);
  t.strictSame([calls('hmget'), calls('hset')], [1, 1]);
  const { meta } = new RedisKeys(redisPrefix).channel('a');
  t.strictSame(await redis.hmget(meta, 'n', 'm'), [null, null]);
  await backplane.publish([versioned(3, 'x')]);
  t.strictSame(await redis.hmget(meta, 'n', 'm'), ['3', 'x']);
});
