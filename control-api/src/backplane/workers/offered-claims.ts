/** The claims that a worker has been offered and has not answered yet: the primary's end. */
import type { Clock } from '../../runtime/clock.js';
import type { ItemClaim } from '../backplane.js';

/**
 * How long a worker may take to say whether it has a subscriber for an item with `deliver: one`, in ms.
 *
 * @limit {s} for a worker to say whether it has a client for an item with `deliver: one`
 * @over another worker is asked
 */
export const WORKER_ANSWER_MS = 1_000;

/**
 * @limit {} items with `deliver: one` that a worker is asked about at a time
 * @over another worker is asked
 */
export const MAX_OFFERED = 1_000;

interface Offered {
  readonly claim: ItemClaim;
  readonly timer: unknown;
}

/** Claims by number. A worker that does not answer, or has gone, passes. */
export class OfferedClaims {
  readonly #clock: Clock;
  readonly #offered = new Map<number, Offered>();
  #count = 0;
  #isClosed = false;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** The number of a claim; undefined where there are too many, and it is passed. */
  offer(claim: ItemClaim): number | undefined {
    if (this.#isClosed || this.#offered.size >= MAX_OFFERED) {
      claim.pass();
      return undefined;
    }
    const n = ++this.#count;
    this.#offered.set(n, { claim, timer: this.#clock.after(WORKER_ANSWER_MS, () => this.pass(n)) });
    return n;
  }

  /** As `ItemClaim.take`; refused where it was answered before. */
  take(n: number): Promise<boolean> | undefined {
    const claim = this.#answered(n);
    return claim === undefined ? Promise.resolve(false) : claim.take();
  }

  /** As `ItemClaim.pass`. */
  pass(n: number): void {
    this.#answered(n)?.pass();
  }

  /** The worker has gone. */
  close(): void {
    this.#isClosed = true;
    for (const n of [...this.#offered.keys()]) this.pass(n);
  }

  #answered(n: number): ItemClaim | undefined {
    const offered = this.#offered.get(n);
    if (offered === undefined) return undefined;
    this.#offered.delete(n);
    this.#clock.clear(offered.timer);
    return offered.claim;
  }
}
