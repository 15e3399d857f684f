/** The `cstring` format of Grip-Keep-Alive. */
import { Buffer } from 'node:buffer';

const hexPair = /^[0-9a-fA-F]{2}$/;
const simple: Readonly<Record<string, string>> = { '\\': '\\', r: '\r', n: '\n' };

/**
 * Decodes `\\`, `\r`, `\n` and `\xHH` in a Latin-1 header string to bytes. An unknown escape is dropped, backslash and
 * letter; undefined for an escape that is cut short or a `\x` without two hex digits.
 */
export function parseCstring(text: string): Buffer | undefined {
  let bytes = '';
  for (let i = 0; i < text.length; i++) {
    const char = text[i] as string;
    if (char !== '\\') {
      bytes += char;
      continue;
    }
    const letter = text[++i];
    if (letter === undefined) return undefined;
    if (letter === 'x') {
      const digits = text.slice(i + 1, i + 3);
      if (!hexPair.test(digits)) return undefined;
      bytes += String.fromCharCode(Number.parseInt(digits, 16));
      i += 2;
    } else {
      bytes += simple[letter] ?? '';
    }
  }
  return Buffer.from(bytes, 'latin1');
}
