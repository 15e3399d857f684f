/** How often something may happen for each of many keys, such as addresses: a token bucket for each in two numbers of a map. */
import type { Clock } from '../runtime/clock.js';
import { Pace, type Rate } from './bucket.js';

/**
 * Keys in each of two generations. With more than that within the time in which a bucket fills, the oldest are forgotten, and
 * their buckets are full again: a flood of new keys makes limits wider for the flood, and memory no larger.
 *
 * @limit {} keys of one limit in each of two generations, some 15 MB in all
 * @over the oldest keys start anew
 */
export const KEYS_MAX = 65_536;

/**
 * Buckets by key: of each only the moment is kept at which it is full again (see `bucket.ts`). Costs one look-up for each event,
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
