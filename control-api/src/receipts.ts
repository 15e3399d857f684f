/** What a publisher learns of each item. */
import type { Writable } from '@holdfast/grip';
import type { Acceptance, ItemMessage } from './backplane/backplane.js';

/** What became of one accepted item. */
export interface PublishReceipt {
  /** The item's id, or the one made for it. */
  readonly id: string;
  readonly channel: string;
  /**
   * Subscribers of the channel on the node that took the item, when it was taken: before delivery, as delivery ends
   * response holds. Filters and deduplication may still keep the item from some of them. Left out where the node does
   * not know, because its workers hold the connections.
   */
  readonly subscribers?: number;
  /** How many nodes had a subscriber of the channel; see `Acceptance.nodes`. */
  readonly nodes?: number;
  /** Where the item stands in its channel; both or neither. For a duplicate: where the first one does. */
  readonly offset?: number;
  readonly epoch?: string;
  /** The id was published on this channel a moment ago: this item goes nowhere. */
  readonly duplicate?: true;
}

/** The receipt of an item of a publish that the backplane did not accept as a whole. */
export interface PartReceipt extends PublishReceipt {
  /** False: refused, or not accepted as far as is known. The receipt then only names the item. */
  readonly accepted: boolean;
}

/** The receipt of a message that was accepted. */
export function receiptOf(
  { id, item: { channel } }: ItemMessage,
  subscribers: number | undefined,
  { duplicate, nodes, position }: Acceptance = { duplicate: false },
): PublishReceipt {
  const receipt: Writable<PublishReceipt> = { id, channel };
  if (subscribers !== undefined) receipt.subscribers = subscribers;
  if (nodes !== undefined) receipt.nodes = nodes;
  if (position !== undefined) {
    receipt.epoch = position.epoch;
    receipt.offset = position.offset;
  }
  if (duplicate) receipt.duplicate = duplicate;
  return receipt;
}
