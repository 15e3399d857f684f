/** When something is due again: a keep-alive of what is held, or a further attempt of a failed request. */
import type { Faulty } from '@holdfast/control-api';
import type { KeepAlive } from '@holdfast/grip';
import type { Clock, Timer } from './clock.js';

/**
 * So many ms at most are taken off each period at random, and added to the wait for each further attempt: what began together is
 * not to come together.
 *
 * @limit {s} at most, at random, by which a keep-alive is early, and a further attempt late
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

/** Waits between the attempts, in ms; with the last one used up, the origin is given up. */
const DELAYS_MS = [1_000, 2_000, 4_000, 8_000, 16_000] as const;

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
