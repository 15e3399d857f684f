import fc from 'fast-check';
import t from 'tap';
import { Pace } from '../../dist/index.js';

t.test(
  'a bucket has its burst, then a token after each interval; several tokens are there together or not',
  async (t) => {
    const pace = new Pace({ perSecond: 10, burst: 20 });
    t.equal(pace.left(1_000, 1_000), 20);
    t.equal(pace.wait(1_000, 1_000, 20), 0);
    t.equal(pace.wait(1_000, 1_000, 21), 100);
    const full = 1_000 + 20 * pace.interval;
    t.equal(pace.left(full, 1_000), 0);
    t.equal(pace.wait(full, 1_000), 100);
    t.equal(pace.wait(full, 1_100), 0);
    t.equal(pace.wait(full, 1_100, 2), 100);
  },
);

t.test('property: tokens that are left are those that need no wait', async () => {
  const times = fc.integer({ min: 0, max: 1_000_000 });
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 1_000 }),
      fc.integer({ min: 1, max: 2_000 }),
      times,
      times,
      (perSecond, burst, full, since) => {
        const pace = new Pace({ perSecond, burst });
        const left = Math.floor(pace.left(full + since, full) + 1e-6);
        return (
          (left < 1 || pace.wait(full + since, full, left) <= 1e-6) && pace.wait(full + since, full, left + 1) > -1e-6
        );
      },
    ),
  );
});
