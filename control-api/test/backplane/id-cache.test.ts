import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import fc from 'fast-check';
import t from 'tap';
import { IdCache } from '../../dist/index.js';
import { ManualClock } from '../manual-clock.js';

const TTL = 60_000;

function fixture(ttl = TTL, limit?: number) {
  const clock = new ManualClock();
  let forgotten = 0;
  const events = {
    idsForgotten(count: number) {
      forgotten += count;
    },
  };
  const cache = new IdCache({ clock, idCacheTtl: ttl, ...(limit !== undefined && { limit }), events });
  return { clock, cache, forgotten: () => forgotten };
}

t.test('an id that comes again on its channel within the time is a duplicate', async (t) => {
  const { clock, cache } = fixture();
  t.equal(cache.seen('a', '1'), false);
  t.equal(cache.seen('a', '1'), true);
  clock.advance(TTL - 1);
  t.equal(cache.seen('a', '1'), true);
});

t.test('the time runs from the first, and is not prolonged by repeats', async (t) => {
  const { clock, cache } = fixture();
  cache.seen('a', '1');
  clock.advance(TTL - 1);
  t.equal(cache.seen('a', '1'), true);
  clock.advance(1);
  t.equal(cache.seen('a', '1'), false);
  t.equal(cache.seen('a', '1'), true);
});

t.test('channels do not share ids, however names and ids are made up', async (t) => {
  const { cache } = fixture();
  t.equal(cache.seen('ab', 'c'), false);
  t.equal(cache.seen('a', 'bc'), false);
  t.equal(cache.seen('', 'abc'), false);
  t.equal(cache.seen('1:a', ''), false);
  t.equal(cache.seen('', '1:a'), false);
});

t.test('without a time nothing is a duplicate and nothing is remembered', async (t) => {
  const { clock, cache } = fixture(0);
  t.equal(cache.seen('a', '1'), false);
  t.equal(cache.seen('a', '1'), false);
  t.equal(cache.size, 0);
  t.equal(clock.pending, 0);
});

t.test('memory is given back when nothing comes any more', async (t) => {
  const { clock, cache } = fixture();
  for (let id = 0; id < 10; id++) cache.seen('a', `${id}`);
  t.equal(cache.size, 10);
  clock.advance(2 * TTL);
  t.equal(cache.size, 0);
  t.equal(clock.pending, 0);
});

t.test('beyond the limit the older half is forgotten, and counted', async (t) => {
  const { cache, forgotten } = fixture(TTL, 10);
  for (let id = 0; id < 10; id++) cache.seen('a', `${id}`);
  t.equal(forgotten(), 0);
  t.equal(cache.seen('a', '10'), false);
  t.equal(forgotten(), 5);
  t.ok(cache.size <= 10);
  t.equal(cache.seen('a', '5'), true, 'the younger half is still known');
  t.equal(cache.seen('a', '0'), false, 'the older half is not');
});

t.test('clear forgets everything', async (t) => {
  const { clock, cache } = fixture();
  cache.seen('a', '1');
  cache.clear();
  t.equal(clock.pending, 0);
  t.equal(cache.seen('a', '1'), false);
});

t.test('an id is a duplicate exactly if it was let through within the time before, within the limit', async () => {
  const step = fc.record({ id: fc.nat(8), after: fc.nat(40) });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), fc.constantFrom(1_000, 20), (steps, limit) => {
      const { clock, cache, forgotten } = fixture(100, limit);
      const since = new Map<number, number>();
      for (const { id, after } of steps) {
        clock.advance(after);
        const before = since.get(id);
        const duplicate = before !== undefined && clock.monotonic() < before + 100;
        if (cache.seen('c', `${id}`) !== duplicate) return false;
        if (!duplicate) since.set(id, clock.monotonic());
      }
      clock.advance(200);
      return cache.size === 0 && clock.pending === 0 && forgotten() === 0;
    }),
  );
});

t.test('the limit holds, and nothing that was not seen is ever called a duplicate', async () => {
  const step = fc.record({ id: fc.nat(30), after: fc.nat(40) });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 100 }), (steps) => {
      const { clock, cache } = fixture(100, 6);
      const since = new Map<number, number>();
      for (const { id, after } of steps) {
        clock.advance(after);
        const before = since.get(id) ?? Number.NEGATIVE_INFINITY;
        const duplicate = cache.seen('c', `${id}`);
        if (duplicate && clock.monotonic() >= before + 100) return false;
        if (!duplicate) since.set(id, clock.monotonic());
        if (cache.size > 6) return false;
      }
      return true;
    }),
  );
});

t.test('long names and ids are distinct, and take no more memory than a digest', async (t) => {
  const { cache } = fixture();
  const long = 'x'.repeat(1_000);
  t.equal(cache.seen(long, `${long}1`), false);
  t.equal(cache.seen(long, `${long}2`), false);
  t.equal(cache.seen(`${long}x`, `${long.slice(1)}1`), false);
  t.equal(cache.seen(long, `${long}\ud800`), false);
  t.equal(cache.seen(long, `${long}\ud801`), false);
  t.equal(cache.seen(long, `${long}1`), true);
  setFlagsFromString('--expose-gc');
  const collect: () => void = runInNewContext('gc');
  collect();
  const before = process.memoryUsage().heapUsed;
  for (let i = 0; i < 20_000; i++) cache.seen(long, `${i}${long}`);
  collect();
  const each = (process.memoryUsage().heapUsed - before) / 20_000;
  t.ok(each < 400, `${each} bytes each`);
});

for (const hours of [-1, 1]) {
  t.test(`the wall clock is set by ${hours} h: an id is remembered for its time, and no longer`, async (t) => {
    const { clock, cache } = fixture();
    cache.seen('a', '1');
    clock.setWall(hours * 3_600_000);
    clock.advance(TTL - 1);
    t.equal(cache.seen('a', '1'), true);
    clock.advance(1);
    t.equal(cache.seen('a', '1'), false);
  });
}
