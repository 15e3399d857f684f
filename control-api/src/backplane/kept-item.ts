/**
 * Owns: an item as it is kept for long: in memory that is its alone. Does not own: who keeps it.
 */
import { Buffer } from 'node:buffer';
import type { Formats, Item, Writable } from '@holdfast/grip';

/**
 * The item, with content that shares its memory with nothing else. Small Buffers are cut out of slabs of 8 KiB, and messages
 * of other processes out of what was read at once: one of them that is kept would keep all of it.
 */
export function keptItem(item: Item): Item {
  const { httpResponse, httpStream, wsMessage } = item.formats;
  const formats: Writable<Formats> = { ...item.formats };
  let isOwn = true;
  if (httpStream?.action === 'send' && isShared(httpStream.content)) {
    formats.httpStream = { ...httpStream, content: copyOf(httpStream.content) };
    isOwn = false;
  }
  if (wsMessage?.action === 'send' && isShared(wsMessage.content)) {
    formats.wsMessage = { ...wsMessage, content: copyOf(wsMessage.content) };
    isOwn = false;
  }
  if (httpResponse?.action === 'send' && httpResponse.body !== undefined && isShared(httpResponse.body)) {
    formats.httpResponse = { ...httpResponse, body: copyOf(httpResponse.body) };
    isOwn = false;
  }
  return isOwn ? item : { ...item, formats };
}

function isShared(content: Buffer): boolean {
  return content.buffer.byteLength > content.length;
}

function copyOf(content: Buffer): Buffer {
  const copy = Buffer.allocUnsafeSlow(content.length);
  content.copy(copy);
  return copy;
}
