/** How messages are put together into batches: by channel, and not too many in one. */
import type { Item } from '@holdfast/grip';
import type { Acceptance, Message } from '../../backplane.js';
import { BATCH_CHARS, BATCH_MESSAGES } from '../limits.js';

/** The end of several payloads, which is the same object where it is the same text. */
export interface Tail {
  readonly text: string;
}

/** A message on its way into Redis. */
export interface BatchEntry {
  readonly message: Message;
  /** That of the item, given or made; one made for a recover. */
  readonly id: string;
  readonly payload: string;
  /** The two parts of the payload where others have the same end: that is sent once. */
  readonly shared: { readonly head: string; readonly tail: Tail } | undefined;
  /** In a feed: the item as its channel gets it. */
  readonly fedFrom?: Item;
  /** What became of it; undefined until that is known, and for good where it was refused. */
  acceptance: Acceptance | undefined;
}

/** All messages of one channel in a batch. Accepted as a whole or not at all. */
export interface BatchPart {
  /** The channel; undefined for recovers. */
  readonly channel: string | undefined;
  readonly entries: readonly BatchEntry[];
}

/** What Redis takes in one call of the script, and only once however often it is sent. */
export interface Batch {
  /** Grows from batch to batch of a node, in the order in which they are to be sent. */
  readonly number: number;
  readonly parts: readonly BatchPart[];
}

/** The messages of calls as batches, numbered in order; with `divided` a batch for each channel. */
export function batchesOf(
  calls: readonly { readonly entries: readonly BatchEntry[] }[],
  divided: boolean,
  nextBatch: () => number,
): Batch[] {
  const batches: Batch[] = [];
  let parts: BatchPart[] = [];
  let messages = 0;
  let chars = 0;
  for (const part of partsOf(calls)) {
    let size = 0;
    for (const { payload } of part.entries) size += payload.length;
    const isFull = divided || messages + part.entries.length > BATCH_MESSAGES || chars + size > BATCH_CHARS;
    if (parts.length === 0 || isFull) {
      parts = [];
      batches.push({ number: nextBatch(), parts });
      messages = 0;
      chars = 0;
    }
    parts.push(part);
    messages += part.entries.length;
    chars += size;
  }
  return batches;
}

/** Messages by channel, in the order of first appearance. */
function partsOf(calls: readonly { readonly entries: readonly BatchEntry[] }[]): Iterable<BatchPart> {
  const byChannel = new Map<string | undefined, { channel: string | undefined; entries: BatchEntry[] }>();
  for (const { entries } of calls) {
    for (const entry of entries) {
      const channel = entry.message.type === 'item' ? entry.message.item.channel : undefined;
      const part = byChannel.get(channel);
      if (part) part.entries.push(entry);
      else byChannel.set(channel, { channel, entries: [entry] });
    }
  }
  return byChannel.values();
}
