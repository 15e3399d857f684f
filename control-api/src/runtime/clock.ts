/** Time as this package sees it, and a deadline for what the backplane is asked. The proxy brings the clock. */
import { type ControlError, unavailable } from '../errors.js';
import type { Faulty } from './faults.js';

/** The proxy's clock, seen from here: what `after` returns is handed back to `clear` and not looked at. */
export interface Clock {
  /**
   * Whole milliseconds since some moment in the past, never less than before: for durations. Differs between processes, and means
   * nothing outside of this one.
   */
  monotonic(): number;
  /**
   * Milliseconds since the Unix epoch: for stamps that people, other processes or other machines read. It may be set to any
   * other time at any moment: nothing is measured by it.
   */
  wall(): number;
  /** Calls `run` once, `ms` milliseconds from now; never synchronously. A fault of `run` ends `what`. */
  after(ms: number, run: () => void, what?: Faulty): unknown;
  /** Forgets a timer. Clearing one that has fired, or undefined, does nothing. */
  clear(timer: unknown): void;
}

/**
 * As the promise, but rejects with the error of `late` when it takes longer than so many milliseconds; what comes of it
 * afterwards is ignored. Left out, the error is ERR_BACKPLANE_UNAVAILABLE.
 */
export async function within<T>(clock: Clock, ms: number, promise: Promise<T>, late = noAnswer): Promise<T> {
  let timer: unknown;
  const timeout = new Promise<never>((_, reject) => {
    timer = clock.after(ms, () => reject(late()));
  });
  try {
    return await Promise.race([promise, timeout]);
  } finally {
    clock.clear(timer);
  }
}

function noAnswer(): ControlError {
  return unavailable('The backplane did not answer in time.');
}
