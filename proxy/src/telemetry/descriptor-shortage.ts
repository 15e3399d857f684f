/** The log lines about clients that are turned away for want of file descriptors. */
import type { Log } from '@holdfast/control-api';
import type { Clock } from '../runtime/clock.js';
import type { Descriptors } from '../runtime/descriptors.js';

/** One line in so many ms, however many connections there were. */
export const REPORT_MS = 10_000;

/** Logs a shortage. */
export class DescriptorShortage {
  readonly #descriptors: Pick<Descriptors, 'limit' | 'reserve'>;
  readonly #log: Log;
  readonly #clock: Clock;
  #closed = 0;
  #isQuiet = false;

  constructor(descriptors: Pick<Descriptors, 'limit' | 'reserve'>, log: Log, clock: Clock) {
    this.#descriptors = descriptors;
    this.#log = log;
    this.#clock = clock;
  }

  /** A connection was closed. The first one is logged at once, those after it together. */
  turnedAway(): void {
    this.#closed++;
    if (!this.#isQuiet) this.#report();
  }

  #report(): void {
    const { limit, reserve } = this.#descriptors;
    const text =
      `file descriptors run out: the process may have ${limit}, and the last ${reserve} are kept for origins, publishers and ` +
      `files. ${this.#closed} client connections closed. Raise LimitNOFILE or ulimit -n, or lower client_maxconn`;
    this.#log.warn({ limit, closed: this.#closed }, text);
    this.#closed = 0;
    this.#isQuiet = true;
    this.#clock.after(REPORT_MS, () => {
      this.#isQuiet = false;
      if (this.#closed > 0) this.#report();
    });
  }
}
