/** What travels with an item from node to node beside it, such as the context of a trace. No client and no origin sees it as such. */

/** Names in lower case, and short texts of printable ASCII. */
export type ItemHeaders = Readonly<Record<string, string>>;

/**
 * Headers of one item.
 *
 * @limit {} headers that travel with an item between nodes
 * @over the others are left out
 */
export const ITEM_HEADERS_MAX = 8;

/**
 * @limit {} characters of such a header
 * @over it is left out
 */
export const ITEM_HEADER_CHARS = 1_024;

const NAME = /^[a-z][a-z0-9-]{0,63}$/;
const VALUE = /^[\x20-\x7e]*$/;

/**
 * What may stay of something that should be headers; undefined where nothing does. For both ends: a node must not send what others
 * leave out, and what it reads may come from another program.
 */
export function boundedHeaders(value: unknown): ItemHeaders | undefined {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return undefined;
  let kept: Record<string, string> | undefined;
  let count = 0;
  // Not all entries at once, of which there may be any number.
  for (const name in value) {
    if (!Object.hasOwn(value, name) || !NAME.test(name)) continue;
    const text: unknown = value[name as keyof typeof value];
    if (typeof text !== 'string' || text.length > ITEM_HEADER_CHARS || !VALUE.test(text)) continue;
    kept ??= {};
    kept[name] = text;
    count++;
    if (count === ITEM_HEADERS_MAX) break;
  }
  return kept;
}
