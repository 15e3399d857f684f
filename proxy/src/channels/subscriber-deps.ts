/** What every subscriber, hold or session, is given, what it reports, and what all of them do alike. */
import { CauseLog, type Containment, type Faulty, type Log } from '@holdfast/control-api';
import type { Options } from '../config/table.js';
import type { OriginWarnings } from '../origin/warnings.js';
import type { LimitEvents } from '../routes/channel-name.js';
import type { Route } from '../routes/route.js';
import type { Clock } from '../runtime/clock.js';
import type { CloseReason } from './close-reasons.js';
import type { ChannelRegistry } from './registry.js';
import type { Subscriber, SubscriberKind } from './subscriber.js';
import type { SubscriptionList } from './subscription-list.js';

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
export interface SubscriberEvents extends LimitEvents {
  subscriberOpened(kind: SubscriberKind): void;
  subscriberEnded(kind: SubscriberKind, reason: CloseReason): void;
  /** An item was written to a client; `route` is the subscriber's `routeKey`. */
  itemSent(kind: SubscriberKind, route: string): void;
  /** An item was not written to a client that should have had it; without a channel where it was a message that is no item. */
  itemDropped(kind: SubscriberKind, reason: DropReason, channel?: string): void;
}

/** Counts what goes between clients and their holds and sessions; implemented by the metrics. */
export interface TrafficEvents {
  /** So many bytes of content were written to a client: an item, a message, or a part of a body. */
  bytesSent(kind: SubscriberKind, bytes: number): void;
  /** A message of a client of so many bytes has come. */
  messageReceived(bytes: number): void;
  /** A Close frame goes to a client; without a code where that is undefined. */
  closeSent(code: number | undefined): void;
}

/**
 * Over how long the ends of connections are spread that are closed because items were lost, in ms: there may be many, and
 * all their clients come back.
 *
 * @limit {s} over which connections are ended that lost items
 * @over –
 */
const CLOSE_SPREAD_MS = 2_000;

/** Where `gap_policy` has those end that have missed items: takes one off its channels, for it must not get what follows, and ends it soon. */
export function endIncomplete(
  subscriber: Subscriber,
  { channels, patterns }: Pick<SubscriptionList, 'channels' | 'patterns'>,
  { gapPolicy, registry, clock, random }: SubscriberDeps,
  end: () => void,
): void {
  if (gapPolicy !== 'close') return;
  registry.remove(subscriber, channels, patterns);
  clock.after(random() * CLOSE_SPREAD_MS, end, subscriber);
}

/** Given to every subscriber; the same for all. */
export interface SubscriberDeps extends Pick<Options, 'clientQueueSize' | 'slowClientPolicy' | 'gapPolicy'> {
  readonly registry: ChannelRegistry;
  readonly clock: Clock;
  /** A number in [0, 1), as `Math.random`. */
  readonly random: () => number;
  readonly events: SubscriberEvents;
  /** Left out: it is not counted. */
  readonly traffic?: TrafficEvents | undefined;
  readonly log: Log;
  /** Left out: why holds and sessions break off is logged at debug only. */
  readonly warnings?: OriginWarnings | undefined;
  readonly faults: Containment;
  readonly overChannels: OverChannelsReport;
}

/**
 * How long what shows a client that it is subscribed (the head of a stream, the messages that follow a session's subscribe)
 * is held back for a subscription that is not live, in ms. It takes a round trip to the backplane; while the backplane is
 * away it takes as long, and what was accepted meanwhile follows once the subscription is live.
 *
 * @limit {s} that a stream's head or an origin's messages wait for interest to be live
 * @over they go out
 */
export const LIVE_WAIT_MS = 1_000;

/**
 * Calls `go` once: when the subscription is live, when it has failed, or when it takes too long. Never synchronously. A fault
 * of `go` ends `what`.
 */
export function waitForLive(
  live: Promise<void>,
  { clock, faults }: { readonly clock: Clock; readonly faults: Containment },
  go: () => void,
  what: Faulty,
): void {
  let gone = false;
  const once = () => {
    if (gone) return;
    gone = true;
    clock.clear(timer);
    go();
  };
  const timer = clock.after(LIVE_WAIT_MS, once, what);
  faults.watch('delivery', live.then(once, once), what);
}

/** One connection that was to have too many. */
export interface OverChannels {
  /** The connection's id. */
  readonly id: string;
  readonly route: Pick<Route, 'id' | 'key'>;
  /** Channels that were named, those of the target aside; repeated ones count once. */
  readonly channels: number;
  readonly limit: number;
  /** The first that was left out, as the origin names it. */
  readonly first: string;
}

/** Warns, since items of the channels that were left out never come, and nobody else says so: once per route and second. */
export class OverChannelsReport {
  readonly #causes: CauseLog;

  constructor(clock: Clock, log: Log) {
    this.#causes = new CauseLog(log, clock);
  }

  /** A connection was subscribed to the first `limit` channels only. */
  report({ id, route, channels, limit, first }: OverChannels): void {
    const name = route.id ?? route.key;
    this.#causes.warn(
      name,
      { id, route: name, channels, limit, option: 'connection_subscription_max', channel: first },
      `the origin of route ${name} names ${channels} channels for one connection: those beyond connection_subscription_max (${limit}) are ignored`,
    );
  }
}
