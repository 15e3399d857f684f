/** Work that is put off for a moment, so that many causes make one packet. */
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
