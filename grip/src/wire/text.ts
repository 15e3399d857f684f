/**
 * Unicode text as a header value (a Latin-1 string, one character per byte) and back.
 *
 * Both sides of a GRIP deployment name channels: the origin in header bytes, the publisher in JSON. They must meet, so
 * header bytes that are UTF-8 are read as UTF-8.
 */
import { Buffer, isUtf8 } from 'node:buffer';

/** Whether `text` has a character above `limit`. A loop, because it runs per header and nearly always says no. */
function exceeds(text: string, limit: number): boolean {
  for (let i = 0; i < text.length; i++) {
    if (text.charCodeAt(i) > limit) return true;
  }
  return false;
}

/** Unicode text as it goes into a header: the Latin-1 string of its UTF-8 bytes. A lone surrogate becomes U+FFFD. */
export function wireFromText(text: string): string {
  return exceeds(text, 0x7f) ? Buffer.from(text, 'utf8').toString('latin1') : text;
}

/**
 * The text that a Latin-1 header string means: its bytes read as UTF-8, or the string itself where they are not valid
 * UTF-8. Inverse of {@link wireFromText} for well-formed text.
 */
export function textFromWire(wire: string): string {
  if (!exceeds(wire, 0x7f) || exceeds(wire, 0xff)) return wire;
  const bytes = Buffer.from(wire, 'latin1');
  return isUtf8(bytes) ? bytes.toString('utf8') : wire;
}

/**
 * A Latin-1 header string without the ASCII white space around it. Not `trim()`: that also takes U+00A0, which here is
 * the byte A0 and ends the UTF-8 form of many letters (`à` is C3 A0).
 */
export function trimWire(wire: string): string {
  let start = 0;
  let end = wire.length;
  while (start < end && isSpace(wire.charCodeAt(start))) start++;
  while (end > start && isSpace(wire.charCodeAt(end - 1))) end--;
  return wire.slice(start, end);
}

function isSpace(code: number): boolean {
  return code === 0x20 || (code >= 0x09 && code <= 0x0d);
}
