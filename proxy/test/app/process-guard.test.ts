import { uncontained } from '@holdfast/control-api';
import t from 'tap';
import { PROCESS_FAULTS_MAX, ProcessGuard, WINDOW_MS } from '../../dist/app/process-guard.js';
import { ManualClock } from '../kit/manual-clock.js';

/** A guard, and what a process would do. */
function guarded() {
  const clock = new ManualClock();
  let caught = 0;
  let ends = 0;
  let throwOne = (_error: unknown): void => {};
  const events = {
    on: (_event: 'uncaughtException', listener: (error: unknown) => void) => {
      throwOne = listener;
    },
  };
  const faults = { ...uncontained, caught: () => void caught++ };
  const guard = new ProcessGuard(events, faults, clock, () => void ends++);
  const throwMany = (count: number) => {
    for (let i = 0; i < count; i++) throwOne(new Error('nobody caught it'));
  };
  return { guard, clock, throwMany, counts: () => ({ caught, ends }) };
}

t.test('a start that throws ends, once', async (t) => {
  const { throwMany, counts } = guarded();
  throwMany(2);
  t.strictSame(counts(), { caught: 2, ends: 1 });
});

t.test('a process that serves goes on, unless there are too many within a minute', async (t) => {
  const { guard, clock, throwMany, counts } = guarded();
  guard.started();
  throwMany(PROCESS_FAULTS_MAX - 1);
  clock.advance(WINDOW_MS + 1);
  throwMany(PROCESS_FAULTS_MAX - 1);
  t.strictSame(counts(), { caught: 2 * PROCESS_FAULTS_MAX - 2, ends: 0 });
  throwMany(2);
  t.strictSame(counts(), { caught: 2 * PROCESS_FAULTS_MAX, ends: 1 });
});
