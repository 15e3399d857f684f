/**
 * Owns: what all holds share: the parts they are given, what they report, and the channels they are on.
 * Does not own: the two kinds of hold, or when a hold is opened.
 */
import type { Log } from '@holdfast/control-api';
import type { Instruct } from '@holdfast/grip';
import type { ChannelRegistry } from '../channels/registry.js';
import type { Clock } from '../clock.js';
import type { CloseReason } from '../close-reasons.js';

/** What a hold that is over amounts to. */
export interface HoldEnd {
  readonly kind: 'response' | 'stream';
  readonly reason: CloseReason;
  /** Items that were sent to the client. */
  readonly items: number;
  /** Items that were not, because the client was too slow. */
  readonly dropped: number;
  /** How long the hold lasted, in ms. */
  readonly duration: number;
  readonly channels: readonly string[];
}

/** Counts what holds do; implemented by the metrics. */
export interface HoldEvents {
  holdOpened(kind: 'response' | 'stream'): void;
  holdEnded(kind: 'response' | 'stream', reason: CloseReason): void;
  /** An item was written to a held client. */
  itemSent(kind: 'response' | 'stream'): void;
  /** An item was not written to a held client that reads too slowly. */
  itemDropped(kind: 'response' | 'stream', reason: CloseReason): void;
}

/** What becomes of a client that does not read. */
export type SlowClientPolicy = 'close' | 'drop';

/** Given to every hold; the same for all. */
export interface HoldParts {
  readonly registry: ChannelRegistry;
  readonly clock: Clock;
  /** A number in [0, 1), as `Math.random`. */
  readonly random: () => number;
  readonly events: HoldEvents;
  readonly log: Log;
  /** How many bytes may wait for a client of a stream before the policy applies. */
  readonly queueLimit: number;
  readonly slowClientPolicy: SlowClientPolicy;
}

/** Whoever opened a hold: the exchange between client and origin. */
export interface HoldOwner {
  /** The client's connection has room again: what flows from the origin into the hold may go on. */
  holdWritable(): void;
  /** The hold is over and has answered, or broken off, as `end` says. Called exactly once unless `holdRetry` was. */
  holdEnded(end: HoldEnd): void;
  /**
   * The hold is over without an answer: the request is to be asked of the origin again, with these last ids (unprefixed
   * channel → id) as `Grip-Last`.
   */
  holdRetry(end: HoldEnd, lastIds: ReadonlyMap<string, string>): void;
}

/** The last id that each channel of an instruct names, by unprefixed channel name. */
export function lastIdsOf(instruct: Instruct): ReadonlyMap<string, string> {
  const lastIds = new Map<string, string>();
  for (const channel of instruct.hold?.channels ?? []) {
    if (channel.prevId !== undefined) lastIds.set(channel.name, channel.prevId);
  }
  return lastIds;
}
