/**
 * The one way in: every ingress, HTTP and ZeroMQ, publishes through here.
 *
 * Owns: ids, handing over to the backplane, receipts. Does not own: parsing and transport of requests (server.ts),
 * which ids are recent, sequencing (delivery), distribution (backplane).
 */
import { randomUUID } from 'node:crypto';
import type { Item } from '@holdfast/grip';
import type { Backplane, Message } from './backplane/backplane.js';
import type { PublishEvents } from './events.js';
import type { Log } from './log.js';

/** What the publisher is told about one accepted item. */
export interface PublishReceipt {
  /** The item's id, or the one made for it. */
  readonly id: string;
  readonly channel: string;
  /**
   * Subscribers of the channel on the node that took the item, when it was taken: before delivery, as delivery ends
   * response holds. Filters and deduplication may still keep the item from some of them.
   */
  readonly subscribers: number;
  /** The id was published on this channel a moment ago: this item goes nowhere. */
  readonly duplicate?: true;
}

/** What is known of ids that were published of late. */
export interface RecentIds {
  /** True for a duplicate; otherwise the id is remembered from now on. */
  seen(channel: string, id: string): boolean;
  /** Takes the last `seen` of an id back: its item was not accepted after all. */
  forget(channel: string, id: string): void;
}

/** What a {@link Publisher} is made of. */
export interface PublisherOptions {
  /** Already started. */
  readonly backplane: Backplane;
  /** Subscribers of a channel on this node; called once per item, so it must be a look-up. */
  readonly countSubscribers: (channel: string) => number;
  /** Absent: duplicates are not looked for. */
  readonly ids?: RecentIds;
  readonly events: PublishEvents;
  readonly log: Log;
}

/** Publishes parsed items. One per node, shared by all ingresses. */
export class Publisher {
  readonly #backplane: Backplane;
  readonly #countSubscribers: (channel: string) => number;
  readonly #ids: RecentIds | undefined;
  readonly #events: PublishEvents;
  readonly #log: Log;

  constructor(options: PublisherOptions) {
    this.#backplane = options.backplane;
    this.#countSubscribers = options.countSubscribers;
    this.#ids = options.ids;
    this.#events = options.events;
    this.#log = options.log;
  }

  /**
   * Publishes items, all or none; resolves with a receipt per item, in order, once the backplane accepted them.
   * The items are handed over before this method returns, so that calls keep their order without being awaited.
   * Rejects with the `ControlError` of the backplane.
   */
  async publish(items: readonly Item[]): Promise<PublishReceipt[]> {
    const messages: Message[] = [];
    const receipts: PublishReceipt[] = [];
    for (const item of items) {
      // Not written into the item: one without id resets sequencing and cannot be deduplicated.
      const id = item.id ?? randomUUID();
      const receipt = { id, channel: item.channel, subscribers: this.#countSubscribers(item.channel) };
      if (item.id !== undefined && this.#ids?.seen(item.channel, item.id))
        receipts.push({ ...receipt, duplicate: true });
      else {
        messages.push({ type: 'item', item, id });
        receipts.push(receipt);
      }
    }
    try {
      await this.#backplane.publish(messages);
    } catch (error) {
      // A publisher that tries again must not be taken for one that repeats itself.
      for (const message of messages) {
        if (message.type === 'item' && message.item.id !== undefined) {
          this.#ids?.forget(message.item.channel, message.item.id);
        }
      }
      throw error;
    }
    this.#events.published(items.length);
    if (this.#log.isDebug()) for (const receipt of receipts) this.#log.debug(receipt, 'item published');
    return receipts;
  }

  /** Has all nodes recover (see `RecoverMessage`); resolves and rejects as {@link publish} does. */
  async recover(): Promise<void> {
    await this.#backplane.publish([{ type: 'recover' }]);
    this.#events.recovered();
    this.#log.info({}, 'recover published');
  }
}
