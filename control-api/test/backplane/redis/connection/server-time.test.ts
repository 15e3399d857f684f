/** What a node makes of a server's clock. */
import fc from 'fast-check';
import t from 'tap';
import { parseTime, ServerTime, TIME_SAMPLES } from '../../../../dist/backplane/redis/connection/server-time.js';

/** The server's clock at 0 of this process's, in ms since the Unix epoch. */
const AHEAD = 1_700_000_000_000;

t.test('nothing is known before the first answer, nor after the connection was another', async (t) => {
  const time = new ServerTime();
  t.equal(time.since(AHEAD, 0), undefined);
  time.sampled(Number.NaN, 0, 1);
  t.equal(time.since(AHEAD, 0), undefined);
  time.sampled(AHEAD, 0, 0);
  t.equal(time.since(AHEAD - 5, 10), 15);
  time.forget();
  t.equal(time.since(AHEAD, 0), undefined);
});

t.test('the fastest of the last answers counts', async (t) => {
  const time = new ServerTime();
  // Slow on the way back only: the middle is 15 ms off.
  time.sampled(AHEAD + 1_000, 1_000, 1_030);
  t.equal(time.since(AHEAD + 2_000, 2_000), 0);
  t.equal(time.since(AHEAD + 1_900, 2_000), 85);
  time.sampled(AHEAD + 3_001, 3_000, 3_002);
  t.equal(time.since(AHEAD + 3_900, 4_000), 100);
  for (let i = 2; i < TIME_SAMPLES + 1; i++) time.sampled(AHEAD + 3_000 * i, 3_000 * i, 3_000 * i + 30);
  t.equal(time.since(AHEAD + 3_900, 4_000), 100, 'the fast one is among them');
  time.sampled(AHEAD + 40_000, 40_000, 40_030);
  t.equal(time.since(AHEAD + 39_900, 40_000), 85, 'it is not any more');
});

t.test('what the server accepted in the future, as far as is known, was accepted now', async (t) => {
  const time = new ServerTime();
  time.sampled(AHEAD, 0, 2);
  t.equal(time.since(AHEAD + 60_000, 1), 0);
});

t.test('a clock that is set is believed at the next answer', async (t) => {
  for (const step of [3_600_000, -3_600_000, 30]) {
    const time = new ServerTime();
    for (let i = 0; i < TIME_SAMPLES; i++) time.sampled(AHEAD + 3_000 * i, 3_000 * i, 3_000 * i);
    time.sampled(AHEAD + 60_000 + step, 60_000, 60_004);
    t.equal(time.since(AHEAD + step + 59_000, 60_000), 998);
  }
});

t.test('property: no estimate is further off than half of the fastest answer', async () => {
  const answers = fc.array(fc.record({ there: fc.nat(500), back: fc.nat(500) }), { minLength: 1, maxLength: 50 });
  fc.assert(
    fc.property(answers, (list) => {
      const time = new ServerTime();
      let now = 0;
      const last: number[] = [];
      for (const { there, back } of list) {
        time.sampled(AHEAD + now + there, now, now + there + back);
        last.push(there + back);
        now += 3_000;
      }
      const error = Math.min(...last.slice(-TIME_SAMPLES)) / 2;
      return Math.abs((time.since(AHEAD, now) ?? Number.NaN) - now) <= error;
    }),
  );
});

t.test('a reply to TIME', async (t) => {
  t.equal(parseTime(['1700000000', '123456']), 1_700_000_000_123.456);
  for (const reply of ['OK', undefined, null, [], ['x', 'y']]) t.ok(Number.isNaN(parseTime(reply)));
});
