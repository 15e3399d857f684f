/**
 * The generic cell rate algorithm (ITU-T I.371): token buckets of which one number is kept each, the moment at which the bucket is
 * full again. Buckets by key, and those of keys and sessions, are made of it where they are used.
 */

/** So many tokens per second, of which at most `burst` can be saved up. */
export interface Rate {
  /** Per second, above 0. */
  readonly perSecond: number;
  /** 1 at least. */
  readonly burst: number;
}

/** What the buckets of one limit have in common: the arithmetic. All times are in ms of one monotonic clock. */
export class Pace implements Rate {
  readonly perSecond: number;
  readonly burst: number;
  /** Between two tokens, in ms. */
  readonly interval: number;
  readonly #tolerance: number;

  constructor({ perSecond, burst }: Rate) {
    this.perSecond = perSecond;
    this.burst = burst;
    this.interval = 1_000 / perSecond;
    this.#tolerance = this.interval * burst;
  }

  /**
   * Ms until there are so many tokens in a bucket that is full at `full`; 0 or less: they are there, and who takes them makes the
   * bucket full so many times `interval` later. For more than one token `full` is not in the past: the burst would have grown.
   */
  wait(full: number, now: number, tokens = 1): number {
    return full + this.interval * tokens - this.#tolerance - now;
  }

  /** Tokens in a bucket that is full at `full`, which is not in the past; not rounded, and less than 0 where it is in debt. */
  left(full: number, now: number): number {
    return (this.#tolerance - (full - now)) / this.interval;
  }
}
