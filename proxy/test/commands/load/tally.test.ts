import fc from 'fast-check';
import t from 'tap';
import type { Schedule } from '../../../dist/commands/load/mark.js';
import { MAX_HOLES, Tally } from '../../../dist/commands/load/tally.js';

const schedule: Schedule = { run: 'run-1', first: 1_000_000, every: 100, last: 1_000 };

/** A client that is held before the first item is due, and gets these. */
function tallied(numbers: readonly number[], last = Math.max(0, ...numbers), unpublished: readonly number[] = []) {
  const tally = new Tally(1, 0);
  tally.schedule = schedule;
  tally.held(0, 999_000);
  for (const number of numbers) tally.take(0, { schedule, number }, 2_000_000);
  tally.finish(last, unpublished);
  return tally.counts;
}

t.test('lost, doubled and out of order are counted apart', async (t) => {
  t.match(tallied([1, 2, 3]), { received: 3, lost: 0, doubled: 0, disordered: 0 });
  t.match(tallied([1, 3]), { received: 2, lost: 1, doubled: 0, disordered: 0 });
  t.match(tallied([1, 3, 2]), { received: 3, lost: 0, doubled: 0, disordered: 1 });
  t.match(tallied([1, 2, 2, 3, 1]), { received: 3, lost: 0, doubled: 2, disordered: 0 });
  t.match(tallied([2, 1, 1]), { received: 2, lost: 0, doubled: 1, disordered: 1 });
  t.match(tallied([1], 4), { received: 1, lost: 3 }, 'what never came, at the end');
  t.match(tallied([], 4), { received: 0, lost: 4 });
});

t.test('nobody is owed what was not published', async (t) => {
  t.match(tallied([1, 4], 6, [2, 5]), { received: 2, lost: 2 });
  t.match(tallied([1, 2, 4], 4, [2]), { lost: 1 }, 'it came all the same');
});

t.test('any order of any items: the counts are those of a list that remembers everything', async (t) => {
  const numbers = fc.array(fc.integer({ min: 1, max: 30 }), { maxLength: 60 });
  const check = () =>
    fc.assert(
      fc.property(numbers, (list) => {
        const seen = new Set<number>();
        const expected = { received: 0, lost: 0, doubled: 0, disordered: 0 };
        let highest = 0;
        for (const number of list) {
          if (seen.has(number)) expected.doubled++;
          else if (number < highest) expected.disordered++;
          if (!seen.has(number)) expected.received++;
          seen.add(number);
          highest = Math.max(highest, number);
        }
        expected.lost = 30 - seen.size;
        const counts = tallied(list, 30);
        for (const [name, count] of Object.entries(expected)) {
          if (counts[name as keyof typeof expected] !== count) throw new Error(`${name}: ${JSON.stringify(counts)}`);
        }
      }),
    );
  t.doesNotThrow(check);
});

t.test('more holes than are remembered: the oldest stay lost, and the report says how many', async (t) => {
  const odd = Array.from({ length: MAX_HOLES + 2 }, (_, at) => 2 * at + 1);
  const counts = tallied([...odd, 2, MAX_HOLES * 2]);
  t.match(counts, { lost: MAX_HOLES, doubled: 1, disordered: 1, forgotten: 1 });
});

t.test('a client is owed what is due once it is held, and what comes from before is no delivery', async (t) => {
  const tally = new Tally(2, 0);
  tally.schedule = schedule;
  tally.held(0, 1_000_000 + 350);
  t.equal(tally.take(0, { schedule, number: 3 }, 1_000_400), undefined, 'due at 200');
  t.equal(tally.take(0, { schedule, number: 5 }, 1_000_450), 50, 'due at 400');
  tally.finish(6);
  t.match(tally.counts, { received: 1, early: 1, lost: 1 }, 'the other client was never held');
});

t.test('by another machine’s clock it is owed what is due some time after it is held', async (t) => {
  const tally = new Tally(1, 1_000);
  tally.held(0, 1_000_000);
  t.equal(tally.take(0, { schedule, number: 5 }, 1_000_450), undefined);
  t.equal(tally.take(0, { schedule, number: 11 }, 1_001_003), 3);
  tally.finish(12);
  t.match(tally.counts, { received: 1, early: 1, lost: 1 });
});

t.test('a client that comes again is owed what it missed', async (t) => {
  const tally = new Tally(1, 0);
  tally.schedule = schedule;
  tally.held(0, 999_000);
  tally.take(0, { schedule, number: 1 }, 1_000_000);
  tally.held(0, 1_000_650);
  tally.take(0, { schedule, number: 8 }, 1_000_700);
  tally.finish(8);
  t.match(tally.counts, { received: 2, lost: 6 });
});

t.test('items of other runs, and beyond the last, do not count', async (t) => {
  const tally = new Tally(1, 0);
  tally.held(0, 999_000);
  tally.take(0, { schedule, number: 0 }, 1_000_000);
  t.equal(tally.schedule, undefined, 'what is published to see whether it can be');
  tally.take(0, { schedule, number: 1 }, 1_000_000);
  tally.take(0, { schedule: { ...schedule, run: 'other' }, number: 900 }, 1_000_000);
  tally.take(0, { schedule: { ...schedule, last: 9_000 }, number: 9_000 }, 1_000_000);
  tally.finish(1);
  t.match(tally.counts, { received: 1, lost: 0 });
  t.equal(tally.foreign, 2);
  t.equal(tally.highest, 1);
});

t.test('who is behind', async (t) => {
  const tally = new Tally(4, 0);
  tally.schedule = schedule;
  for (const client of [0, 1, 2]) tally.held(client, 999_000);
  for (const number of [1, 2, 3]) tally.take(0, { schedule, number }, 1_000_300);
  for (const number of [1, 3]) tally.take(1, { schedule, number }, 1_000_300);
  t.equal(tally.behind(3), 2, 'one lacks an item, one all; the last was never held');
  tally.take(1, { schedule, number: 2 }, 1_000_300);
  t.equal(tally.behind(3), 1);
});
