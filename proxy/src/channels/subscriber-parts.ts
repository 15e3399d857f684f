/** What every subscriber is given, what it reports, and what is left of it at its end: the same for holds and sessions. */
import type { Containment, Log } from '@holdfast/control-api';
import type { Options } from '../config/table.js';
import type { OriginWarnings } from '../origin/warnings.js';
import type { Clock } from '../runtime/clock.js';
import type { CloseReason } from './close-reasons.js';
import type { OverChannelsReport } from './over-channels.js';
import type { ChannelRegistry } from './registry.js';
import type { Subscriber, SubscriberKind } from './subscriber.js';

/** What a subscriber that is over amounts to. */
export interface SubscriberEnd {
  readonly kind: SubscriberKind;
  readonly reason: CloseReason;
  /** Items that were sent to the client. */
  readonly items: number;
  /** Items that were not, because the client was too slow. */
  readonly dropped: number;
  /** How long it lasted, in ms. */
  readonly duration: number;
  readonly channels: readonly string[];
}

/** Why an item did not reach one client; the label of a metric. */
export type DropReason = 'slow-client' | 'filter-failed' | 'rate-limit' | 'patch-limit';

/** Counts what subscribers do; implemented by the metrics. */
export interface SubscriberEvents {
  subscriberOpened(kind: SubscriberKind): void;
  subscriberEnded(kind: SubscriberKind, reason: CloseReason): void;
  /** An item was written to a client; `route` is the subscriber's `routeKey`. */
  itemSent(kind: SubscriberKind, route: string): void;
  /** An item was not written to a client that should have had it. */
  itemDropped(kind: SubscriberKind, reason: DropReason): void;
}

/** What becomes of a client that does not read. */
export type SlowClientPolicy = Options['slowClientPolicy'];

/** What becomes of a connection of whose channel items are lost, and which cannot ask its origin for them. */
export type GapPolicy = Options['gapPolicy'];

/**
 * Over how long the ends of connections are spread that are closed because items were lost, in ms: there may be many, and
 * all their clients come back.
 *
 * @limit {s} over which connections are ended that lost items
 * @over –
 */
const CLOSE_SPREAD_MS = 2_000;

/** Takes a subscriber that has missed items, and must not get those that follow, off its channels, and ends it soon. */
export function endSoon(
  subscriber: Subscriber,
  channels: readonly string[],
  { registry, clock, random }: SubscriberParts,
  end: () => void,
): void {
  registry.remove(subscriber, channels);
  clock.after(random() * CLOSE_SPREAD_MS, end, subscriber);
}

/** Given to every subscriber; the same for all. */
export interface SubscriberParts extends Pick<Options, 'clientQueueSize' | 'slowClientPolicy' | 'gapPolicy'> {
  readonly registry: ChannelRegistry;
  readonly clock: Clock;
  /** A number in [0, 1), as `Math.random`. */
  readonly random: () => number;
  readonly events: SubscriberEvents;
  readonly log: Log;
  /** Left out: why holds and sessions break off is logged at debug only. */
  readonly warnings?: OriginWarnings | undefined;
  readonly faults: Containment;
  readonly overChannels: OverChannelsReport;
}
