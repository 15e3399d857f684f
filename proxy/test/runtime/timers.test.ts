import type { KeepAlive } from '@holdfast/grip';
import t from 'tap';
import { KeepAliveTimer, Retry } from '../../dist/runtime/timers.js';
import { ManualClock } from '../kit/manual-clock.js';

interface Beating {
  readonly clock: ManualClock;
  readonly timer: KeepAliveTimer;
  /** When it beat, in ms since the beginning. */
  readonly beats: number[];
}

function start(mode: KeepAlive['mode'], timeout: number, random: () => number = () => 0): Beating {
  const clock = new ManualClock(0);
  const beats: number[] = [];
  const keepAlive: KeepAlive = { content: Buffer.from('.'), mode, timeout };
  return {
    clock,
    beats,
    timer: new KeepAliveTimer(keepAlive, clock, random, () => void beats.push(clock.monotonic())),
  };
}

t.test('it beats every time-out, whatever the mode, if nothing is sent', async (t) => {
  for (const mode of ['idle', 'interval'] as const) {
    const { clock, beats } = start(mode, 20);
    clock.advance(60_000);
    t.strictSame(beats, [20_000, 40_000, 60_000], mode);
  }
});

t.test('idle: what is sent puts the beat off, to the time-out after the last of it', async (t) => {
  const { clock, beats, timer } = start('idle', 20);
  for (const at of [1_000, 19_999]) {
    clock.advance(at - clock.monotonic());
    timer.sent(at);
  }
  clock.advance(100_000 - clock.monotonic());
  t.strictSame(beats, [39_999, 59_999, 79_999, 99_999]);
});

t.test('interval: what is sent changes nothing', async (t) => {
  const { clock, beats, timer } = start('interval', 20);
  clock.advance(19_999);
  timer.sent(clock.monotonic());
  clock.advance(20_001);
  t.strictSame(beats, [20_000, 40_000]);
});

t.test('chance takes up to a second off each period, anew each time', async (t) => {
  const numbers = [0.999, 0, 0.5];
  const { clock, beats } = start('interval', 20, () => numbers.shift() ?? 0);
  clock.advance(60_000);
  t.strictSame(beats, [19_001, 39_001, 58_501]);
});

t.test('a period is never nothing: a time-out of a second and the worst of chance', async (t) => {
  const { clock, beats } = start('idle', 1, () => 0.9999);
  clock.advance(5);
  t.equal(beats.length, 5, 'one ms each');
});

t.test('a stopped timer beats no more and leaves none pending', async (t) => {
  const { clock, beats, timer } = start('idle', 20);
  clock.advance(20_000);
  timer.stop();
  t.equal(clock.pending, 0);
  clock.advance(100_000);
  t.strictSame(beats, [20_000]);
});

t.test('what is sent sets no timer: there is one, however much is sent', async (t) => {
  const { clock, timer } = start('idle', 20);
  for (let i = 0; i < 1_000; i++) {
    clock.advance(1);
    timer.sent(clock.monotonic());
  }
  t.equal(clock.pending, 1);
});

t.test('a timer that follows another keeps its place in time', async (t) => {
  const first = start('idle', 20);
  first.clock.advance(15_000);
  first.timer.stop();
  const beats: number[] = [];
  const keepAlive: KeepAlive = { content: Buffer.from('.'), mode: 'idle', timeout: 20 };
  const { clock } = first;
  new KeepAliveTimer(
    keepAlive,
    clock,
    () => 0,
    () => void beats.push(clock.monotonic()),
    undefined,
    first.timer.last,
  );
  clock.advance(10_000);
  t.strictSame(beats, [20_000]);
});

for (const hours of [-1, 1]) {
  t.test(`the wall clock is set by ${hours} h: it beats on`, async (t) => {
    for (const mode of ['idle', 'interval'] as const) {
      const { clock, beats, timer } = start(mode, 20);
      clock.advance(15_000);
      clock.setWall(hours * 3_600_000);
      clock.advance(30_000);
      t.strictSame(beats, [20_000, 40_000], mode);
      timer.sent(clock.monotonic());
      clock.advance(20_000);
      t.equal(beats.length, 3, mode);
    }
  });
}

/** As for the next link of a stream: no jitter, and stopped by what it does when it is due. */
function startLink(seconds: number) {
  const clock = new ManualClock(0);
  const due: number[] = [];
  const timer: KeepAliveTimer = new KeepAliveTimer(
    { mode: 'idle', timeout: seconds },
    clock,
    () => 0,
    () => {
      timer.stop();
      due.push(clock.monotonic());
    },
  );
  return { clock, due, timer };
}

t.test('stopped when it is due, it is due once, after its time', async (t) => {
  const { clock, due } = startLink(120);
  clock.advance(119_999);
  t.strictSame(due, []);
  clock.advance(500_000);
  t.strictSame(due, [120_000]);
  t.equal(clock.pending, 0);
});

t.test('activity puts it off to its time after the last of it, without a timer of its own', async (t) => {
  const { clock, due, timer } = startLink(1);
  for (let at = 100; at <= 3_000; at += 100) {
    clock.advance(100);
    timer.sent(clock.monotonic());
    t.equal(clock.pending, 1);
  }
  clock.advance(999);
  t.strictSame(due, []);
  clock.advance(1);
  t.strictSame(due, [4_000]);
});

t.test('a time of 0 is due at once, but not within the call', async (t) => {
  const { clock, due } = startLink(0);
  t.strictSame(due, []);
  clock.advance(0);
  t.strictSame(due, [0]);
});

t.test('a stopped one is never due', async (t) => {
  const { clock, due, timer } = startLink(10);
  timer.stop();
  clock.advance(100_000);
  t.strictSame(due, []);
  t.equal(clock.pending, 0);
});

for (const hours of [-1, 1]) {
  t.test(`the wall clock is set by ${hours} h: a link is due in its time`, async (t) => {
    const { clock, due, timer } = startLink(120);
    clock.advance(60_000);
    timer.sent(clock.monotonic());
    clock.setWall(hours * 3_600_000);
    clock.advance(119_999);
    t.strictSame(due, []);
    clock.advance(1);
    t.strictSame(due, [180_000]);
  });
}

t.test('five repeats, after 1, 2, 4, 8 and 16 seconds, then none', async (t) => {
  const retry = new Retry(() => 0);
  const delays = Array.from({ length: 7 }, () => retry.next());
  t.strictSame(delays, [1_000, 2_000, 4_000, 8_000, 16_000, undefined, undefined]);
});

t.test('each delay is up to a second longer, by chance', async (t) => {
  const numbers = [0.9999, 0.5, 0, 0.25, 0.001];
  const retry = new Retry(() => numbers.shift() ?? 0);
  t.strictSame(
    Array.from({ length: 5 }, () => retry.next()),
    [1_999, 2_500, 4_000, 8_250, 16_001],
  );
});
