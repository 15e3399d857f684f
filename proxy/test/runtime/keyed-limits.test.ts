import fc from 'fast-check';
import t from 'tap';
import { KEYS_MAX, KeyedCount, KeyedRate } from '../../dist/runtime/keyed-limits.js';
import { ManualClock } from '../kit/manual-clock.js';

/** How many of `count` at once are let through. */
const passes = (rate: KeyedRate, key: string, count: number) =>
  Array.from({ length: count }, () => rate.take(key)).filter((wait) => wait === 0).length;

t.test('a burst, then so many per second, for each key by itself', async (t) => {
  const clock = new ManualClock();
  const rate = new KeyedRate({ perSecond: 20, burst: 40 }, clock);
  t.equal(passes(rate, 'a', 50), 40);
  t.equal(passes(rate, 'b', 50), 40);
  t.equal(rate.take('a'), 50, 'the wait for the next token');
  await clock.advance(50);
  t.equal(passes(rate, 'a', 50), 1);
  await clock.advance(1_000);
  t.equal(passes(rate, 'a', 50), 20);
  await clock.advance(60_000);
  t.equal(passes(rate, 'a', 50), 40, 'no more is saved up than the burst');
});

t.test('property: over any times no more pass than the burst and the rate allow, and as many', async (t) => {
  const pauses = fc.array(fc.integer({ min: 0, max: 400 }), { minLength: 1, maxLength: 100 });
  const holds = fc.asyncProperty(
    pauses,
    fc.integer({ min: 1, max: 50 }),
    fc.integer({ min: 1, max: 20 }),
    async (gaps, perSecond, burst) => {
      const clock = new ManualClock();
      const rate = new KeyedRate({ perSecond, burst }, clock);
      let tokens = burst;
      for (const gap of gaps) {
        await clock.advance(gap);
        tokens = Math.min(burst, tokens + (gap * perSecond) / 1_000);
        const passed = rate.take('a') === 0;
        if (Math.abs(tokens - 1) > 1e-6 && passed !== tokens > 1) return false;
        if (passed) tokens -= 1;
      }
      return true;
    },
  );
  await fc.assert(holds, { numRuns: 200 });
  t.pass('as a bucket of tokens does');
});

t.test('a million keys cost no more than the limit', async (t) => {
  const rate = new KeyedRate({ perSecond: 1, burst: 2 }, new ManualClock());
  const before = process.memoryUsage().heapUsed;
  for (let i = 0; i < 1_000_000; i++) rate.take(`2001:db8:${i >> 16}:${i & 0xffff}::/64`);
  t.ok(rate.size <= 2 * KEYS_MAX, `${rate.size} keys`);
  t.ok(process.memoryUsage().heapUsed - before < 200_000_000);
});

t.test('a key that goes on is not forgotten in a flood of others', async (t) => {
  const rate = new KeyedRate({ perSecond: 1, burst: 5 }, new ManualClock(), 10);
  for (let i = 0; i < 5; i++) {
    t.equal(rate.take('a'), 0);
    for (let j = 0; j < 9; j++) rate.take(`${i} ${j}`);
  }
  t.ok(rate.take('a') > 0);
});

t.test('counts go up to the limit, and down again', async (t) => {
  const count = new KeyedCount(2);
  t.strictSame([count.add('a'), count.add('a'), count.add('a'), count.add('b')], [true, true, false, true]);
  count.remove('a');
  t.equal(count.add('a'), true);
  for (const key of ['a', 'a', 'b']) count.remove(key);
  t.equal(count.size, 0, 'nothing is kept of who has nothing');
});
