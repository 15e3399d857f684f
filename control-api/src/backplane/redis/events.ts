/** What the Redis backplane reports: events to be counted, and warnings about its connections. */
import type { Log } from '../../runtime/log.js';
import type { GapReason } from '../backplane.js';

/** Observes connections and catching up. Implementations must be cheap and must not throw. */
export interface RedisEvents {
  /** A lost connection is open again. */
  reconnected(kind: 'commands' | 'subscriber'): void;
  /** An item goes to the listener so many ms after Redis accepted it, by the clock of Redis; 0 at least. Called for each. */
  itemCame(lagMs: number): void;
  /** A gap was reported to the listener. */
  gap(reason: GapReason): void;
  /** Messages that had not come by themselves were found in the history. */
  holeFilled(messages: number): void;
  /** A part of a history was read: to catch up, or for `History.read`. */
  historyRead(): void;
  /** Messages were sent once more, as it was not known whether they had arrived. */
  publishRetried(): void;
  /** A message in Redis could not be understood; it counts as lost. */
  unreadable(): void;
}

/** Counts nothing. */
export const noRedisEvents: RedisEvents = {
  reconnected() {},
  itemCame() {},
  gap() {},
  holeFilled() {},
  historyRead() {},
  publishRetried() {},
  unreadable() {},
};

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
