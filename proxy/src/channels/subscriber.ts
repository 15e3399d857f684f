/** The port between delivery and what is subscribed: holds and sessions. */
import type { CloseOrder, ConnectionView } from '@holdfast/control-api';
import type { SubscriberKind } from '@holdfast/grip';
import type { Delivery } from './delivery.js';
import type { Expiring } from './expiries.js';

export type { SubscriberKind };

/** The channels of a connection, which an operator may change. */
export interface ChangeableChannels {
  /**
   * Puts it on these channels, by their full names; those that it is on stay as they are. The result is as of
   * `ChannelRegistry.add`.
   */
  join(channels: readonly string[]): Promise<void> | undefined;
  /** Takes it off these channels, as far as it can be. */
  quit(channels: readonly string[]): void;
}

/**
 * Something that is subscribed to channels. Called by delivery, always synchronously and in item order per channel; and
 * by the part that owns the connections of the node. Implementations may leave the registry during the call; one that throws is
 * ended by its `fault`, and no other is affected.
 */
export interface Subscriber extends Expiring {
  /** The connection's id, as in the logs. */
  readonly id: string;
  readonly kind: SubscriberKind;
  /** Connection-Id of a session, by which its origin knows it; absent for holds. Never changes. */
  readonly session?: string;
  /** Explicit id of its route, else empty: routes share the rate of delivery fairly. Never changes. */
  readonly routeKey: string;
  /** Bytes that wait for its client; left out where none ever do. */
  readonly waiting?: number;
  /** Absent where the channels stay what they are. */
  readonly subscriptions?: ChangeableChannels;
  /** What its origin has set for it; left out where that is nothing. */
  readonly meta?: ReadonlyMap<string, string>;
  /** Takes one item of one channel; true when the item has a form for this kind of subscriber and was used. */
  deliver(delivery: Delivery): boolean;
  /** Whether it would write an item that goes to one subscriber only, now; left out, whether it does is known when it is given. */
  takes?(delivery: Delivery): boolean;
  /** Finds out what it may have missed: every channel is suspect. */
  recover(): void;
  /**
   * Items of one of its channels are lost: none comes again, and those that come next do not follow the last one. A
   * subscriber that can ask its origin does so; others carry out the policy for gaps.
   */
  missed(): void;
  /** Asks an origin that does not speak by itself for news; absent where there is none. */
  refresh?(): void;
  /** Ends the connection because the node is going down. */
  drain(): void;
  /**
   * Ends the connection because it is as old as it may become: between items, and when nothing of its own is under way, now or later. Its
   * client can come back, by another connection, for what follows.
   */
  expire(): void;
  /** Ends the connection because an operator wants it: without an answer, and not waiting for a slow client. A session has this Close. */
  disconnect(close?: CloseOrder): void;
  /** Ends the connection because of a fault of ours, and leaves its channels. */
  fault(error: unknown): void;
  /** What the connection is at the moment, for operators. */
  view(): ConnectionView;
}
