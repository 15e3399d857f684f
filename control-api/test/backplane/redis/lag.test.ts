/** How long items take from Redis to a node, by the clock of Redis, which is another than that of this process by 50 years. */
import t, { type Test } from 'tap';
import { parseTime } from '../../../dist/backplane/redis/connection/server-time.js';
import { encodePayload, TIME_MARK } from '../../../dist/backplane/redis/envelope.js';
import { streamMessage } from '../../items.js';
import { startBesideOther } from './backplane-fixture.js';
import { startRedis } from './redis-fixture.js';

/** By how much a reckoned clock may be wrong on a machine that is busy, in ms. */
const SLACK_MS = 1_000;

const server = await startRedis(t);
/** A node, the clock of its Redis, and another program that sends frames of any time of acceptance. */
async function fixture(t: Test) {
  const node = await startBesideOther(t, server);
  const { redis, keys, epoch } = node;
  return {
    ...node,
    lags: node.events.lags,
    now: async () => parseTime(await redis.time()),
    frame: (offset: number, ms?: number) =>
      redis.publish(
        keys.topic,
        `${offset}${ms === undefined ? '' : `${TIME_MARK}${Math.round(ms * 1_000)}`} ${epoch}\n${encodePayload(streamMessage('a', String(offset)), String(offset))}`,
      ),
  };
}

t.test(
  'redis: each item that arrives has its lag, on the publishing node as on others; a recover has none',
  async (t) => {
    const started = performance.now();
    const { backplane, listener, lags } = await fixture(t);
    await backplane.publish([
      streamMessage('a', '2'),
      { type: 'recover' },
      streamMessage('b', '3'),
      streamMessage('a', '4'),
    ]);
    await listener.saw('a/4');
    await listener.saw('recover');
    t.equal(lags.length, 3, 'those of its channels');
    for (const lag of lags) t.ok(lag >= 0 && lag <= performance.now() - started + SLACK_MS, `${lag} ms`);
  },
);

t.test(
  'redis: an item that was accepted earlier has come late; one of the future has not; of an earlier version none is known',
  async (t) => {
    const { listener, lags, now, frame } = await fixture(t);
    const asked = performance.now();
    const at = await now();
    await frame(2, at - 5_000);
    await listener.saw('a/2');
    const elapsed = performance.now() - asked;
    const [, late = 0] = lags;
    t.ok(late >= 5_000 - SLACK_MS && late <= 5_000 + elapsed + SLACK_MS, `${late} ms`);
    await frame(3, at + 3_600_000);
    await listener.saw('a/3');
    await frame(4);
    await listener.saw('a/4');
    t.strictSame(lags.slice(2), [0]);
  },
);

t.test('redis: an item that comes from the history is as late as it is', async (t) => {
  const { backplane, listener, redis, keys, lags, now } = await fixture(t);
  const at = Math.round((await now()) - 7_000);
  await redis.hset(keys.meta, 's', 2);
  await redis.xadd(keys.stream, '2-0', 'd', encodePayload(streamMessage('a', '2'), '2'), 't', String(at), 'i', '2');
  await backplane.publish([streamMessage('a', '3')]);
  await listener.saw('a/3');
  t.equal(lags.length, 3);
  t.ok((lags[1] ?? 0) >= 7_000 - SLACK_MS, `${lags[1]} ms`);
  t.ok((lags[2] ?? 0) < 7_000 - SLACK_MS, `${lags[2]} ms`);
});
