/** When a keep-alive is due on a held connection, or a link because nothing has come for its time. */
import type { Faulty } from '@holdfast/control-api';
import type { KeepAlive } from '@holdfast/grip';
import type { Clock, Timer } from './clock.js';

/**
 * So many ms at most are taken off each period at random, so that holds opened together do not tick at the same time.
 *
 * @limit {s} at most, at random, by which a keep-alive is early
 * @over –
 */
const JITTER_MS = 1_000;

/**
 * Ticks every `timeout` seconds: counted from the last tick (`interval`) or from the last bytes sent (`idle`). Items
 * only note the time: the timer, when it fires too early, is set anew. So a delivery costs no timer.
 */
export class KeepAliveTimer {
  readonly #keepAlive: Pick<KeepAlive, 'mode' | 'timeout'>;
  readonly #clock: Clock;
  readonly #random: () => number;
  readonly #tick: () => void;
  readonly #what: Faulty | undefined;
  #last: number;
  #period = 0;
  #timer: Timer | undefined;

  /**
   * `what` is ended by a fault of `tick`. `since`, by the monotonic clock, is the `last` of the timer that this one follows:
   * now if there was none.
   */
  constructor(
    keepAlive: Pick<KeepAlive, 'mode' | 'timeout'>,
    clock: Clock,
    random: () => number,
    tick: () => void,
    what?: Faulty,
    since = clock.monotonic(),
  ) {
    this.#keepAlive = keepAlive;
    this.#clock = clock;
    this.#random = random;
    this.#tick = tick;
    this.#what = what;
    this.#last = since;
    this.#next();
  }

  /** From when the present period counts, by the monotonic clock. */
  get last(): number {
    return this.#last;
  }

  /** Something was sent at `at` (by the monotonic clock). */
  sent(at: number): void {
    if (this.#keepAlive.mode === 'idle') this.#last = at;
  }

  stop(): void {
    this.#clock.clear(this.#timer);
    this.#timer = undefined;
  }

  #next(): void {
    const jitter = Math.floor(this.#random() * JITTER_MS);
    // Jitter must not make a period of nothing; a link may ask for one.
    this.#period = Math.max(jitter === 0 ? 0 : 1, this.#keepAlive.timeout * 1_000 - jitter);
    this.#arm(Math.max(0, this.#last + this.#period - this.#clock.monotonic()));
  }

  #arm(ms: number): void {
    this.#timer = this.#clock.after(
      ms,
      () => {
        const early = this.#last + this.#period - this.#clock.monotonic();
        if (early > 0) {
          this.#arm(early);
          return;
        }
        this.#last = this.#clock.monotonic();
        this.#next();
        this.#tick();
      },
      this.#what,
    );
  }
}
