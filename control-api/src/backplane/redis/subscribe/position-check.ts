/**
 * Looks now and then whether quiet channels have fallen behind: a lost last message leaves no hole that would show it.
 *
 * Owns: when to look. Does not own: what is done (interest.ts).
 */
import type { Clock } from '../../../runtime/clock.js';
import { POSITION_CHECK_MS } from '../limits.js';

/** Calls `check` after one to two times {@link POSITION_CHECK_MS}, again and again, until it is stopped. */
export class PositionCheck {
  readonly #clock: Clock;
  readonly #random: () => number;
  readonly #check: () => void;
  #timer: unknown;

  constructor(clock: Clock, random: () => number, check: () => void) {
    this.#clock = clock;
    this.#random = random;
    this.#check = check;
  }

  start(): void {
    // Jitter keeps the nodes from asking all at the same moment.
    this.#timer = this.#clock.after(POSITION_CHECK_MS * (1 + this.#random()), () => {
      this.start();
      this.#check();
    });
  }

  stop(): void {
    this.#clock.clear(this.#timer);
    this.#timer = undefined;
  }
}
