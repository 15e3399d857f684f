/** The watch over slow readers by itself, on a clock of the test's. */
import { uncontained } from '@holdfast/control-api';
import t from 'tap';
import { WriteWatch } from '../../dist/edge/write-watch.js';
import { StoppedClock } from '../kit/stopped-clock.js';

/** A watch of 8 s over writers that are names; what waits for each is in `progress`. */
function fixture(timeout = 8_000) {
  const clock = new StoppedClock();
  const progress = new Map<string, string>();
  const cut: string[] = [];
  const watch = new WriteWatch<string>(timeout, {
    clock,
    faults: uncontained,
    progress: (name) => progress.get(name),
    cut: (name) => void cut.push(name),
  });
  return { clock, progress, cut, watch };
}

t.test('a writer is cut once nothing has moved for the time, and not before', async (t) => {
  const { clock, progress, cut, watch } = fixture();
  progress.set('a', '1');
  watch.add('a');
  for (let second = 0; second < 7; second++) clock.advance(1_000);
  t.strictSame(cut, []);
  clock.advance(1_000);
  t.strictSame(cut, ['a']);
  clock.advance(2_000);
  clock.advance(2_000);
  t.strictSame(cut, ['a'], 'once');
});

t.test('one that moves stays, and one that has nothing to write is let go of', async (t) => {
  const { clock, progress, cut, watch } = fixture();
  for (const name of ['moves', 'done', 'gone']) {
    progress.set(name, '0');
    watch.add(name);
  }
  for (let look = 1; look < 10; look++) {
    progress.set('moves', `${look}`);
    if (look === 2) progress.delete('done');
    if (look === 3) watch.delete('gone');
    clock.advance(2_000);
  }
  t.strictSame(cut, []);
  progress.set('done', '1');
  clock.advance(2_000);
  clock.advance(2_000);
  t.strictSame(cut, [], 'it is not watched any more');
});

t.test('after a pause of the process everybody has their time again', async (t) => {
  const { clock, progress, cut, watch } = fixture();
  progress.set('a', '1');
  watch.add('a');
  clock.stop(60_000);
  clock.advance(2_000);
  t.strictSame(cut, []);
  for (let look = 0; look < 4; look++) clock.advance(2_000);
  t.strictSame(cut, ['a']);
});

t.test('a time of 0 watches nobody', async (t) => {
  const { clock, progress, cut, watch } = fixture(0);
  progress.set('a', '1');
  watch.add('a');
  clock.advance(1_000_000);
  t.strictSame(cut, []);
});
