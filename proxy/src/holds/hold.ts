/**
 * Owns: what both kinds of hold share: their owner, and the last ids that an instruct names.
 * Does not own: the holds, or when one is opened.
 */
import type { Instruct } from '@holdfast/grip';
import type { SubscriberEnd } from '../channels/subscriber-parts.js';

/** Whoever opened a hold: the exchange between client and origin. */
export interface HoldOwner {
  /** The client's connection has room again: what flows from the origin into the hold may go on. */
  holdWritable(): void;
  /** The hold is over and has answered, or broken off, as `end` says. Called exactly once unless `holdRetry` was. */
  holdEnded(end: SubscriberEnd): void;
  /**
   * The hold is over without an answer: the request is to be asked of the origin again, with these last ids (unprefixed
   * channel → id) as `Grip-Last`.
   */
  holdRetry(end: SubscriberEnd, lastIds: ReadonlyMap<string, string>): void;
}

/** The last id that each channel of an instruct names, by unprefixed channel name. */
export function lastIdsOf(instruct: Instruct): ReadonlyMap<string, string> {
  const lastIds = new Map<string, string>();
  for (const channel of instruct.hold?.channels ?? []) {
    if (channel.prevId !== undefined) lastIds.set(channel.name, channel.prevId);
  }
  return lastIds;
}
