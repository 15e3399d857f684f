/** A clock that stands still until a test moves it, for the tests of this package and of those above it. */
import type { Clock } from '../dist/index.js';

interface PendingTimer {
  readonly at: number;
  readonly run: () => void;
}

/** Far from what is monotonic, so that one taken for the other shows. */
const WALL_AHEAD_MS = 1_000_000_000_000;

/** Fires what falls due in the order of time, and of setting for the same time. `Timer` is what `after` gives out. */
export class ManualClock<Timer = unknown> implements Clock {
  #now: number;
  /** How far the wall clock is ahead of the monotonic one, in ms. */
  #offset: number;
  readonly #timers = new Set<PendingTimer>();

  /** `start` is the first value of `monotonic()`, and `wall` that of `wall()`. */
  constructor(start = 1_000_000, wall = start + WALL_AHEAD_MS) {
    this.#now = start;
    this.#offset = wall - start;
  }

  monotonic(): number {
    return this.#now;
  }

  wall(): number {
    return this.#now + this.#offset;
  }

  /** Sets the wall clock forward by `ms`, or back where it is negative; no time passes. */
  setWall(ms: number): void {
    this.#offset += ms;
  }

  after(ms: number, run: () => void): Timer {
    const timer = { at: this.#now + ms, run };
    this.#timers.add(timer);
    return timer as Timer;
  }

  clear(timer: Timer | undefined): void {
    this.#timers.delete(timer as PendingTimer);
  }

  /** How many timers are pending. */
  get pending(): number {
    return this.#timers.size;
  }

  /** Moves time on by `ms`, firing what falls due on the way. */
  advance(ms: number): void {
    const until = this.#now + ms;
    for (;;) {
      let next: PendingTimer | undefined;
      for (const timer of this.#timers)
        if (timer.at <= until && (next === undefined || timer.at < next.at)) next = timer;
      if (next === undefined) break;
      this.#timers.delete(next);
      this.#now = Math.max(this.#now, next.at);
      next.run();
    }
    this.#now = until;
  }
}
