/**
 * Owns: items that wait for a stream to be open, and which of them follow what its client has got by then. Does not own:
 * the limit of what may wait, or what is done with them.
 */
import type { Delivery } from '../channels/delivery.js';
import type { SubscriptionList } from '../channels/subscription-list.js';

/** What an item that waits counts beside its content, which all who wait for it share: so that empty ones are bounded too. */
export const ITEM_BYTES = 64;

/** Items in the order of their coming. */
export class StreamQueue {
  #deliveries: Delivery[] = [];
  #bytes = 0;

  /** Bytes of content that wait. */
  get bytes(): number {
    return this.#bytes;
  }

  /** What waits, for a limit: bytes of content, and `ITEM_BYTES` for each item. */
  get cost(): number {
    return this.#bytes + ITEM_BYTES * this.#deliveries.length;
  }

  add(delivery: Delivery): void {
    this.#deliveries.push(delivery);
    const { stream } = delivery;
    if (stream?.action === 'send') this.#bytes += stream.content.length;
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

/** What is to be done with items that waited. */
export interface Following {
  /** In their order: those of channels that are not tracked, and of each that is, those from the next one on. */
  readonly following: Delivery[];
  /** On some channel the client may not have what waited, and nothing that waited is the next: the origin must tell. */
  readonly isBehind: boolean;
}

/**
 * Sorts items out that came while the origin was telling how things stand. Items before the first that follows what it
 * told are in that already; where none does, the last of them should be where it ended. `missed` is the item because of
 * which the origin was asked, if it was: an answer shared with others may be older than it.
 */
export function follow(waited: readonly Delivery[], list: SubscriptionList, missed?: Delivery): Following {
  const following: Delivery[] = [];
  const started = new Set<string>();
  const behind = new Set<string>();
  const told = (delivery: Delivery, prevId: string) => {
    if (delivery.item.id === prevId) behind.delete(delivery.item.channel);
    else behind.add(delivery.item.channel);
  };
  const before = missed?.item.id === undefined ? undefined : list.find(missed.item.channel)?.prevId;
  if (missed !== undefined && before !== undefined) told(missed, before);
  for (const delivery of waited) {
    const subscription = list.find(delivery.item.channel);
    if (subscription === undefined) continue;
    const { channel, prevId } = subscription;
    if (prevId !== undefined && delivery.item.prevId === prevId) {
      started.add(channel);
      behind.delete(channel);
    }
    if (prevId === undefined || started.has(channel)) following.push(delivery);
    else told(delivery, prevId);
  }
  return { following, isBehind: behind.size > 0 };
}
