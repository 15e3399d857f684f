/** Logs that others cannot flood: one with a bounded rate, and one with a line for each cause and second. */
import type { Clock } from './clock.js';
import type { Log } from './log.js';

/**
 * Warnings and errors within {@link WINDOW_MS}; more are counted and left out, so that they cannot fill a disk.
 *
 * @limit {} warnings and errors of the control API, and of the ZeroMQ sockets, in one window
 * @over left out; one line has their number
 */
export const WINDOW_LINES = 100;

/**
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

  /** With another window. */
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

/**
 * @limit {} causes that a log of causes distinguishes at a time
 * @over one line has the number of all further causes
 */
export const CAUSES_MAX = 100;

/**
 * @limit {s} in which a cause that goes on has one line, after its first; all causes have the same windows
 * @over one line has the number of repetitions
 */
export const CAUSE_MS = 1_000;

type Level = 'info' | 'warn';

/** A cause that was logged in this window or the one before. */
interface LoggedCause {
  level: Level;
  fields: object;
  message: string;
  /** How often it came since it was logged. */
  again: number;
}

/**
 * A log of causes. The first line of a cause is written at once. While it goes on there is one line at the end of each window of
 * `CAUSE_MS`, of its latest case, in which `again` says how many there were since the line before.
 */
export class CauseLog {
  readonly #log: Log;
  readonly #clock: Clock;
  readonly #logged = new Map<string, LoggedCause>();
  #leftOut = 0;
  #isWaiting = false;

  constructor(log: Log, clock: Clock) {
    this.#log = log;
    this.#clock = clock;
  }

  /** `cause` is the same for cases of which one line is enough, and holds nothing unbounded. */
  warn(cause: string, fields: object, message: string): void {
    this.#write('warn', cause, fields, message);
  }

  /** The same, for what only its client has to do with. */
  info(cause: string, fields: object, message: string): void {
    this.#write('info', cause, fields, message);
  }

  #write(level: Level, cause: string, fields: object, message: string): void {
    const logged = this.#logged.get(cause);
    if (logged !== undefined) {
      Object.assign(logged, { level, fields, message });
      logged.again++;
    } else if (this.#logged.size === CAUSES_MAX) this.#leftOut++;
    else {
      this.#logged.set(cause, { level, fields, message, again: 0 });
      this.#log[level](fields, message);
    }
    this.#wait();
  }

  #wait(): void {
    if (this.#isWaiting) return;
    this.#isWaiting = true;
    this.#clock.after(CAUSE_MS, () => this.#next());
  }

  #next(): void {
    this.#isWaiting = false;
    for (const [cause, logged] of this.#logged) {
      const { level, fields, message, again } = logged;
      if (again === 0) this.#logged.delete(cause);
      else {
        logged.again = 0;
        this.#log[level]({ ...fields, again }, message);
      }
    }
    if (this.#leftOut > 0) {
      this.#log.warn({ leftOut: this.#leftOut, within: CAUSE_MS }, 'lines left out, as there were too many causes');
      this.#leftOut = 0;
    }
    if (this.#logged.size > 0) this.#wait();
  }
}
