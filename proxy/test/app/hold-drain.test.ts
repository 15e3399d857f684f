/** The pace at which what is held ends. */
import { uncontained } from '@holdfast/control-api';
import t, { type Test } from 'tap';
import { HoldDrain } from '../../dist/app/drain/hold-drain.js';
import type { Subscriber } from '../../dist/channels/subscriber.js';
import type { ManualClock } from '../kit/manual-clock.js';
import { StoppedClock } from '../kit/stopped-clock.js';

/** So many holds, that end when they are asked to; `ends` are the moments. */
function fixture(count: number, random = () => 0.5) {
  const clock = new StoppedClock();
  const start = clock.monotonic();
  const ends: number[] = [];
  const registry = {
    staying: count,
    nextToEnd: (): Subscriber | undefined => {
      if (registry.staying === 0) return undefined;
      registry.staying--;
      return { drain: () => void ends.push(clock.monotonic() - start) } as unknown as Subscriber;
    },
  };
  const drain = new HoldDrain({ registry, clock, random, faults: uncontained });
  return { clock, ends, registry, drain };
}

/** Most ends in any second. */
function busiest(ends: readonly number[]): number {
  return Math.max(...ends.map((from) => ends.filter((at) => at >= from && at < from + 1_000).length));
}

async function passes(clock: ManualClock, ms: number): Promise<void> {
  for (let at = 0; at < ms; at += 10) clock.advance(10);
  await Promise.resolve();
}

for (const [name, random] of [
  ['without jitter', () => 0.5],
  ['with jitter', Math.random],
] as const) {
  t.test(`many holds end evenly, ${name}`, async (t: Test) => {
    const { clock, ends, drain } = fixture(2_000, random);
    const over = drain.spread(10_000, 1);
    await passes(clock, 10_100);
    await over;
    t.ok(ends.length >= 1_900, `${ends.length} of 2000 within the window`);
    t.ok(busiest(ends) <= 1.5 * 200, `${busiest(ends)} in one second, where 200 are even`);
  });
}

t.test('few holds end at most 500 ms apart, and the window is over with the last', async (t) => {
  const { clock, ends, drain } = fixture(3);
  let isOver = false;
  void drain.spread(60_000, 1).then(() => {
    isOver = true;
  });
  await passes(clock, 1_600);
  t.strictSame(ends, [500, 1_000, 1_500]);
  await Promise.resolve();
  t.ok(isOver);
});

t.test('clients that come back at once do not make it faster than 1.4 times the even pace', async (t) => {
  const { clock, ends, registry, drain } = fixture(1_000);
  const end = registry.nextToEnd;
  registry.nextToEnd = () => {
    const next = end();
    registry.staying++;
    return next;
  };
  void drain.spread(10_000, 1);
  await passes(clock, 11_000);
  t.ok(busiest(ends) <= 150, `${busiest(ends)} in one second`);
});

t.test('what a process has not ended while it stood still spreads over the rest of the window', async (t) => {
  const { clock, ends, drain } = fixture(2_000);
  void drain.spread(10_000, 1);
  await passes(clock, 2_000);
  clock.stop(1_000);
  await passes(clock, 7_100);
  t.ok(ends.length >= 1_900, `${ends.length} of 2000 within the window`);
  t.ok(busiest(ends) <= 1.25 * 200, `${busiest(ends)} in one second, where 200 are even`);
});

t.test('timers that are late all the time do not hold it up', async (t) => {
  const { clock, ends, drain } = fixture(120);
  void drain.spread(3_000, 1);
  for (let at = 0; at < 3_000; at += 30) {
    clock.advance(10);
    clock.stop(20);
  }
  const half = ends.filter((at) => at < 1_500).length;
  t.ok(half >= 54 && half <= 66, `${half} of 120 in the first half`);
});

t.test('without a window what is held ends as fast as turns allow, and no more', async (t) => {
  const { clock, ends, registry, drain } = fixture(450);
  const over = drain.spread(0, 1);
  t.equal(ends.length, 200);
  registry.staying += 10;
  clock.advance(0);
  await over;
  t.strictSame([ends.length, registry.staying, clock.pending], [450, 10, 0], 'what has come since stays');
});

t.test('one that is called off, or followed by another, is over', async (t) => {
  const { clock, ends, registry, drain } = fixture(100);
  const first = drain.spread(10_000, 1);
  const second = drain.spread(20_000, 1);
  await first;
  drain.rest();
  await second;
  clock.advance(60_000);
  t.strictSame([ends.length, registry.staying, clock.pending], [0, 100, 0]);
});

t.test('no turn of the event loop ends more than 200 holds', async (t) => {
  const { clock, ends, registry, drain } = fixture(450);
  drain.endAll();
  t.equal(ends.length, 200);
  clock.advance(0);
  t.equal(ends.length, 450);
  registry.staying = 1;
  clock.advance(100);
  t.equal(ends.length, 451, 'what comes to be held later ends too');
  drain.rest();
  t.equal(clock.pending, 0);
});
