import { Pace } from '@holdfast/control-api';
import fc from 'fast-check';
import t from 'tap';
import { Bucket } from '../../dist/runtime/bucket.js';

/** How many of `count` at once are let through. */
const takes = (bucket: Bucket, now: number, count: number) =>
  Array.from({ length: count }, () => bucket.take(now)).filter((taken) => taken).length;

t.test('a burst, then so many per second; no more is saved up than the burst', async (t) => {
  const bucket = new Bucket(new Pace({ perSecond: 10, burst: 20 }), 5_000);
  t.equal(takes(bucket, 5_000, 100), 20);
  t.equal(takes(bucket, 5_099, 100), 0);
  t.equal(takes(bucket, 5_100, 100), 1);
  t.equal(takes(bucket, 6_100, 100), 10);
  t.equal(takes(bucket, 3_600_000, 100), 20);
});

t.test('what was sent while the owner was held back is not refused when it comes', async (t) => {
  const bucket = new Bucket(new Pace({ perSecond: 10, burst: 20 }), 0);
  t.equal(takes(bucket, 0, 20), 20);
  bucket.hold(0);
  bucket.hold(2_000);
  bucket.release(60_000);
  bucket.release(61_000);
  t.equal(takes(bucket, 60_000, 1_000), 600, 'a minute’s worth');
  t.equal(takes(bucket, 61_000, 1_000), 10);
});

t.test('time that passes after it has been held back saves up no more', async (t) => {
  const bucket = new Bucket(new Pace({ perSecond: 10, burst: 20 }), 0);
  bucket.hold(0);
  bucket.release(1_000);
  t.equal(takes(bucket, 3_600_000, 1_000), 30, 'the burst, and the second');
  t.equal(takes(bucket, 7_200_000, 1_000), 20, 'which is used up');
});

t.test('property: never more than the burst and the rate allow, whatever is held and when', async () => {
  const step = fc.record({ gap: fc.nat(500), act: fc.constantFrom('take', 'take', 'take', 'hold', 'release') });
  const steps = fc.array(step, { minLength: 1, maxLength: 200 });
  fc.assert(
    fc.property(steps, fc.integer({ min: 1, max: 50 }), fc.integer({ min: 1, max: 20 }), (all, perSecond, burst) => {
      const bucket = new Bucket(new Pace({ perSecond, burst }), 0);
      let now = 0;
      let taken = 0;
      for (const { gap, act } of all) {
        now += gap;
        if (act === 'hold') bucket.hold(now);
        else if (act === 'release') bucket.release(now);
        else if (bucket.take(now)) taken++;
        if (taken > burst + (now * perSecond) / 1_000 + 1e-6) return false;
      }
      return true;
    }),
  );
});
