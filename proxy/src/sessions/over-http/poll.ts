/**
 * When an origin is asked although there is nothing new for it: Keep-Alive-Interval.
 */
import type { Faulty } from '@holdfast/control-api';
import type { Clock, Timer } from '../../runtime/clock.js';

/** The polls of one session: off until the origin asks for them, and then until it says otherwise. */
export class HttpPoll {
  readonly #clock: Clock;
  readonly #due: () => void;
  readonly #origin: Faulty | undefined;
  #interval: number | undefined;
  #timer: Timer | undefined;

  /** `due` is called once for each `await` that is not stopped; from the clock only. A fault of it ends `origin`. */
  constructor(clock: Clock, due: () => void, origin?: Faulty) {
    this.#clock = clock;
    this.#due = due;
    this.#origin = origin;
  }

  get enabled(): boolean {
    return this.#interval !== undefined;
  }

  /** Sets the interval in ms, or turns polling off; undefined changes nothing. */
  set(interval: number | 'off' | undefined): void {
    if (interval !== undefined) this.#interval = interval === 'off' ? undefined : interval;
  }

  /** The interval begins now, unless it has begun already or there is none. */
  await(): void {
    if (this.#interval === undefined) return;
    this.#timer ??= this.#clock.after(
      this.#interval,
      () => {
        this.#timer = undefined;
        this.#due();
      },
      this.#origin,
    );
  }

  stop(): void {
    this.#clock.clear(this.#timer);
    this.#timer = undefined;
  }
}
