/** Streams with a next link, whatever becomes of the items on their way: each has all of the log, once and in order. */
import fc from 'fast-check';
import t from 'tap';
import { LogWorld, MAX_DELAY, type Manner } from './log-world.js';

/** What happens next. `publish` adds an item to the log and says what becomes of it on its way to the node. */
type Step =
  | { readonly step: 'open' }
  | { readonly step: 'recover' }
  | { readonly step: 'wait'; readonly ms: number }
  | { readonly step: 'publish'; readonly fate: 'arrives' | 'lost' | 'twice' | { readonly late: number } };

const pause = fc.oneof(fc.constant(0), fc.nat(MAX_DELAY));

const manners: fc.Arbitrary<Manner[]> = fc
  .array(
    fc.record({
      pauses: fc.tuple(pause, pause, pause, pause),
      fails: fc.oneof(
        { weight: 6, arbitrary: fc.constant(undefined) },
        { weight: 1, arbitrary: fc.constantFrom('error' as const, 'status' as const) },
      ),
    }),
    { maxLength: 20 },
  )
  // The first answer of each stream is the client's own affair, and six failures in a row end a stream.
  .map((list) => list.map((manner, i) => (i % 4 === 3 ? manner : { pauses: manner.pauses })));

const steps: fc.Arbitrary<Step[]> = fc.array(
  fc.oneof<fc.MaybeWeightedArbitrary<Step>[]>(
    {
      weight: 8,
      arbitrary: fc.record({
        step: fc.constant('publish' as const),
        fate: fc.oneof(
          { weight: 5, arbitrary: fc.constant('arrives' as const) },
          { weight: 2, arbitrary: fc.constant('lost' as const) },
          { weight: 1, arbitrary: fc.constant('twice' as const) },
          { weight: 3, arbitrary: fc.record({ late: fc.oneof(fc.nat(500), fc.nat(20_000)) }) },
        ),
      }),
    },
    {
      weight: 6,
      arbitrary: fc.record({ step: fc.constant('wait' as const), ms: fc.oneof(fc.nat(300), fc.nat(6_000)) }),
    },
    { weight: 1, arbitrary: fc.constant<Step>({ step: 'open' }) },
    { weight: 1, arbitrary: fc.constant<Step>({ step: 'recover' }) },
  ),
  { maxLength: 40 },
);

/** Throws when a body is not the beginning of what it should be. */
function check(world: LogWorld): void {
  for (const stream of world.streams) {
    const expected = world.expected(stream);
    if (!expected.startsWith(stream.client.text)) throw new Error(`body ${stream.client.text} of ${expected}`);
  }
  if (world.ends.length > 0) throw new Error(`a stream has ended: ${world.ends[0]?.reason}`);
}

async function take(world: LogWorld, step: Step): Promise<void> {
  if (step.step === 'open') world.open();
  else if (step.step === 'recover') world.recover();
  else if (step.step === 'wait') await world.advance(step.ms);
  else {
    const n = world.add();
    const { fate } = step;
    if (typeof fate === 'object') world.clock.after(fate.late, () => world.publish(n));
    else if (fate !== 'lost') world.publish(n);
    if (fate === 'twice') world.publish(n);
  }
}

async function play(how: readonly Manner[], list: readonly Step[]): Promise<LogWorld> {
  // A stream's first answer that fails is an error page, which is no matter of links.
  const world = await LogWorld.make([{ pauses: [0, 0, 0, 0] }, ...how]);
  world.open();
  for (const step of list) {
    await take(world, step);
    check(world);
  }
  return world;
}

// Each world is a whole node: some milliseconds, six hundred times.
t.setTimeout(120_000);

t.test('no byte too many, too few or out of order, and all of them by the time that the link is due', async (t) => {
  let gaps = 0;
  await fc.assert(
    fc.asyncProperty(manners, steps, async (how, list) => {
      const opens = list.filter(({ step }) => step === 'open').length;
      const world = await play(
        how.map((manner) => (opens > 0 ? { pauses: manner.pauses } : manner)),
        list,
      );
      // Late items have come after 20 s, the link is due 30 s after the last of them, and is repeated for 31 s at most.
      await world.advance(20_000 + 30_000 + 31_000 + 5_000);
      check(world);
      gaps += world.asked - world.streams.length;
      await world.end();
      return world.streams.every((stream) => stream.client.text === world.expected(stream));
    }),
    { numRuns: 400 },
  );
  t.ok(gaps > 400, `the property was tried on ${gaps} fetches`);
});

t.test('an item that is lost is there a moment after the next has come', async (t) => {
  await fc.assert(
    fc.asyncProperty(fc.integer({ min: 1, max: 5 }), fc.integer({ min: 1, max: 5 }), async (lost, after) => {
      const world = await LogWorld.make([]);
      world.open();
      await world.advance(10);
      world.publish(world.add());
      for (let i = 0; i < lost; i++) world.add();
      for (let i = 0; i < after; i++) world.publish(world.add());
      // The sequencer waits for 5 s, the turn of the link comes within 0.1 s.
      await world.advance(5_000 + 200);
      await world.end();
      return world.streams.every((stream) => stream.client.text === world.expected(stream));
    }),
  );
  t.pass();
});

t.test('without losses nothing is ever asked of the link', async (t) => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.nat(1_000), { maxLength: 30 }), async (pauses) => {
      const world = await LogWorld.make([]);
      world.open();
      await world.advance(10);
      for (const ms of pauses) {
        const n = world.add();
        world.publish(n);
        if (ms % 3 === 0) world.publish(n);
        await world.advance(ms);
      }
      await world.end();
      return world.asked === 1 && world.streams.every((stream) => stream.client.text === world.expected(stream));
    }),
  );
  t.pass();
});
