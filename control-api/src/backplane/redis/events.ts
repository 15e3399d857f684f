/** What there is to count about the Redis backplane. The counters are the proxy's metrics. */
import type { GapReason } from '../backplane.js';

/** Observes connections and catching up. Implementations must be cheap and must not throw. */
export interface RedisEvents {
  /** A lost connection is open again. */
  reconnected(kind: 'commands' | 'subscriber'): void;
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
  gap() {},
  holeFilled() {},
  historyRead() {},
  publishRetried() {},
  unreadable() {},
};
