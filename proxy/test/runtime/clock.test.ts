import { uncontained } from '@holdfast/control-api';
import fc from 'fast-check';
import t from 'tap';
import { guardedClock, realClock, stampOf } from '../../dist/runtime/clock.js';
import { ManualClock } from '../kit/manual-clock.js';

t.test('a manual clock stands still until it is moved', async (t) => {
  const clock = new ManualClock(5);
  t.equal(clock.monotonic(), 5);
  clock.advance(10);
  t.equal(clock.monotonic(), 15);
});

t.test('timers fire at their time, seeing that time, in order of time and then of their making', async (t) => {
  const clock = new ManualClock(0);
  const fired: string[] = [];
  const note = (name: string) => () => void fired.push(`${name}@${clock.monotonic()}`);
  clock.after(20, note('c'));
  clock.after(10, note('a'));
  clock.after(10, note('b'));
  clock.after(31, note('late'));
  clock.advance(30);
  t.strictSame(fired, ['a@10', 'b@10', 'c@20']);
  t.equal(clock.monotonic(), 30);
  t.equal(clock.pending, 1);
});

t.test('no timer fires before time moves, not even one of 0 ms', async (t) => {
  const clock = new ManualClock();
  let fired = 0;
  clock.after(0, () => void fired++);
  t.equal(fired, 0);
  clock.advance(0);
  t.equal(fired, 1);
});

t.test('what a timer sets fires in the same advance if it falls due, and what it clears does not', async (t) => {
  const clock = new ManualClock(0);
  const fired: string[] = [];
  const doomed = clock.after(20, () => void fired.push('doomed'));
  clock.after(10, () => {
    clock.clear(doomed);
    clock.after(5, () => void fired.push(`second@${clock.monotonic()}`));
  });
  clock.advance(100);
  t.strictSame(fired, ['second@15']);
});

t.test('clearing nothing, or what has fired, does nothing', async (t) => {
  const clock = new ManualClock();
  const timer = clock.after(1, () => {});
  clock.advance(1);
  clock.clear(timer);
  clock.clear(undefined);
  t.equal(clock.pending, 0);
});

t.test('however an interval is cut, the same timers fire in the same order', async () => {
  const delays = fc.array(fc.nat(50), { maxLength: 20 });
  fc.assert(
    fc.property(delays, fc.array(fc.nat(20), { minLength: 1, maxLength: 10 }), (timers, steps) => {
      const play = (cuts: readonly number[]) => {
        const clock = new ManualClock(0);
        const fired: string[] = [];
        for (const [i, ms] of timers.entries()) clock.after(ms, () => void fired.push(`${i}@${clock.monotonic()}`));
        for (const step of cuts) clock.advance(step);
        return fired.join(' ');
      };
      return play(steps) === play([steps.reduce((sum, step) => sum + step, 0)]);
    }),
  );
});

t.test('the machine’s clock: timers fire later, not within the call, and can be cleared', async (t) => {
  const before = realClock.monotonic();
  let cleared = false;
  realClock.clear(
    realClock.after(0, () => {
      cleared = true;
    }),
  );
  let fired = false;
  const held = setInterval(() => {}, 1_000);
  await new Promise<void>((resolve) => {
    realClock.after(1, () => {
      fired = true;
      resolve();
    });
    t.notOk(fired);
  });
  clearInterval(held);
  t.notOk(cleared);
  t.ok(realClock.monotonic() >= before);
});

t.test('the machine’s clock: a delay that is longer than timers can be does not fire at once', async (t) => {
  let fired = false;
  const timer = realClock.after(2 ** 31 + 5_000, () => {
    fired = true;
  });
  await new Promise((resolve) => setTimeout(resolve, 5));
  t.notOk(fired);
  realClock.clear(timer);
});

t.test('a guarded clock catches what its timers throw, and ends whose they are', async (t) => {
  const caught: unknown[] = [];
  const clock = guardedClock({ ...uncontained, caught: (...fault) => void caught.push(fault) });
  const what = { fault() {} };
  const error = new Error('broken');
  await new Promise<void>((resolve) => {
    clock.after(
      0,
      () => {
        throw error;
      },
      what,
    );
    clock.after(5, resolve);
    // Its timers keep no process alive.
    setTimeout(() => {}, 50);
  });
  t.strictSame(caught, [['timer', error, what]]);
});

const HOUR = 3_600_000;

t.test('a manual clock: its wall clock may be set without time passing', async (t) => {
  const clock = new ManualClock();
  const fired: number[] = [];
  clock.after(1_000, () => void fired.push(clock.monotonic()));
  const [from, wall] = [clock.monotonic(), clock.wall()];
  clock.setWall(-HOUR);
  t.equal(clock.wall(), wall - HOUR);
  t.equal(clock.monotonic(), from);
  clock.advance(1_000);
  t.strictSame(fired, [from + 1_000]);
  t.equal(clock.wall(), wall - HOUR + 1_000);
});

t.test('the machine’s clock: durations do not follow the wall clock', async (t) => {
  const before = realClock.monotonic();
  const real = Date.now;
  t.teardown(() => {
    Date.now = real;
  });
  Date.now = () => real() - HOUR;
  const after = realClock.monotonic();
  t.ok(after >= before && after < before + HOUR / 2, `${before} ${after}`);
  t.ok(Number.isInteger(after));
});

t.test('a stamp of a moment is what the wall clock would have shown then, as it goes now', async (t) => {
  const clock = new ManualClock();
  const moment = clock.monotonic();
  const wall = clock.wall();
  clock.advance(5_000);
  t.equal(stampOf(clock, moment), new Date(wall).toISOString());
  clock.setWall(-HOUR);
  t.equal(stampOf(clock, moment), new Date(wall - HOUR).toISOString());
});

t.test('a stamp is the same each time, though the two clocks are read one after the other', async (t) => {
  const moment = realClock.monotonic();
  const stamps = new Set<string>();
  const end = moment + 20;
  while (realClock.monotonic() < end) stamps.add(stampOf(realClock, moment));
  t.equal(stamps.size, 1);
});
