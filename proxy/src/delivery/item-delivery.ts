/** Takes a message that has reached this node to its subscribers: first in order, then to each; and follows their interest. */
import {
  type BackplaneListener,
  type Containment,
  type Gap,
  type GapReason,
  type ItemMessage,
  type Log,
  type Message,
  type Position,
  uncontained,
} from '@holdfast/control-api';
import { Delivery } from '../channels/delivery.js';
import type { ChannelRegistry, Interest } from '../channels/registry.js';
import type { Subscriber } from '../channels/subscriber.js';
import type { Clock } from '../runtime/clock.js';
import type { BeginDelivery } from '../tracing/item-traces.js';
import { OneDelivery } from './one-delivery.js';
import type { RateLimiter } from './rate-limiter.js';
import { Sequencer, type SequencerEvents } from './sequencer.js';

interface Progress {
  last: Position;
  /** Arrived, but not given out: they wait for the one before them. In order. */
  readonly waiting: Position[];
}

/** Channels with subscribers whose items have positions. */
export class ChannelPositions {
  readonly #channels = new Map<string, Progress>();

  /** An item has reached this node: in the order of positions, as backplanes bring them. */
  arrived(channel: string, position: Position): void {
    const progress = this.#channels.get(channel);
    if (progress === undefined) {
      this.#channels.set(channel, { last: position, waiting: [position] });
      return;
    }
    progress.last = position;
    progress.waiting.push(position);
  }

  /** An item that had arrived is given out now; says up to where all are. */
  passed(channel: string, position: Position): Position {
    const waiting = this.#channels.get(channel)?.waiting;
    if (waiting?.[0] === position) waiting.shift();
    else if (waiting !== undefined) {
      const at = waiting.indexOf(position);
      if (at !== -1) waiting.splice(at, 1);
    }
    return this.latest(channel) ?? position;
  }

  /** Up to where all items have been given out; undefined when none has come since the first subscription. */
  latest(channel: string): Position | undefined {
    const progress = this.#channels.get(channel);
    const first = progress?.waiting[0];
    return first === undefined ? progress?.last : { epoch: first.epoch, offset: first.offset - 1 };
  }

  /** The newest item that has reached this node, given out or not; undefined when none has come since the first subscription. */
  newest(channel: string): Position | undefined {
    return this.#channels.get(channel)?.last;
  }

  /** The last subscriber has gone. */
  forget(channel: string): void {
    this.#channels.delete(channel);
  }
}

/**
 * How long after a channel's first subscription its holds ask their origins again, where that is wanted, in ms: for what
 * a publisher sent before the subscription had reached it.
 */
const FIRST_UPDATE_MS = 1_000;

/** What the interest is joined from. */
export interface ChannelInterestDeps {
  readonly backplane: Interest;
  readonly sequencer: Pick<Sequencer, 'forget'>;
  readonly clock: Clock;
  /** `update_on_first_subscription`. */
  readonly updateOnFirstSubscription: boolean;
  readonly subscribersOf: (channel: string) => ReadonlySet<Subscriber>;
  /** Left out: nothing is contained. */
  readonly faults?: Containment;
}

/** Passes the data plane's interest on. */
export class ChannelInterest implements Interest {
  readonly #deps: ChannelInterestDeps;

  constructor(deps: ChannelInterestDeps) {
    this.#deps = deps;
  }

  subscribe(channel: string): Promise<void> | undefined {
    const { backplane, updateOnFirstSubscription, clock, subscribersOf, faults = uncontained } = this.#deps;
    if (updateOnFirstSubscription) {
      clock.after(FIRST_UPDATE_MS, () => {
        for (const subscriber of [...subscribersOf(channel)]) {
          faults.run('delivery', () => subscriber.recover(), subscriber);
        }
      });
    }
    return backplane.subscribe(channel);
  }

  subscribePrefix(prefix: string): Promise<void> | undefined {
    return this.#deps.backplane.subscribePrefix?.(prefix);
  }

  unsubscribePrefix(prefix: string): void {
    this.#deps.backplane.unsubscribePrefix?.(prefix);
  }

  unsubscribe(channel: string): void {
    this.#deps.sequencer.forget(channel);
    this.#deps.backplane.unsubscribe(channel);
  }
}

/** Counts what delivery does; implemented by the metrics. */
export interface DeliveryEvents extends SequencerEvents {
  /** An item reached this node and was given to so many connections, or waits for its turn there. */
  itemDelivered(receivers: number): void;
  /** The backplane has reported a gap: items of one channel will never reach this node. */
  itemsLost(reason: GapReason): void;
}

/** What delivery is given. */
export interface ItemDeliveryDeps {
  readonly clock: Clock;
  /** How long an item may wait for the one before it, in ms. */
  readonly messageWait: number;
  /** Paces delivery; left out, every connection is given its items at once. */
  readonly limiter?: RateLimiter | undefined;
  readonly events: DeliveryEvents;
  /** Called for each item before its subscribers get it. */
  readonly arrived?: ((delivery: Delivery) => void) | undefined;
  /**
   * Called when an item has been given to so many connections, with when it came, by `performance.now`; not where a limiter
   * paces it. The time for which it waited for the item before it is left out.
   */
  readonly delivered?: ((receivers: number, since: number) => void) | undefined;
  /** Left out: no spans are recorded. */
  readonly beginSpan?: BeginDelivery | undefined;
  readonly log: Log;
  /** Left out: nothing is contained. */
  readonly faults?: Containment;
}

