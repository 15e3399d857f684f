/**
 * Owns: that what goes wrong again and again is told once per cause and second, with how often it was. Does not own: what is
 * told, or the log behind it.
 */
import type { Clock } from './clock.js';
import type { Log } from './log.js';

/**
 * Causes that are told apart at a time; of further ones only their number is told.
 *
 * @limit {} causes that a log of causes distinguishes at a time
 * @over one line has the number of all further causes
 */
export const CAUSES_MAX = 100;

/**
 * How long a cause that was told is not told again, in ms.
 *
 * @limit {s} between two lines about the same cause
 * @over one line has the number of repetitions
 */
export const CAUSE_MS = 1_000;

type Level = 'info' | 'warn';

/** A cause that was told in this window or the one before. */
interface Told {
  level: Level;
  fields: object;
  message: string;
  /** How often it came since it was told. */
  again: number;
}

/**
 * A log of causes. The first line of a cause is written at once. While it goes on there is one line in `CAUSE_MS`, of its
 * latest case, in which `again` says how many there were since the line before.
 */
export class CauseLog {
  readonly #log: Log;
  readonly #clock: Clock;
  readonly #told = new Map<string, Told>();
  #leftOut = 0;
  #isWaiting = false;

  constructor(log: Log, clock: Clock) {
    this.#log = log;
    this.#clock = clock;
  }

  /** `cause` tells cases apart: the same for those of which one line is enough, and with nothing in it that has no bound. */
  warn(cause: string, fields: object, message: string): void {
    this.#tell('warn', cause, fields, message);
  }

  /** The same, for what only its client has to do with. */
  info(cause: string, fields: object, message: string): void {
    this.#tell('info', cause, fields, message);
  }

  #tell(level: Level, cause: string, fields: object, message: string): void {
    const told = this.#told.get(cause);
    if (told !== undefined) {
      Object.assign(told, { level, fields, message });
      told.again++;
    } else if (this.#told.size === CAUSES_MAX) this.#leftOut++;
    else {
      this.#told.set(cause, { level, fields, message, again: 0 });
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
    for (const [cause, told] of this.#told) {
      const { level, fields, message, again } = told;
      if (again === 0) this.#told.delete(cause);
      else {
        told.again = 0;
        this.#log[level]({ ...fields, again }, message);
      }
    }
    if (this.#leftOut > 0) {
      this.#log.warn({ leftOut: this.#leftOut, within: CAUSE_MS }, 'lines left out, as there were too many causes');
      this.#leftOut = 0;
    }
    if (this.#told.size > 0) this.#wait();
  }
}
