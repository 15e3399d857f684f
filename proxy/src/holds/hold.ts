/** What both kinds of hold share: their owner, what they are made from, and how they stand to the order of items. */
import type { ConnectionView } from '@holdfast/control-api';
import { type GoneLink, GripError, type Instruct } from '@holdfast/grip';
import type { CloseReason } from '../channels/close-reasons.js';
import type { Delivery } from '../channels/delivery.js';
import type { Subscriber } from '../channels/subscriber.js';
import type { SubscriberDeps, SubscriberEnd } from '../channels/subscriber-deps.js';
import { metaOf, type Subscription, SubscriptionList } from '../channels/subscription-list.js';
import type { PipelineDeps } from '../delivery/pipeline.js';
import type { Sequencer } from '../delivery/sequencer.js';
import type { ClientResponse } from '../edge/port.js';
import type { ReplayDeps } from '../history/replay.js';
import { reportGone } from '../links/link-client.js';
import type { LinkScope } from '../links/link-scope.js';
import type { NextLinkDeps } from '../links/next-link.js';
import type { UpdateLimiter } from '../links/update-limiter.js';
import { channelOf, refusedChannel } from '../routes/channel-name.js';
import { patternOf } from '../routes/channel-pattern.js';
import { type Clock, stampOf } from '../runtime/clock.js';

/** What opened a hold: the exchange between client and origin. */
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

/** Given to every hold; the same for all. */
export interface HoldDeps extends PipelineDeps {
  readonly sequencer: Pick<Sequencer, 'lastId' | 'forgetLastId'>;
  readonly links: NextLinkDeps;
  readonly limiter: UpdateLimiter;
  /** Event streams are sent a time to wait before they end because the node goes down; left out: no. */
  readonly shutdownRetry?: boolean;
  /** Undefined where no history is kept. */
  readonly replay?: ReplayDeps | undefined;
}

/** All that decides what a hold will be. */
export interface Opening {
  /** The connection's id. */
  readonly id: string;
  readonly response: ClientResponse;
  /** Textual IP address of the client's end of the connection; empty on a unix socket. */
  readonly clientAddress: string;
  /** Must have a hold or a next link. */
  readonly instruct: Instruct;
  /** Where its links are relative to. */
  readonly scope: LinkScope;
  /** Channels of the target (`sub=`): subscribed to without the prefix, beyond `connectionSubscriptionMax`. */
  readonly implicit: readonly string[];
  readonly connectionSubscriptionMax: number;
  /** The client's `Last-Event-ID`, which may be the origin's or ours. */
  readonly lastEventId?: string | undefined;
  /** It came in the query, so that it can only be ours: where it is none, what was missed is lost. */
  readonly mustResume?: boolean;
}

/** What one hold is made from. */
export interface HoldStart extends Opening {
  /** The channels of the instruct and of the target. */
  readonly list: SubscriptionList;
}

/** Items that wait for a hold, in the order in which they came. */
export class ItemQueue {
  #deliveries: Delivery[] = [];
  #bytes = 0;

  get length(): number {
    return this.#deliveries.length;
  }

  /** Bytes that what waits takes in memory, all of each item counted. */
  get bytes(): number {
    return this.#bytes;
  }

  add(delivery: Delivery): void {
    this.#deliveries.push(delivery);
    this.#bytes += delivery.bytes;
  }

  /** All that waited; the queue is empty then. */
  take(): Delivery[] {
    const deliveries = this.#deliveries;
    this.clear();
    return deliveries;
  }

  clear(): void {
    this.#deliveries = [];
    this.#bytes = 0;
  }
}

/** What waits, and this item behind it. The queue is made by the first. */
export function queued(queue: ItemQueue | undefined, delivery: Delivery): ItemQueue {
  const items = queue ?? new ItemQueue();
  items.add(delivery);
  return items;
}

/**
 * The channels of the target, then those of `instruct`, which is the opening's own or that of a link, with the route's
 * prefix. Channels beyond `connectionSubscriptionMax` are left out, which is reported.
 *
 * Throws GripError ERR_GRIP_INSTRUCT for a channel that is none of the route's.
 */
