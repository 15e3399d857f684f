/** How much memory an item takes: names, ids, meta, and every format with its headers and content. */
import { TEXT_OVERHEAD } from './format.js';
import { formatBytes, formatKeys } from './formats.js';
import type { Item } from './item.js';

/** What an item costs beside its parts: its objects, and its place in a list. Measured in round figures. */
export const ITEM_OVERHEAD = 768;

/**
 * Bytes that an item takes in memory, {@link ITEM_OVERHEAD} aside. Characters count two bytes, which is what they may take:
 * it is never more in truth, and for text of Latin letters half of that.
 */
export function itemBytes({ channel, id, prevId, meta, formats }: Item): number {
  let bytes = 2 * (channel.length + (id?.length ?? 0) + (prevId?.length ?? 0));
  for (const name in meta) bytes += 2 * (name.length + (meta[name] as string).length) + 4 * TEXT_OVERHEAD;
  for (const key of formatKeys) bytes += formatBytes(formats, key);
  return bytes;
}
