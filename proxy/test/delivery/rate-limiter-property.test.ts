import fc from 'fast-check';
import t from 'tap';
import { type Connection, delivery, LimiterFixture } from './rate-limiter-fixture.js';

/** Items, each to some of six connections on three routes, in time. */
const plays = fc.record({
  messageRate: fc.integer({ min: 1, max: 400 }),
  messageHwm: fc.oneof(fc.constant(Number.POSITIVE_INFINITY), fc.integer({ min: 1, max: 20 })),
  items: fc.array(
    fc.record({
      to: fc.subarray([0, 1, 2, 3, 4, 5]),
      bytes: fc.oneof(fc.constant(1), fc.nat(50)),
      after: fc.oneof(fc.constant(0), fc.nat(120)),
    }),
    { maxLength: 40 },
  ),
});

function play(
  { messageRate, messageHwm, items }: typeof plays extends fc.Arbitrary<infer P> ? P : never,
  messageBlockSize = Number.POSITIVE_INFINITY,
) {
  const fixture = new LimiterFixture({ messageRate, messageHwm, messageBlockSize });
  const all = ['', 'blue', 'green'].flatMap((route) => fixture.connections(2, `${route}-`, route));
  let offered = 0;
  let taken = 0;
  for (const [i, { to, bytes, after }] of items.entries()) {
    fixture.clock.advance(after);
    offered += to.length;
    taken += fixture.limiter.offer(
      delivery(`${i}`, { bytes }),
      to.map((n) => all[n] as Connection),
    );
  }
  fixture.clock.advance(10 * 60_000);
  return { fixture, offered, taken };
}

t.test('every delivery that was not dropped is made exactly once, in order for each connection', async (t) => {
  fc.assert(
    fc.property(plays, (given) => {
      const { fixture, offered, taken } = play(given, 10);
      const last = new Map<string, number>();
      for (const { to, item } of fixture.went) {
        if (Number(item) <= (last.get(to) ?? -1)) return false;
        last.set(to, Number(item));
      }
      const { went, dropped, limiter } = fixture;
      return went.length === taken && dropped.length === offered - taken && limiter.waiting === 0;
    }),
  );
  t.end();
});

t.test('no window of time sees more than its ticks have shares', async (t) => {
  fc.assert(
    fc.property(plays, (given) => {
      const { went } = play(given).fixture;
      const tick = given.messageRate < 40 ? Math.round(1_000 / given.messageRate) : 25;
      const share = Math.ceil((given.messageRate * 25) / 1_000);
      return went.every(({ at }, i) => {
        const before = went[i - 2 * share];
        // A tick begins with an item where the node was idle: any window as long as a tick touches two at most.
        return before === undefined || at - before.at >= tick;
      });
    }),
  );
  t.end();
});

t.test('the log tells of every drop', async (t) => {
  fc.assert(
    fc.property(plays, (given) => {
      const { dropped, lines } = play(given).fixture;
      return dropped.length === lines.reduce((sum, { fields }) => sum + (fields as { dropped: number }).dropped, 0);
    }),
  );
  t.end();
});
