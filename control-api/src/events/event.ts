/** What the customer's own system is sent: events about this one, each a flat JSON object. docs/events.md has all of them. */

import type { OccupancyCounts } from '../occupancy/occupancy.js';

/** Every kind of event, as in the option `events`. */
export const eventTypes = [
  'channel_occupied',
  'channel_vacated',
  'connection_opened',
  'connection_closed',
  'user_online',
  'user_offline',
  'item_dropped',
  'gap',
  'target_down',
  'subscription_parked',
  'subscription_ended',
] as const;

/** One of {@link eventTypes}. */
export type EventType = (typeof eventTypes)[number];

/** Whether a text names a kind of event. */
export function isEventType(text: string): text is EventType {
  return (eventTypes as readonly string[]).includes(text);
}

/**
 * One event. What else it has, depends on its type; members that are undefined are left out.
 */
export interface CustomerEvent {
  readonly type: EventType;
  /** When it happened: ISO 8601, UTC, by the clock of the node that noticed. */
  readonly time: string;
  /** Id of the node that noticed. */
  readonly node?: string;
  /** Full name. */
  readonly channel?: string;
  readonly [member: string]: unknown;
}

/** Where a data plane hands its events to. Calls never throw and never block. */
export interface EventSink {
  /** Where connections of users are counted: the user is the group, and the member is empty. Undefined where nobody asks. */
  readonly users: OccupancyCounts | undefined;
  /** Whether events of this type are wanted at all; does not change. */
  wants(type: EventType): boolean;
  report(event: CustomerEvent): void;
}
