/** Base64 as publishers and origins write it. Keys (sig.ts) and Grip-Keep-Alive, which is lenient, are read elsewhere. */
import { Buffer } from 'node:buffer';

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

/** Bytes that a text of nothing but base64 stands for; undefined where it has no length of such. */
function lengthOf(text: string): number | undefined {
  const padding = text.endsWith('==') ? 2 : text.endsWith('=') ? 1 : 0;
  const digits = text.length - padding;
  if (padding > 0 ? text.length % 4 !== 0 : digits % 4 === 1) return undefined;
  return Math.floor((digits * 3) / 4);
}
