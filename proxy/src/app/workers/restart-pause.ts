/** How long the place of a worker that has ended stays empty. */

/**
 * A worker that lasted so long, in ms, has nothing to do with the one before it.
 *
 * @limit {s} after which a worker counts as steady
 * @over its replacement starts at once
 */
const STEADY_MS = 60_000;

/**
 * After the first restart, which is at once: ms, doubled each time up to the last.
 *
 * @limit {s} before a worker is started again, after the first restart, which is at once; doubled each time up to
 *   `LAST_PAUSE_MS`
 * @over –
 */
const FIRST_PAUSE_MS = 500;
/**
 * @limit {s} as the longest such pause
 * @over –
 */
const LAST_PAUSE_MS = 30_000;

/** The restarts of one place. */
export class RestartPause {
  #failures = 0;

  /** A worker ended after so many ms: how many ms to wait before the next is started. */
  next(lasted: number): number {
    if (lasted >= STEADY_MS) this.#failures = 0;
    const pause = this.#failures === 0 ? 0 : Math.min(FIRST_PAUSE_MS * 2 ** (this.#failures - 1), LAST_PAUSE_MS);
    this.#failures++;
    return pause;
  }
}
