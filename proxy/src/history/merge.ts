/** Joining what was read from the history with what came live meanwhile, and which of it follows a prev-id. */
import type { Position } from '@holdfast/control-api';
import type { Delivery } from '../channels/delivery.js';

/** Up to where each channel was replayed from the history, by full name. */
export type ReplayedUpTo = Map<string, Position>;

/**
 * Whether a live item was replayed from the history already. One of another epoch was not: it was accepted after positions
 * were counted anew.
 */
export function wasReplayed({ item, position }: Delivery, upTo: ReadonlyMap<string, Position>): boolean {
  if (position === undefined) return false;
  const end = upTo.get(item.channel);
  return end !== undefined && end.epoch === position.epoch && position.offset <= end.offset;
}

/** Whether a position is at or after another of the same channel; an epoch that is not the same is a later one. */
export function isAtLeast(position: Position, other: Position): boolean {
  return position.epoch !== other.epoch || position.offset >= other.offset;
}

/**
 * Whether the items follow one another by their prev-ids, the first the one with this id: only then does a hold that goes
 * by ids have all of them.
 */
export function isChain(deliveries: readonly Delivery[], prevId: string): boolean {
  let last: string | undefined = prevId;
  for (const { item } of deliveries) {
    if (last === undefined || item.prevId !== last) return false;
    last = item.id;
  }
  return true;
}
