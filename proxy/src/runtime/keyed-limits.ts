/** How often something may happen, or how much there may be at a time, for each of many keys, such as addresses. */
import { Pace, type Rate } from '@holdfast/control-api';
import type { Clock } from './clock.js';

/**
 * Keys in each of two generations. With more than that within the time in which a bucket fills, the oldest are forgotten, and
 * their buckets are full again: a flood of new keys makes limits wider for the flood, and memory no larger.
 *
 * @limit {} keys of one limit in each of two generations, some 15 MB in all
 * @over the oldest keys start anew
 */
export const KEYS_MAX = 65_536;

/**
 * Buckets by key: of each only the moment is kept at which it is full again (see `Pace`). Costs one look-up for each event,
 * and nothing in between.
 */
export class KeyedRate {
  readonly #clock: Clock;
  readonly #pace: Pace;
  readonly #keysMax: number;
  #young = new Map<string, number>();
  #old = new Map<string, number>();

  constructor(rate: Rate, clock: Clock, keysMax = KEYS_MAX) {
    this.#clock = clock;
    this.#pace = new Pace(rate);
    this.#keysMax = keysMax;
  }

  /** Takes a token; 0 where there was one, else ms until there is one. What is refused takes nothing. */
  take(key: string): number {
    const now = this.#clock.monotonic();
    const full = Math.max(this.#young.get(key) ?? this.#old.get(key) ?? now, now);
    const wait = this.#pace.wait(full, now);
    if (wait > 0) return wait;
    if (this.#young.size >= this.#keysMax) {
      this.#old = this.#young;
      this.#young = new Map();
    }
    this.#young.set(key, full + this.#pace.interval);
    return 0;
  }

  /** Keys that are remembered. */
  get size(): number {
    return this.#young.size + this.#old.size;
  }
}

/** Counts by key. Only keys that have something take memory, so that it is bounded by what is counted. */
export class KeyedCount {
  /** Of each key. */
  readonly max: number;
  readonly #counts = new Map<string, number>();

  constructor(max: number) {
    this.max = max;
  }

  /** Counts one more, or returns false where the key has as many as it may. */
  add(key: string): boolean {
    const count = this.#counts.get(key) ?? 0;
    if (count >= this.max) return false;
    this.#counts.set(key, count + 1);
    return true;
  }

  /** Takes one off that `add` has counted. */
  remove(key: string): void {
    const count = this.#counts.get(key) ?? 0;
    if (count > 1) this.#counts.set(key, count - 1);
    else this.#counts.delete(key);
  }

  /** Keys that have something. */
  get size(): number {
    return this.#counts.size;
  }
}
