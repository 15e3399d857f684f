/** When the feed sends: changes after a moment, many of them in one packet, and announcements again before they expire. */
import type { Clock } from '../runtime/clock.js';

/** Milliseconds by which packets about changes may be late; as in Pushpin. */
export const BATCH_MS = 100;

/** Runs its work {@link BATCH_MS} after the first `arm` since it last ran. */
export class Batch {
  readonly #clock: Clock;
  readonly #work: () => void;
  #timer: unknown;

  constructor(clock: Clock, work: () => void) {
    this.#clock = clock;
    this.#work = work;
  }

  arm(): void {
    this.#timer ??= this.#clock.after(BATCH_MS, () => {
      this.#timer = undefined;
      this.#work();
    });
  }

  /** Drops what is put off. */
  close(): void {
    this.#clock.clear(this.#timer);
    this.#timer = undefined;
  }
}

/** Share of a time to live after which an announcement is repeated, so that one lost packet does no harm. */
export const REFRESH_SHARE = 0.4;

/**
 * Calls `run` for a key every `interval` milliseconds after it was added. As all intervals are the same, the keys in the
 * order of their insertion are in the order in which they fall due: each step is O(1), however many there are.
 */
export class RefreshQueue {
  readonly #clock: Clock;
  readonly #interval: number;
  readonly #run: (key: string) => void;
  readonly #due = new Map<string, number>();
  #timer: unknown;

  /** An interval of 0 means never. */
  constructor(clock: Clock, interval: number, run: (key: string) => void) {
    this.#clock = clock;
    this.#interval = interval;
    this.#run = run;
  }

  /** Adds a key, or puts off one that is there by a whole interval. */
  touch(key: string): void {
    if (this.#interval <= 0) return;
    this.#put(key);
    this.#arm();
  }

  /** Forgets a key. */
  delete(key: string): void {
    this.#due.delete(key);
  }

  /** Forgets all. */
  close(): void {
    this.#due.clear();
    this.#clock.clear(this.#timer);
    this.#timer = undefined;
  }

  #put(key: string): void {
    this.#due.delete(key);
    this.#due.set(key, this.#clock.monotonic() + this.#interval);
  }

  /** Left alone when the first key goes: a timer that finds nothing due is cheaper than one per change. */
  #arm(): void {
    if (this.#timer !== undefined) return;
    const [first] = this.#due.values();
    if (first === undefined) return;
    this.#timer = this.#clock.after(Math.max(1, first - this.#clock.monotonic()), () => {
      this.#timer = undefined;
      this.#runDue();
      this.#arm();
    });
  }

  #runDue(): void {
    const now = this.#clock.monotonic();
    for (const [key, due] of this.#due) {
      if (due > now) return;
      this.#put(key);
      this.#run(key);
    }
  }
}
