import type { KeepAlive } from '@holdfast/grip';
import t from 'tap';
import { KeepAliveTimer } from '../../dist/runtime/keep-alive-timer.js';
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
