import t from 'tap';
import { LinkTimer } from '../../dist/holds/link-timer.js';
import { ManualClock } from '../kit/manual-clock.js';

function start(timeout: number) {
  const clock = new ManualClock(0);
  const due: number[] = [];
  return { clock, due, timer: new LinkTimer(clock, timeout, () => void due.push(clock.monotonic())) };
}

t.test('it is due once, after its time', async (t) => {
  const { clock, due } = start(120_000);
  clock.advance(119_999);
  t.strictSame(due, []);
  clock.advance(500_000);
  t.strictSame(due, [120_000]);
  t.equal(clock.pending, 0);
});

t.test('activity puts it off to its time after the last of it, without a timer of its own', async (t) => {
  const { clock, due, timer } = start(1_000);
  for (let at = 100; at <= 3_000; at += 100) {
    clock.advance(100);
    timer.active(clock.monotonic());
    t.equal(clock.pending, 1);
  }
  clock.advance(999);
  t.strictSame(due, []);
  clock.advance(1);
  t.strictSame(due, [4_000]);
});

t.test('a time of 0 is due at once, but not within the call', async (t) => {
  const { clock, due } = start(0);
  t.strictSame(due, []);
  clock.advance(0);
  t.strictSame(due, [0]);
});

t.test('a stopped one is never due', async (t) => {
  const { clock, due, timer } = start(10);
  timer.stop();
  clock.advance(100);
  t.strictSame(due, []);
  t.equal(clock.pending, 0);
});

for (const hours of [-1, 1]) {
  t.test(`the wall clock is set by ${hours} h: it is due in its time`, async (t) => {
    const { clock, due, timer } = start(120_000);
    clock.advance(60_000);
    timer.active(clock.monotonic());
    clock.setWall(hours * 3_600_000);
    clock.advance(119_999);
    t.strictSame(due, []);
    clock.advance(1);
    t.strictSame(due, [180_000]);
  });
}
