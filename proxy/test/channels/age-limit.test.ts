/** The end of what has become as old as it may: when, and how many at a time. */
import { uncontained } from '@holdfast/control-api';
import t from 'tap';
import { AgeLimit } from '../../dist/channels/age-limit.js';
import { ManualClock } from '../kit/manual-clock.js';
import { RecordingSubscriber } from './recording-subscriber.js';

/** Notes when it is to end. */
class Ageing extends RecordingSubscriber {
  readonly ends: number[] = [];
  readonly #clock: ManualClock;

  constructor(clock: ManualClock) {
    super();
    this.#clock = clock;
  }

  override expire(): void {
    this.ends.push(this.#clock.monotonic());
  }
}

/** So many subscribers that enter now, the jitter of each being a number of `chances`, in turn. */
function fixture(maxAge: number, count: number, chance: (n: number) => number) {
  const clock = new ManualClock();
  let n = 0;
  const ages = new AgeLimit(maxAge, { clock, faults: uncontained, random: () => chance(n++) });
  const since = clock.monotonic();
  const all = Array.from({ length: count }, () => new Ageing(clock));
  for (const one of all) ages.enter(one);
  return { clock, ages, all, since };
}

for (const maxAge of [5_000, 60_000, 3_600_000]) {
  t.test(`${maxAge} ms: each ends once, between 90 and 110 % of its age, evenly`, async (t) => {
    const count = 1_000;
    const { clock, all, since } = fixture(maxAge, count, (n) => (n % count) / count);
    clock.advance(0.9 * maxAge - 1);
    t.ok(
      all.every(({ ends }) => ends.length === 0),
      'none before',
    );
    clock.advance(0.2 * maxAge + 2);
    t.strictSame(
      all.filter(({ ends }) => ends.length !== 1),
      [],
    );
    const spans = all.map(({ ends: [at = 0] }) => (at - since) / maxAge);
    for (const from of [0.9, 0.95, 1, 1.05]) {
      const within = spans.filter((span) => span >= from && span < from + 0.05).length;
      t.ok(within > 220 && within < 280, `${within} of 250 from ${from} on`);
    }
    t.equal(clock.pending, 0, 'nothing is waited for');
  });
}

t.test('what leaves before does not end, and with the last one nothing is waited for', async (t) => {
  const { clock, ages, all } = fixture(60_000, 4, () => 0.5);
  for (const one of all.slice(0, 3)) ages.leave(one);
  t.equal(clock.pending, 1);
  ages.leave(all[3] as Ageing);
  t.equal(clock.pending, 0);
  for (const one of all) ages.leave(one);
  clock.advance(100_000);
  ages.enter(all[0] as Ageing);
  clock.advance(61_000);
  t.strictSame(
    all.map(({ ends }) => ends.length),
    [1, 0, 0, 0],
    'one that comes later ends at its own time',
  );
});

t.test('no turn of the event loop ends more than 200', async (t) => {
  const { clock, all } = fixture(60_000, 450, () => 0.5);
  const ended = () => all.filter(({ ends }) => ends.length === 1).length;
  const steps = new Set<number>();
  for (let ms = 0; ended() < 450 && ms < 70_000; ms += 60) {
    clock.advance(60);
    steps.add(ended());
  }
  t.strictSame([...steps], [0, 450]);
  const turns = new Map<number, number>();
  const counted = fixture(60_000, 450, () => 0.5);
  const { after } = counted.clock;
  counted.clock.after = (ms, run) =>
    after.call(counted.clock, ms, () => {
      const before = counted.all.filter(({ ends }) => ends.length === 1).length;
      run();
      const now = counted.all.filter(({ ends }) => ends.length === 1).length;
      turns.set(turns.size, now - before);
    });
  counted.clock.advance(70_000);
  t.strictSame(
    [...turns.values()].filter((count) => count > 0),
    [200, 200, 50],
  );
});

t.test('a process that was stopped for a day ends what is too old when it goes on, and nothing twice', async (t) => {
  const { clock, ages, all } = fixture(1_000, 3, (n) => n / 3);
  clock.advance(86_400_000);
  t.strictSame(
    all.map(({ ends }) => ends.length),
    [1, 1, 1],
  );
  const late = new Ageing(clock);
  ages.enter(late);
  clock.advance(2_000);
  t.equal(late.ends.length, 1);
});

t.test('one whose end fails does not keep the others', async (t) => {
  const clock = new ManualClock();
  const caught: unknown[] = [];
  const faults = {
    ...uncontained,
    run: (_where: string, act: () => void) => {
      try {
        act();
      } catch (error) {
        caught.push(error);
      }
    },
  } as typeof uncontained;
  const ages = new AgeLimit(1_000, { clock, faults, random: () => 0 });
  const bad = new (class extends Ageing {
    override expire(): void {
      throw new Error('bad');
    }
  })(clock);
  const good = new Ageing(clock);
  ages.enter(bad);
  ages.enter(good);
  clock.advance(2_000);
  t.equal(caught.length, 1);
  t.equal(good.ends.length, 1);
});