/** Takes messages from the backplane to this node's subscribers. */
export class ItemDelivery implements BackplaneListener {
  readonly claims = true;
  /** What is known of the order of each channel. */
  readonly sequencer: Sequencer;
  /** What is known of the positions of each channel, where items have any. */
  readonly positions = new ChannelPositions();
  readonly #registry: () => ChannelRegistry;
  readonly #deps: ItemDeliveryDeps;
  readonly #one: OneDelivery;
  /** When the item that is being offered came; undefined where none is. */
  #arrived: number | undefined;

  /** `registry` is asked for only when something is delivered: the two know each other. */
  constructor(registry: () => ChannelRegistry, deps: ItemDeliveryDeps) {
    this.#registry = registry;
    this.#deps = deps;
    const { clock, messageWait, events, log, faults } = deps;
    this.#one = new OneDelivery({ registry, give: (...given) => this.#give(...given), clock, log, faults });
    this.sequencer = new Sequencer({ clock, messageWait, events, release: (message) => this.#deliver(message) });
  }

  onMessage(message: Message): void {
    if (message.type === 'item') {
      if (message.item.deliver === 'one') {
        this.#offer(message);
        return;
      }
      if (message.prefix !== undefined) {
        this.#deliverByPrefix(message, message.prefix);
        return;
      }
      if (!this.#registry().has(message.item.channel)) return;
      if (message.position !== undefined) this.positions.arrived(message.item.channel, message.position);
      this.#arrived = performance.now();
      this.sequencer.offer(message);
      this.#arrived = undefined;
      return;
    }
    this.sequencer.forgetLastIds();
    for (const subscriber of this.#registry().all()) {
      this.#faults.run('delivery', () => subscriber.recover(), subscriber);
    }
  }

  onGap({ channel, prefix, reason, after, until }: Gap): void {
    const { events, log } = this.#deps;
    const registry = this.#registry();
    const subscribers = [...(prefix === undefined ? registry.of(channel) : registry.patterns.of(prefix))];
    events.itemsLost(reason);
    const where = prefix === undefined ? `channel=${channel}` : `channels=${prefix}*`;
    log.warn({ channel, reason, after, until, subscribers: subscribers.length }, `items lost on ${where}: ${reason}`);
    if (prefix === undefined) this.sequencer.forgetLastId(channel);
    for (const subscriber of subscribers) this.#faults.run('delivery', () => subscriber.missed(), subscriber);
  }

  /** The last subscriber of a channel has gone: what is known of it is forgotten, and what waits is dropped. */
  forget(channel: string): void {
    this.sequencer.forget(channel);
    this.positions.forget(channel);
  }

  /** The node goes down: delivers what waits for its turn. To be called while the subscribers are still there. */
  finish(): void {
    this.#one.finish();
    this.sequencer.finish();
    this.#deps.limiter?.finish();
  }

  get #faults(): Containment {
    return this.#deps.faults ?? uncontained;
  }

  #deliver(message: ItemMessage): void {
    const { item, position } = message;
    const { clock, arrived } = this.#deps;
    const since = this.#arrived ?? performance.now();
    const delivery = new Delivery(
      item,
      clock.monotonic(),
      position,
      position && this.positions.passed(item.channel, position),
    );
    arrived?.(delivery);
    this.#give(delivery, this.#registry().of(item.channel), message, since);
  }

  /**
   * An item of a channel for those on patterns. It came in the order of acceptance, and is not brought into that of `prev-id`: the ids
   * of all channels that a pattern matches would have to be kept.
   */
  #deliverByPrefix(message: ItemMessage, prefix: string): void {
    const { item } = message;
    const registry = this.#registry();
    if (registry.patterns.size === 0) return;
    const receivers = registry.patterns.receivers(item.channel, prefix, registry.liveOf(item.channel));
    if (receivers.size === 0) return;
    const delivery = new Delivery(item, this.#deps.clock.monotonic(), undefined, undefined, prefix);
    this.#give(delivery, receivers, message, performance.now());
  }

  /** It is given out at once, as far as those are concerned that follow the positions of its channel: it is nothing that they could miss. */
  #offer(message: ItemMessage): void {
    const { item, position } = message;
    if (position !== undefined && this.#registry().has(item.channel)) {
      this.positions.arrived(item.channel, position);
      this.positions.passed(item.channel, position);
    }
    this.#one.offer(message);
  }

  #give(delivery: Delivery, subscribers: ReadonlySet<Subscriber>, message: ItemMessage, since: number): void {
    const { item, id, headers } = message;
    const { limiter, events, delivered, log } = this.#deps;
    const span = headers && this.#deps.beginSpan?.(message);
    let receivers = 0;
    if (limiter !== undefined) receivers = limiter.offer(delivery, subscribers);
    else {
      for (const subscriber of subscribers) {
        try {
          if (subscriber.deliver(delivery)) receivers++;
        } catch (error) {
          this.#faults.caught('delivery', error, subscriber);
        }
      }
    }
    events.itemDelivered(receivers);
    span?.end({ 'holdfast.receivers': receivers });
    if (receivers > 0 && limiter === undefined) delivered?.(receivers, since);
    if (log.isDebug()) {
      log.debug({ channel: item.channel, id, receivers }, `publish channel=${item.channel} receivers=${receivers}`);
    }
  }
}
