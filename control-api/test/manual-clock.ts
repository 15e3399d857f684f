/** A clock that stands still until a test moves it. */
import type { Clock } from '../dist/index.js';

interface Timer {
  readonly at: number;
  readonly run: () => void;
}

/** Fires what falls due in the order of time, and of setting for the same time. */
export class ManualClock implements Clock {
  #now = 1_000_000;
  /** How far the wall clock is ahead of the monotonic one, in ms. */
  #offset = 1_000_000_000_000;
  readonly #timers = new Set<Timer>();

  /** How many timers are pending. */
  get pending(): number {
    return this.#timers.size;
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

  after(ms: number, run: () => void): unknown {
    const timer = { at: this.#now + ms, run };
    this.#timers.add(timer);
    return timer;
  }

  clear(timer: unknown): void {
    this.#timers.delete(timer as Timer);
  }

  /** Moves time on by `ms`. */
  advance(ms: number): void {
    const until = this.#now + ms;
    for (;;) {
      const due = [...this.#timers].filter(({ at }) => at <= until).sort((a, b) => a.at - b.at);
      const [next] = due;
      if (next === undefined) break;
      this.#timers.delete(next);
      this.#now = Math.max(this.#now, next.at);
      next.run();
    }
    this.#now = until;
  }
}
