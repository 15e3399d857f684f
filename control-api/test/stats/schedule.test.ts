import fc from 'fast-check';
import t from 'tap';
import { RefreshQueue } from '../../dist/stats/schedule.js';
import { ManualClock } from '../manual-clock.js';

t.test('each key comes at its own pace, however the others come and go', async (t) => {
  const clock = new ManualClock();
  const start = clock.monotonic();
  const runs: [string, number][] = [];
  const queue = new RefreshQueue(clock, 100, (key) => runs.push([key, clock.monotonic() - start]));
  queue.touch('a');
  clock.advance(30);
  queue.touch('b');
  clock.advance(10);
  queue.touch('c');
  queue.delete('a');
  clock.advance(200);
  t.same(runs, [
    ['b', 130],
    ['c', 140],
    ['b', 230],
    ['c', 240],
  ]);
  queue.close();
  t.equal(clock.pending, 0);
});

t.test('property: a key is due exactly one interval after it was last touched or run', async () => {
  const steps = fc.array(
    fc.tuple(
      fc.constantFrom('touch', 'delete', 'wait'),
      fc.constantFrom('a', 'b', 'c'),
      fc.integer({ min: 0, max: 250 }),
    ),
    { maxLength: 40 },
  );
  fc.assert(
    fc.property(steps, (list) => {
      const clock = new ManualClock();
      const due = new Map<string, number>();
      const queue = new RefreshQueue(clock, 100, (key) => {
        if (due.get(key) !== clock.monotonic()) throw new Error(`${key} at ${clock.monotonic()}, due ${due.get(key)}`);
        due.set(key, clock.monotonic() + 100);
      });
      for (const [what, key, ms] of list) {
        if (what === 'touch') {
          queue.touch(key);
          due.set(key, clock.monotonic() + 100);
        } else if (what === 'delete') {
          queue.delete(key);
          due.delete(key);
        } else clock.advance(ms);
        for (const [late, at] of due) if (at < clock.monotonic()) throw new Error(`${late} was missed`);
      }
    }),
  );
});
