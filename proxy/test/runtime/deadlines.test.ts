import t from 'tap';
import { Deadlines } from '../../dist/runtime/deadlines.js';

/** All that is due, in the order in which it comes. */
function drain(deadlines: Deadlines<string>, now: number): string[] {
  const taken: string[] = [];
  for (let what = deadlines.take(now); what !== undefined; what = deadlines.take(now)) taken.push(what);
  return taken;
}

t.test('the earliest comes first, and nothing before its time', async (t) => {
  const deadlines = new Deadlines<string>();
  for (const [what, due] of Object.entries({ e: 50, a: 10, d: 40, b: 20, c: 30 })) deadlines.set(what, due);
  t.equal(deadlines.first, 10);
  t.equal(deadlines.of('d'), 40);
  t.strictSame(drain(deadlines, 9), []);
  t.strictSame(drain(deadlines, 30), ['a', 'b', 'c']);
  t.strictSame(drain(deadlines, 1_000), ['d', 'e']);
  t.strictSame([deadlines.size, deadlines.first, deadlines.of('d')], [0, undefined, undefined]);
});

t.test('a later moment takes the place of the first, and what is deleted does not come', async (t) => {
  const deadlines = new Deadlines<string>();
  deadlines.set('a', 10);
  deadlines.set('b', 20);
  deadlines.set('a', 30);
  deadlines.set('c', 5);
  deadlines.delete('c');
  deadlines.delete('c');
  deadlines.delete('never there');
  t.strictSame([deadlines.size, deadlines.first], [2, 20]);
  t.strictSame(drain(deadlines, 100), ['b', 'a']);
});

t.test('after any mix of sets and deletes what is left comes in order', async (t) => {
  // A fixed sequence of numbers that looks random.
  let state = 1;
  const next = (below: number) => {
    state = (state * 48_271) % 0x7fff_ffff;
    return state % below;
  };
  const deadlines = new Deadlines<number>();
  const expected = new Map<number, number>();
  for (let i = 0; i < 20_000; i++) {
    const what = next(300);
    if (next(3) === 0) {
      deadlines.delete(what);
      expected.delete(what);
    } else {
      const due = next(1_000);
      deadlines.set(what, due);
      expected.set(what, due);
    }
    if (i % 200 === 199) t.equal(deadlines.first, Math.min(...expected.values()), `step ${i}`);
  }
  t.equal(deadlines.size, expected.size);
  const moments: number[] = [];
  for (let what = deadlines.take(1_000); what !== undefined; what = deadlines.take(1_000)) {
    moments.push(expected.get(what) as number);
    expected.delete(what);
  }
  t.equal(expected.size, 0);
  t.strictSame(
    moments,
    moments.toSorted((a, b) => a - b),
  );
});
