/** Time as this package sees it. The proxy brings the clocks: that of the machine, and one that tests move by hand. */
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
