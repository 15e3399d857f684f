/** Items that Redis no longer has when a node comes back for them: the loss is told, counted, and made good or acted upon. */
import t, { type Test } from 'tap';
import { open } from '../../kit/clients/http-client.js';
import { type Holdfast, type HoldfastOptions, startHoldfast, streamItem } from '../../kit/holdfast.js';
import { LogOrigin } from '../../kit/origins/log-origin.js';
import { startOrigin, streamHold } from '../../kit/origins/origin.js';
import { type RedisServer, startRedis } from '../../kit/redis.js';
import { until } from '../../kit/until.js';

/** Keeps a node from its items: its subscriber connections are cut again and again while `meanwhile` is done. */
async function deaf(redis: RedisServer, meanwhile: () => Promise<unknown>): Promise<void> {
  let over = false;
  const cutting = (async () => {
    while (!over) await redis.call('CLIENT', 'KILL', 'TYPE', 'pubsub');
  })();
  try {
    await meanwhile();
  } finally {
    over = true;
    await cutting;
  }
}

async function start(t: Test, target: string, options: HoldfastOptions = {}): Promise<[RedisServer, Holdfast]> {
  const redis = await startRedis(t);
  const settings = { redis_url: redis.url, message_wait: 50, ...options.settings };
  return [redis, await startHoldfast(t, { ...options, routes: [`* ${target}`], settings })];
}

/** Publishes one item per call. */
async function publishEach(holdfast: Holdfast, items: readonly object[]): Promise<void> {
  for (const item of items) await holdfast.publish(item);
}

for (const [what, history_size] of [
  ['trimmed history', 2],
  ['no history', 0],
] as const) {
  t.test(`${what}: a stream with a next link gets from its origin what is lost`, async (t) => {
    const origin = await LogOrigin.start(t);
    const [redis, holdfast] = await start(t, origin.target, { settings: { history_size } });
    const stream = await open(t, `${holdfast.clients}/events`);
    await holdfast.publish(origin.add());
    await stream.until('data: 1\n\n');
    // The last is never published, so that nothing but the gap can tell of it.
    await deaf(redis, () =>
      publishEach(
        holdfast,
        Array.from({ length: 8 }, () => origin.add()),
      ),
    );
    origin.add();
    await stream.until('data: 10\n\n');
    const numbers = [...stream.text.matchAll(/data: (\d+)\n\n/g)].map(([, n]) => Number(n));
    t.strictSame(numbers, [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
    t.ok((await holdfast.metric('holdfast_gaps_total{reason="trimmed"}')) >= 1);
    const line = await holdfast.record('of the gap', ({ reason }) => reason === 'trimmed');
    t.match(line, { channel: 'events-room', subscribers: 1, after: { offset: Number } });
  });

  for (const [policy, reason] of [
    ['close', 'items-lost'],
    ['continue', undefined],
  ] as const) {
    t.test(`${what}: a stream without one, with the policy ${policy}`, async (t) => {
      const origin = await startOrigin(t, (_, response) => response.writeHead(200, streamHold('room')).end('open\n'));
      const [redis, holdfast] = await start(t, origin.target, { settings: { history_size, gap_policy: policy } });
      const stream = await open(t, holdfast.clients);
      await holdfast.publish(streamItem('room', 'first\n'));
      await stream.until('first\n');
      await deaf(redis, () =>
        publishEach(
          holdfast,
          Array.from({ length: 8 }, (_, n) => streamItem('room', `${n}\n`)),
        ),
      );
      await holdfast.record('of the gap', (record) => record.reason === 'trimmed');
      if (reason === undefined) {
        // The gap may be that of an early cut, and the last cut be felt still: without a history what comes then is lost too.
        let last = 10_000;
        await until('an item after the gap', async () => {
          last += 1;
          await holdfast.publish(streamItem('room', `last ${last}\n`));
          return stream.text.includes('last');
        });
        const [, , ...rest] = stream.text.trimEnd().split('\n');
        t.ok(rest.filter((line) => !line.startsWith('last')).length < 8, 'some are lost');
        t.strictSame(rest, [...new Set(rest)].sort(), 'none comes twice, or out of its place');
      } else {
        await holdfast.publish(streamItem('room', 'last\n'));
        t.equal(await stream.end(), 'broken');
        // Between two cuts the connection may have held for an item or two.
        t.match(stream.text, /^open\nfirst\n(\d\n)*$/);
        t.notMatch(stream.text, 'last');
        t.equal(await holdfast.metric(`holdfast_holds_ended_total{kind="stream",reason="${reason}"}`), 1);
      }
      t.ok((await holdfast.metric('holdfast_gaps_total{reason="trimmed"}')) >= 1);
    });
  }
}

t.test('a Redis that comes back empty is a gap of every channel that had items', async (t) => {
  const origin = await startOrigin(t, (request, response) =>
    response.writeHead(200, streamHold((request.url ?? '').slice(1))).end('open\n'),
  );
  const [redis, holdfast] = await start(t, origin.target);
  const [used, quiet] = await Promise.all(['used', 'quiet'].map((name) => open(t, `${holdfast.clients}/${name}`)));
  await holdfast.publish(streamItem('used', 'first\n'));
  await used?.until('first\n');
  await redis.call('FLUSHALL');
  await redis.call('CLIENT', 'KILL', 'TYPE', 'pubsub');
  t.equal(await used?.end(), 'broken');
  await holdfast.publish(streamItem('quiet', 'on\n'));
  await quiet?.until('on\n');
  t.equal(await holdfast.metric('holdfast_gaps_total{reason="epoch"}'), 1);
});
