/** The port through which everything that depends on time reads it and waits for it. */
import type { Containment, Faulty } from '@holdfast/control-api';

/** A pending timer; give it back to `Clock.clear`. */
export interface Timer {
  readonly timer: unique symbol;
}

/**
 * Time as the proxy sees it. Handed to every part where time decides, so that tests drive it by hand.
 * Timers never keep the process alive.
 */
export interface Clock {
  /**
   * Whole milliseconds since some moment in the past, never less than before: for durations, as `after` counts them. Differs
   * between processes, and means nothing outside of this one.
   */
  monotonic(): number;
  /**
   * Milliseconds since the Unix epoch: for stamps that people, other processes or other machines read (signatures, views,
   * logs). It may be set to any other time at any moment: nothing is measured by it.
   */
  wall(): number;
  /**
   * Calls `run` once, `ms` milliseconds from now, 24.8 days at most; never synchronously. A fault of `run` ends `what`, the
   * request, hold or session whose timer it is.
   */
  after(ms: number, run: () => void, what?: Faulty): Timer;
  /** Cancels a timer. Clearing one that has fired, or undefined, does nothing. */
  clear(timer: Timer | undefined): void;
}

/** Longest delay that a timer takes; a longer one would fire at once. */
const MAX_DELAY_MS = 2 ** 31 - 1;

/**
 * Both times of a clock are whole ms, so that a timer for a moment of the wall clock may fire up to 1 ms before it. What must not count
 * any more when such a timer has fired ends by this earlier, in ms.
 */
export const ROUNDING_MS = 2;

/** The machine's clock. */
export const realClock: Clock = {
  monotonic: () => Math.trunc(performance.now()),
  wall: Date.now,
  after: (ms, run) => setTimeout(run, Math.min(ms, MAX_DELAY_MS)).unref() as unknown as Timer,
  clear: (timer) => clearTimeout(timer as unknown as NodeJS.Timeout | undefined),
};

/** The machine's clock, with faults of what it calls caught. */
export function guardedClock(faults: Containment): Clock {
  // One function for all timers, where a closure would be made for each.
  const fire = (run: () => void, what: Faulty | undefined) => {
    try {
      run();
    } catch (error) {
      faults.caught('timer', error, what);
    }
  };
  return {
    ...realClock,
    after: (ms, run, what) => setTimeout(fire, Math.min(ms, MAX_DELAY_MS), run, what).unref() as unknown as Timer,
  };
}

/** How far the two have to have moved apart for the wall clock to have been set, in ms; less is how exactly it is read. */
const SET_MS = 100;

/** How far the wall clock is ahead of the monotonic one, as it was read before. */
const ahead = new WeakMap<Clock, number>();

/**
 * What the wall clock would have shown at a moment of the monotonic one, as it goes now, in ISO 8601. The same each time, unless
 * the wall clock has been set.
 */
export function stampOf(clock: Clock, moment: number): string {
  const now = clock.wall() - clock.monotonic();
  const before = ahead.get(clock);
  const offset = before !== undefined && Math.abs(now - before) < SET_MS ? before : now;
  ahead.set(clock, offset);
  return new Date(moment + offset).toISOString();
}
