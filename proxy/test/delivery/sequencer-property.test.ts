import { IdCache } from '@holdfast/control-api';
import fc from 'fast-check';
import t from 'tap';
import { message, SequencerFixture, type Sketch, WAIT } from './sequencer-fixture.js';

/** An item as it is published, and when it arrives after the one that arrived before it. */
interface Arrival {
  readonly sketch: Sketch & { readonly name: string };
  readonly after: number;
}

/**
 * Items of one or two channels whose prev-ids name earlier items, lost ones among them, or nothing. They arrive in any
 * order, some never and some several times.
 */
const arrivals: fc.Arbitrary<Arrival[]> = fc
  .array(
    fc.record({
      channel: fc.constantFrom('c', 'c', 'c', 'd'),
      back: fc.option(fc.oneof({ weight: 5, arbitrary: fc.constant(1) }, fc.integer({ min: 2, max: 5 })), { freq: 6 }),
      withId: fc.nat(9).map((n) => n > 0),
      noSeq: fc.nat(19).map((n) => n === 0),
      copies: fc.constantFrom(0, 1, 1, 1, 1, 1, 2),
    }),
    { maxLength: 30 },
  )
  .chain((items) => {
    const sketches = items.flatMap(({ channel, back, withId, noSeq, copies }, i) => {
      const prev = back === null ? undefined : `${i - back}`;
      const sketch = { channel, id: withId ? `${i}` : undefined, prev, noSeq, name: `${i}` };
      return Array<typeof sketch>(withId ? copies : Math.min(copies, 1)).fill(sketch);
    });
    // Sorting by a key near the place makes most of the disorder local, as it is on networks.
    return fc
      .array(fc.tuple(fc.nat(6), fc.oneof(fc.constant(0), fc.nat(WAIT))), {
        minLength: sketches.length,
        maxLength: sketches.length,
      })
      .map((noise) =>
        sketches
          .map((sketch, i) => ({ sketch, after: noise[i]?.[1] ?? 0, key: i + (noise[i]?.[0] ?? 0) }))
          .sort((a, b) => a.key - b.key),
      );
  });

/** What became of one item. */
interface Fate {
  readonly sketch: Arrival['sketch'];
  readonly arrived: number;
  /** Number of its arrival and of its passing, on one scale. */
  readonly came: number;
  passings: number;
  went: number;
  at: number;
}

/** Plays the arrivals to the end of all waiting. */
function play(list: readonly Arrival[], limits: { maxWaitingPerChannel?: number; maxWaiting?: number } = {}) {
  const fates = new Map<string, Fate>();
  let moment = 0;
  const fixture = new SequencerFixture({
    ...limits,
    onPass: ({ id }) => {
      const fate = fates.get(id);
      if (fate === undefined) throw new Error('an item passed that had not come');
      fate.passings++;
      fate.went = moment++;
      fate.at = fixture.clock.monotonic();
    },
  });
  const cache = new IdCache({ clock: fixture.clock, idCacheTtl: 1e9, events: { idsForgotten() {} } });
  for (const { sketch, after } of list) {
    fixture.clock.advance(after);
    if (sketch.id !== undefined && cache.seen(sketch.channel ?? '', sketch.id)) continue;
    fates.set(sketch.name, {
      sketch,
      arrived: fixture.clock.monotonic(),
      came: moment++,
      passings: 0,
      went: -1,
      at: 0,
    });
    fixture.sequencer.offer(message(sketch));
  }
  fixture.clock.advance(WAIT);
  return { fixture, fates: [...fates.values()] };
}

/** Pairs of items in order of their chain, of which the first came before the second had passed. */
function chained(fates: readonly Fate[]): [Fate, Fate][] {
  const ordered = fates.filter(({ sketch }) => !sketch.noSeq);
  return ordered.flatMap((second) =>
    ordered
      .filter(({ sketch }) => sketch.id !== undefined && sketch.channel === second.sketch.channel)
      .filter((first) => first.sketch.id === second.sketch.prev && first.came < second.went)
      .map((first): [Fate, Fate] => [first, second]),
  );
}

