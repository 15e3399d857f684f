/** Items that wait for a stream to be open, and which of them follow what its client has got by then. */
import type { Delivery } from '../channels/delivery.js';
import type { SubscriptionList } from '../channels/subscription-list.js';

/** Items in the order in which they came. */
export class StreamQueue {
  #deliveries: Delivery[] = [];
  #bytes = 0;

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

/** What is to be done with items that waited. */
export interface Following {
  /** In their order: those of channels that are not tracked, and of each that is, those from the next one on. */
  readonly following: Delivery[];
  /** On some channel the client may not have what waited, and nothing that waited is the next: only the origin has it. */
  readonly isBehind: boolean;
}

/**
 * Sorts out items that came while the origin was answering. Items before the first that follows its answer are in that
 * already; where none does, the last of them should be where it ended. `missed` is the item because of
 * which the origin was asked, if it was: an answer shared with others may be older than it.
 */
export function follow(waited: readonly Delivery[], list: SubscriptionList, missed?: Delivery): Following {
  const following: Delivery[] = [];
  const started = new Set<string>();
  const behind = new Set<string>();
  const check = (delivery: Delivery, prevId: string) => {
    if (delivery.item.id === prevId) behind.delete(delivery.item.channel);
    else behind.add(delivery.item.channel);
  };
  const before = missed?.item.id === undefined ? undefined : list.find(missed.item.channel)?.prevId;
  if (missed !== undefined && before !== undefined) check(missed, before);
  for (const delivery of waited) {
    const subscription = list.find(delivery.item.channel);
    if (subscription === undefined) continue;
    const { channel, prevId } = subscription;
    if (prevId !== undefined && delivery.item.prevId === prevId) {
      started.add(channel);
      behind.delete(channel);
    }
    if (prevId === undefined || started.has(channel)) following.push(delivery);
    else check(delivery, prevId);
  }
  return { following, isBehind: behind.size > 0 };
}
