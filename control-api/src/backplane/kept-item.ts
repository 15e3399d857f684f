/** An item as it is kept for long: its content is in memory of its own. */
import { Buffer } from 'node:buffer';
import { contentOf, formatKeys, type Item, withContent } from '@holdfast/grip';

/**
 * The item, with content that shares its memory with nothing else. Small Buffers are cut out of slabs of 8 KiB, and messages
 * of other processes out of what was read at once: one of them that is kept would keep all of it.
 */
export function keptItem(item: Item): Item {
  let { formats } = item;
  for (const key of formatKeys) {
    const content = contentOf(formats, key);
    if (content !== undefined && isShared(content)) formats = withContent(formats, key, copyOf(content));
  }
  return formats === item.formats ? item : { ...item, formats };
}

function isShared(content: Buffer): boolean {
  return content.buffer.byteLength > content.length;
}

function copyOf(content: Buffer): Buffer {
  const copy = Buffer.allocUnsafeSlow(content.length);
  content.copy(copy);
  return copy;
}
