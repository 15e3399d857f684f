/** One token bucket that a peer has for itself. */
import type { Pace } from '@holdfast/control-api';

/**
 * One bucket, without a timer. While its owner is held back, tokens add up beyond the burst: what waits for it in the system's
 * buffers comes all at once afterwards, although it was sent at its time.
 */
export class Bucket {
  readonly #pace: Pace;
  #full: number;
  /** How much longer than the burst allows tokens were saved up, in ms. */
  #saved = 0;
  #heldSince: number | undefined;

  /** It is full at first. All times are of one monotonic clock. */
  constructor(pace: Pace, now: number) {
    this.#pace = pace;
    this.#full = now;
  }

  /** Takes a token, if there is one. What is refused takes nothing. */
  take(now: number): boolean {
    const full = Math.max(this.#full, now - this.#saved);
    if (this.#pace.wait(full, now) > 0) return false;
    this.#full = full + this.#pace.interval;
    this.#saved = Math.min(this.#saved, Math.max(0, now - this.#full));
    return true;
  }

  /** The owner is held back from now on. */
  hold(now: number): void {
    if (this.#heldSince !== undefined) return;
    this.#full = Math.max(this.#full, now - this.#saved);
    this.#heldSince = now;
  }

  /** It no longer is. */
  release(now: number): void {
    if (this.#heldSince === undefined) return;
    this.#saved += now - this.#heldSince;
    this.#heldSince = undefined;
  }
}
