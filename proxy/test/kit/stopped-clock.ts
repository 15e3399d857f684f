/** A clock of the test's for a process that is stopped: time passes meanwhile, and no timer fires. */
import { ManualClock } from './manual-clock.js';

export class StoppedClock extends ManualClock {
  #stopped = 0;

  /** The process is stopped for so many ms. */
  stop(ms: number): void {
    this.#stopped += ms;
  }

  override monotonic(): number {
    return super.monotonic() + this.#stopped;
  }
}
