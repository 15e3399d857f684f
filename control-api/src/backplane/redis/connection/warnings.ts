/**
 * Warnings about the connections of a node to Redis.
 *
 *
 * Each is logged once until it is over, however often it comes.
 */
import type { Log } from '../../../runtime/log.js';

/** Logs each warning once. The errors are shown by their text alone: they may hold what was to be sent. */
export class ConnectionWarnings {
  readonly #log: Log;
  readonly #logged = new Set<string>();
  #last: string | undefined;

  constructor(log: Log) {
    this.#log = log;
  }

  /** Text of the last error since {@link over}; undefined if there was none. */
  get last(): string | undefined {
    return this.#last;
  }

  /** Warns; the same again before {@link over} is a debug line. */
  warn(fields: object, error: unknown, message: string): void {
    const why = error instanceof Error ? error.message : undefined;
    this.#last = why ?? this.#last;
    const key = `${message} ${JSON.stringify(fields)} ${why}`;
    const line = { ...fields, ...(why !== undefined && { why }) };
    if (this.#logged.has(key)) this.#log.debug(line, message);
    else this.#log.warn(line, message);
    this.#logged.add(key);
  }

  /** All connections are up again: the next warning is logged whatever it is. */
  over(): void {
    this.#logged.clear();
    this.#last = undefined;
  }
}

/** For logs, after the error text of Redis. */
export const FOREIGN_KEY =
  'a key under redis_prefix is of another type, so another program uses the same prefix: delete the key, or choose another prefix';
