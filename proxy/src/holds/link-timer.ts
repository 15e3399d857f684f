/** Owns: when a stream has been silent for so long that its next link is due. Does not own: fetching it. */
import type { Faulty } from '@holdfast/control-api';
import type { Clock, Timer } from '../runtime/clock.js';

/** Like keep-alives: items only note the time, and a timer that fires too early is set anew. */
export class LinkTimer {
  readonly #clock: Clock;
  readonly #timeout: number;
  readonly #due: () => void;
  readonly #what: Faulty | undefined;
  #last: number;
  #timer: Timer | undefined;

  /** `timeout` in ms; `what` is ended by a fault of `due`. */
  constructor(clock: Clock, timeout: number, due: () => void, what?: Faulty) {
    this.#clock = clock;
    this.#timeout = timeout;
    this.#due = due;
    this.#what = what;
    this.#last = clock.monotonic();
    this.#arm(timeout);
  }

  /** Something came on one of the channels at `at` (by the monotonic clock). */
  active(at: number): void {
    this.#last = at;
  }

  stop(): void {
    this.#clock.clear(this.#timer);
  }

  #arm(ms: number): void {
    this.#timer = this.#clock.after(
      ms,
      () => {
        const early = this.#last + this.#timeout - this.#clock.monotonic();
        if (early > 0) this.#arm(early);
        else this.#due();
      },
      this.#what,
    );
  }
}
