/**
 * Owns: the way of a message that has reached this node to its subscribers. Does not own: the backplane that brought it,
 * or what a subscriber does with it.
 */
import type { BackplaneListener, Log, Message } from '@holdfast/control-api';
import type { Clock } from '../clock.js';
import { Delivery } from './delivery.js';
import type { ChannelRegistry } from './registry.js';

/** Counts what delivery does; implemented by the metrics. */
export interface DeliveryEvents {
  /** An item reached this node and was given to so many connections. */
  itemDelivered(receivers: number): void;
}

/** Takes messages from the backplane to this node's subscribers, in the order in which they come. */
export class ItemDelivery implements BackplaneListener {
  readonly #registry: ChannelRegistry;
  readonly #clock: Clock;
  readonly #events: DeliveryEvents;
  readonly #log: Log;

  constructor(registry: ChannelRegistry, clock: Clock, events: DeliveryEvents, log: Log) {
    this.#registry = registry;
    this.#clock = clock;
    this.#events = events;
    this.#log = log;
  }

  onMessage(message: Message): void {
    if (message.type === 'recover') {
      for (const subscriber of this.#registry.all()) subscriber.recover();
      return;
    }
    const { item } = message;
    const delivery = new Delivery(item, this.#clock.now());
    let receivers = 0;
    for (const subscriber of this.#registry.of(item.channel)) if (subscriber.deliver(delivery)) receivers++;
    this.#events.itemDelivered(receivers);
    if (this.#log.isDebug()) {
      this.#log.debug(
        { channel: item.channel, id: message.id, receivers },
        `publish channel=${item.channel} receivers=${receivers}`,
      );
    }
  }
}
