/** Takes a message that has reached this node to its subscribers: first in order, then to each. */
import {
  type BackplaneListener,
  type Containment,
  type Gap,
  type GapReason,
  type ItemMessage,
  type Log,
  type Message,
  uncontained,
} from '@holdfast/control-api';
import { Delivery } from '../channels/delivery.js';
import type { ChannelRegistry } from '../channels/registry.js';
import type { Clock } from '../runtime/clock.js';
import { ChannelPositions } from './channel-positions.js';
import type { RateLimiter } from './rate-limiter.js';
import { Sequencer, type SequencerEvents } from './sequencer.js';

/** Counts what delivery does; implemented by the metrics. */
export interface DeliveryEvents extends SequencerEvents {
  /** An item reached this node and was given to so many connections, or waits for its turn there. */
  itemDelivered(receivers: number): void;
  /** The backplane has reported a gap: items of one channel will never reach this node. */
  itemsLost(reason: GapReason): void;
}

/** What delivery is given. */
export interface ItemDeliveryParts {
  readonly clock: Clock;
  /** How long an item may wait for the one before it, in ms. */
  readonly messageWait: number;
  /** Paces delivery; left out, every connection is given its items at once. */
  readonly limiter?: RateLimiter | undefined;
  readonly events: DeliveryEvents;
  /** Called for each item before its subscribers get it. */
  readonly arrived?: ((delivery: Delivery) => void) | undefined;
  readonly log: Log;
  /** Left out: nothing is contained. */
  readonly faults?: Containment;
}

/** Takes messages from the backplane to this node's subscribers. */
export class ItemDelivery implements BackplaneListener {
  /** What is known of the order of each channel. */
  readonly sequencer: Sequencer;
  /** What is known of the positions of each channel, where items have any. */
  readonly positions = new ChannelPositions();
  readonly #registry: () => ChannelRegistry;
  readonly #parts: ItemDeliveryParts;

  /** `registry` is asked for only when something is delivered: the two know each other. */
  constructor(registry: () => ChannelRegistry, parts: ItemDeliveryParts) {
    this.#registry = registry;
    this.#parts = parts;
    const { clock, messageWait, events } = parts;
    this.sequencer = new Sequencer({ clock, messageWait, events, release: (message) => this.#deliver(message) });
  }

  onMessage(message: Message): void {
    if (message.type === 'item') {
      if (!this.#registry().has(message.item.channel)) return;
      if (message.position !== undefined) this.positions.arrived(message.item.channel, message.position);
      this.sequencer.offer(message);
      return;
    }
    this.sequencer.forgetLastIds();
    for (const subscriber of this.#registry().all()) {
      this.#faults.run('delivery', () => subscriber.recover(), subscriber);
    }
  }

  onGap({ channel, reason, after, until }: Gap): void {
    const { events, log } = this.#parts;
    const subscribers = [...this.#registry().of(channel)];
    events.itemsLost(reason);
    log.warn(
      { channel, reason, after, until, subscribers: subscribers.length },
      `items lost on channel=${channel}: ${reason}`,
    );
    this.sequencer.forgetLastId(channel);
    for (const subscriber of subscribers) this.#faults.run('delivery', () => subscriber.missed(), subscriber);
  }

  /** The last subscriber of a channel has gone: what is known of it is forgotten, and what waits is dropped. */
  forget(channel: string): void {
    this.sequencer.forget(channel);
    this.positions.forget(channel);
  }

  /** The node goes down: delivers what waits for its turn. To be called while the subscribers are still there. */
  finish(): void {
    this.sequencer.finish();
    this.#parts.limiter?.finish();
  }

  get #faults(): Containment {
    return this.#parts.faults ?? uncontained;
  }

  #deliver({ item, id, position }: ItemMessage): void {
    const { clock, limiter, events, arrived, log } = this.#parts;
    const delivery = new Delivery(
      item,
      clock.monotonic(),
      position,
      position && this.positions.passed(item.channel, position),
    );
    const subscribers = this.#registry().of(item.channel);
    arrived?.(delivery);
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
    if (log.isDebug()) {
      log.debug({ channel: item.channel, id, receivers }, `publish channel=${item.channel} receivers=${receivers}`);
    }
  }
}