const anyLimits = fc.constantFrom({}, { maxWaitingPerChannel: 3 }, { maxWaiting: 4 }, { maxWaitingPerChannel: 1 });

t.test('whatever comes in whatever order passes exactly once, and no later than its time', async () => {
  fc.assert(
    fc.property(arrivals, anyLimits, (list, limits) => {
      const { fates } = play(list, limits);
      return fates.every(({ passings, arrived, at }) => passings === 1 && at >= arrived && at <= arrived + WAIT);
    }),
    { numRuns: 1_000 },
  );
});

t.test('an item passes after the one it names if that one came in time', async () => {
  fc.assert(
    fc.property(arrivals, anyLimits, (list, limits) => {
      const { fates } = play(list, limits);
      return chained(fates).every(([first, second]) => first.went < second.went);
    }),
    { numRuns: 1_000 },
  );
});

t.test('a chain that arrives whole within the time passes in order, and before the time', async () => {
  const shuffled = fc.integer({ min: 1, max: 40 }).chain((n) =>
    fc.shuffledSubarray(
      Array.from({ length: n }, (_, i) => i + 1),
      { minLength: n, maxLength: n },
    ),
  );
  fc.assert(
    fc.property(shuffled, fc.array(fc.nat(100), { minLength: 40, maxLength: 40 }), (ids, gaps) => {
      const fixture = new SequencerFixture();
      fixture.offer('0');
      ids.forEach((id, i) => {
        fixture.clock.advance(gaps[i] ?? 0);
        fixture.offer(`${id}`, `${id - 1}`);
      });
      return fixture.order === ['0', ...ids.map((_, i) => `${i + 1}`)].join(' ') && fixture.clock.pending === 0;
    }),
  );
});

t.test('the limits hold at every moment', async () => {
  fc.assert(
    fc.property(arrivals, (list) => {
      const fixture = new SequencerFixture({ maxWaitingPerChannel: 3, maxWaiting: 4 });
      return list.every(({ sketch, after }) => {
        fixture.clock.advance(after);
        fixture.sequencer.offer(message(sketch));
        return fixture.sequencer.waiting <= 4 && fixture.clock.pending === fixture.sequencer.waiting;
      });
    }),
  );
});

t.test(
  'when all is over nothing is kept but the last id of each channel, and that goes with the last subscriber',
  async () => {
    fc.assert(
      fc.property(arrivals, anyLimits, (list, limits) => {
        const { fixture } = play(list, limits);
        const { sequencer, clock, held, causes } = fixture;
        if (sequencer.waiting > 0 || clock.pending > 1 || held !== causes.length) return false;
        if (sequencer.channels !== ['c', 'd'].filter((name) => sequencer.lastId(name) !== undefined).length)
          return false;
        sequencer.forget('c');
        sequencer.forget('d');
        return sequencer.channels === 0 && fixture.abandoned === 0;
      }),
    );
  },
);

t.test('subscribers that leave at any moment leave nothing behind, and what waited is counted', async () => {
  fc.assert(
    fc.property(arrivals, fc.array(fc.nat(30)), (list, leaving) => {
      const fixture = new SequencerFixture({
        onPass: ({ id, item }, sequencer) => {
          if (leaving.includes(Number(id))) sequencer.forget(item.channel);
        },
      });
      for (const { sketch, after } of list) {
        fixture.clock.advance(after);
        fixture.sequencer.offer(message(sketch));
      }
      fixture.clock.advance(WAIT);
      fixture.sequencer.forget('c');
      fixture.sequencer.forget('d');
      const { sequencer, clock } = fixture;
      const accounted = fixture.passed.length + fixture.abandoned === list.length;
      return accounted && sequencer.waiting === 0 && sequencer.channels === 0 && clock.pending === 0;
    }),
  );
});
