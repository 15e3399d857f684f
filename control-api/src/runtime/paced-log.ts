/** A log whose warnings and errors come at a bounded rate, for parts where others can cause them. */
import type { Clock } from './clock.js';
import type { Log } from './log.js';

/**
 * Warnings and errors within {@link WINDOW_MS}; more are counted and left out, so that nobody can fill a disk with them.
 *
 * @limit {} warnings and errors of the control API, and of the ZeroMQ sockets, in one window
 * @over left out; one line has their number
 */
export const WINDOW_LINES = 100;

/**
 * Milliseconds from a line until the count begins anew.
 *
 * @limit {s} as the length of such a window
 * @over the count starts again
 */
export const WINDOW_MS = 10_000;

/** Passes debug and info lines on; of the others as many as a window takes, and then one with the number of the rest. */
export class PacedLog implements Log {
  readonly #log: Log;
  readonly #clock: Clock;
  #lines = 0;
  #leftOut = 0;

  constructor(log: Log, clock: Clock) {
    this.#log = log;
    this.#clock = clock;
  }

  debug(fields: object, message: string): void {
    this.#log.debug(fields, message);
  }

  info(fields: object, message: string): void {
    this.#log.info(fields, message);
  }

  warn(fields: object, message: string): void {
    if (this.#passes()) this.#log.warn(fields, message);
  }

  error(fields: object, message: string): void {
    if (this.#passes()) this.#log.error(fields, message);
  }

  isDebug(): boolean {
    return this.#log.isDebug();
  }

  /** With a window of its own. */
  child(part: string): Log {
    return new PacedLog(this.#log.child(part), this.#clock);
  }

  #passes(): boolean {
    if (this.#lines === 0) this.#clock.after(WINDOW_MS, () => this.#begin());
    if (this.#lines === WINDOW_LINES) {
      this.#leftOut++;
      return false;
    }
    this.#lines++;
    return true;
  }

  #begin(): void {
    const leftOut = this.#leftOut;
    this.#lines = 0;
    this.#leftOut = 0;
    if (leftOut > 0) this.#log.warn({ leftOut, within: WINDOW_MS }, 'lines left out, as there were too many');
  }
}
