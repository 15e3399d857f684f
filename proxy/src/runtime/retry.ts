/** The pauses between attempts of a failed request to an origin. */

/** Waits between the attempts, in ms; with the last one used up, the origin is given up. */
const DELAYS_MS = [1_000, 2_000, 4_000, 8_000, 16_000] as const;

/** So many ms at most are added at random, so that sessions that lost one origin together do not return together. */
const JITTER_MS = 1_000;

/** The repeats of one request. */
export class Retry {
  readonly #random: () => number;
  #failures = 0;

  /** `random` gives numbers from 0 to below 1. */
  constructor(random: () => number) {
    this.#random = random;
  }

  /** Counts a failure: ms until the next attempt, or undefined when there have been enough. */
  next(): number | undefined {
    const delay = DELAYS_MS[this.#failures++];
    return delay === undefined ? undefined : delay + Math.floor(this.#random() * JITTER_MS);
  }
}
