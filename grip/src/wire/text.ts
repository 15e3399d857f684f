/** What a text holds on the wire: Unicode in a header value (Latin-1, a character per byte), whole numbers, base64. */
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
 * The text that a Latin-1 header string means, for channels are named in header bytes by origins and in JSON by publishers:
 * its bytes read as UTF-8, or the string itself where they are not valid UTF-8. Inverse of {@link wireFromText} for
 * well-formed text.
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

/**
 * Largest number of seconds, bytes or the like that is accepted: Pushpin's int is 32 bits wide.
 *
 * @limit {} as the largest integer in GRIP headers and JSON
 * @over refused
 */
export const MAX_INTEGER = 0x7fff_ffff;

const decimal = /^[+-]?[0-9]+$/;

/**
 * Reads a decimal integer with an optional sign and surrounding white space. Undefined for anything else, and for a
 * number that 32 bits do not hold.
 */
export function parseInteger(text: string): number | undefined {
  const trimmed = trimWire(text);
  if (!decimal.test(trimmed)) return undefined;
  const value = Number(trimmed);
  return Math.abs(value) <= MAX_INTEGER ? value : undefined;
}

/**
 * The bytes, or what is wrong with the text, as text that follows `is not base64:`. Both alphabets (RFC 4648 §4 and §5), with
 * padding or without, and with the white space of encoders that wrap lines. All else is refused: what a lenient decoder makes
 * of it is not what was meant.
 */
export function readBase64(text: string): Buffer | string {
  const bytes = Buffer.from(text, 'base64');
  if (bytes.length === lengthOf(text)) return bytes;
  const dense = text.replace(/[ \t\r\n]+/g, '');
  if (bytes.length === lengthOf(dense)) return bytes;
  const at = text.search(/[^A-Za-z0-9+/_= \t\r\n-]/);
  if (at < 0) return 'it is cut short, or its padding is wrong';
  const char = String.fromCodePoint(text.codePointAt(at) as number);
  return `unexpected ${JSON.stringify(char)} at character ${at + 1}`;
}

/** Bytes that a text of base64 alone stands for; undefined for a length that base64 does not have. */
function lengthOf(text: string): number | undefined {
  const padding = text.endsWith('==') ? 2 : text.endsWith('=') ? 1 : 0;
  const digits = text.length - padding;
  if (padding > 0 ? text.length % 4 !== 0 : digits % 4 === 1) return undefined;
  return Math.floor((digits * 3) / 4);
}
