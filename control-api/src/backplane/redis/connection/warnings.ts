/**
 * Tells the log of troubles that come again and again until they are over.
 *
 * Owns: that each is told once, and which was the last. Does not own: what is done about them.
 */
import type { Log } from '../../../runtime/log.js';

/** Troubles of one node with its Redis. The errors are shown by their text alone: they may hold what was to be sent. */
export class TroubleLog {
  readonly #log: Log;
  readonly #told = new Set<string>();
  #last: string | undefined;

  constructor(log: Log) {
    this.#log = log;
  }

  /** Text of the last error since {@link over}; undefined if there was none. */
  get last(): string | undefined {
    return this.#last;
  }

  /** Warns; the same again, while it is not over, is for those who look closely. */
  warn(fields: object, error: unknown, message: string): void {
    const why = error instanceof Error ? error.message : undefined;
    this.#last = why ?? this.#last;
    const key = `${message} ${JSON.stringify(fields)} ${why}`;
    const line = { ...fields, ...(why !== undefined && { why }) };
    if (this.#told.has(key)) this.#log.debug(line, message);
    else this.#log.warn(line, message);
    this.#told.add(key);
  }

  /** All is well again: what comes next is news. */
  over(): void {
    this.#told.clear();
    this.#last = undefined;
  }
}