export function channelList(
  {
    id,
    implicit,
    connectionSubscriptionMax,
    scope,
  }: Pick<Opening, 'id' | 'implicit' | 'connectionSubscriptionMax' | 'scope'>,
  instruct: Instruct,
  { overChannels, events }: Pick<SubscriberDeps, 'overChannels' | 'events'>,
): SubscriptionList {
  const list = new SubscriptionList();
  list.meta = metaOf(instruct.meta);
  for (const name of implicit) list.set(name, { name, filters: [] });
  let count = 0;
  const wishes = instruct.hold?.channels ?? instruct.channels ?? [];
  const tooMany = ({ name: first }: { readonly name: string }) => {
    const channels = new Set(wishes.map(({ name }) => name)).size;
    overChannels.report({ id, route: scope.route, channels, limit: connectionSubscriptionMax, first });
  };
  for (const wish of wishes) {
    if (wish.isPattern) {
      const pattern = patternOf(scope.route, wish.name, events);
      if (typeof pattern === 'string') throw new GripError('ERR_GRIP_INSTRUCT', pattern);
      if (!list.hasPattern(pattern) && ++count > connectionSubscriptionMax) {
        tooMany(wish);
        break;
      }
      list.setPattern(pattern, wish);
      continue;
    }
    const channel = channelOf(scope.route, wish.name);
    if (channel === undefined) throw new GripError('ERR_GRIP_INSTRUCT', refusedChannel(scope.route, wish.name, events));
    if (!list.has(channel) && ++count > connectionSubscriptionMax) {
      tooMany(wish);
      break;
    }
    list.set(channel, wish);
  }
  return list;
}

/**
 * Finds out on which channels a hold has been overtaken: items later than those that its origin knew have passed.
 */
export function overtakenOn(
  subscriptions: Iterable<Subscription>,
  sequencer: Pick<Sequencer, 'lastId'>,
): readonly string[] {
  const overtaken: string[] = [];
  for (const { channel, prevId } of subscriptions) {
    if (prevId === undefined) continue;
    const last = sequencer.lastId(channel);
    if (last !== undefined && last !== prevId) overtaken.push(channel);
  }
  return overtaken;
}

/** What an operator is shown of a hold that began at `since`, by the monotonic clock, and has sent so many items. */
export function viewOf(
  kind: 'response' | 'stream',
  { id, scope, clientAddress, response }: Pick<Opening, 'id' | 'scope' | 'clientAddress' | 'response'>,
  channels: readonly string[],
  clock: Clock,
  since: number,
  items: number,
): ConnectionView {
  return {
    id,
    kind,
    ...(scope.route.id !== undefined && { route: scope.route.id }),
    client: clientAddress,
    since: stampOf(clock, since),
    channels,
    items,
    waiting: response.waiting,
  };
}

/**
 * Finds out whether a hold has been overtaken anywhere. The last ids of these channels are forgotten, so that the next
 * hold is not found wanting for the same reason.
 */
export function isOvertaken(subscriptions: Iterable<Subscription>, sequencer: HoldDeps['sequencer']): boolean {
  const overtaken = overtakenOn(subscriptions, sequencer);
  for (const channel of overtaken) sequencer.forgetLastId(channel);
  return overtaken.length > 0;
}

/** The history that serves holds of this route, if any does. */
export function replayOf({ replay }: HoldDeps, { route }: LinkScope): ReplayDeps | undefined {
  return replay?.isOn(route) ? replay : undefined;
}

/** What a hold was that is over. */
interface HoldEnd extends Pick<SubscriberEnd, 'items' | 'dropped'> {
  readonly list: SubscriptionList;
  /** When it began, by the monotonic clock. */
  readonly since: number;
  /** Its link to be notified, in this scope; undefined where there is none. */
  readonly gone: GoneLink | undefined;
  readonly scope: LinkScope;
}

/**
 * Takes a hold that is over off its channels, and counts it. Its origin is notified, if it asked for that and the node does not merely go
 * down.
 */
export function endOf(
  hold: Subscriber & { readonly kind: 'response' | 'stream' },
  reason: CloseReason,
  { since, list, items, dropped, gone, scope }: HoldEnd,
  deps: HoldDeps,
): SubscriberEnd {
  const { clock, registry, events } = deps.subscriber;
  const { kind } = hold;
  registry.leave(hold, reason === 'retried');
  registry.remove(hold, list.channels, list.patterns);
  events.subscriberEnded(kind, reason);
  if (gone !== undefined && reason !== 'shutdown') reportGone(gone, scope, deps.links.client);
  return { kind, reason, items, dropped, duration: clock.monotonic() - since, channels: list.names };
}
