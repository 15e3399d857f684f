/** How long the names of channels and the ids of items may be. */
import { Buffer } from 'node:buffer';

/**
 * Bytes of a channel's name, or of an item's id, in UTF-8. Both are kept for each channel, subscription and remembered id,
 * and are keys in Redis; URLs and digests fit.
 *
 * @limit {} bytes of a channel's name, an id, a `prev-id`
 * @over refused: publish 400, instruct 502, a control message is ignored, `sub=` is an error of the routes, a view 400
 */
export const MAX_NAME_BYTES = 1_024;

/** Whether a name or id is longer than {@link MAX_NAME_BYTES}. */
export function isLongName(text: string): boolean {
  // No character has more than three bytes for each of its code units.
  return text.length * 3 > MAX_NAME_BYTES && Buffer.byteLength(text) > MAX_NAME_BYTES;
}
