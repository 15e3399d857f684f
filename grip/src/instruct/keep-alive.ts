/** Keep-alives of a stream hold: the value, and the Grip-Keep-Alive header. */
import { Buffer } from 'node:buffer';
import { GripError } from '../errors.js';
import { paramValue, parseElement } from '../wire/params.js';
import { parseInteger, textFromWire } from '../wire/text.js';

/** `idle`: each delivered item puts the next keep-alive off. `interval`: nothing does. */
export type KeepAliveMode = 'idle' | 'interval';

/** How the content is written in a header or, as an extension, in JSON. */
type KeepAliveFormat = 'raw' | 'cstring' | 'base64';

/** What is written into a stream hold, and how often. */
export interface KeepAlive {
  /** Bytes to write; never empty. */
  readonly content: Buffer;
  readonly mode: KeepAliveMode;
  /** Seconds; at least 1. Up to 2^31-1. */
  readonly timeout: number;
}

/**
 * @limit {} s between keep-alives if the origin gives no time-out; at least 1 s
 * @over a shorter one is raised
 */
export const DEFAULT_KEEP_ALIVE_TIMEOUT = 55;

/**
 * Parses the value of Grip-Keep-Alive. Only the first such header counts, and its commas are data, so it is not a list.
 * Undefined for an absent or empty header, for unparsable parameters, and for content that decodes to nothing.
 * Throws ERR_GRIP_INSTRUCT for an unknown mode or format, a bad timeout, a bad cstring.
 */
export function parseKeepAlive(header: string | undefined): KeepAlive | undefined {
  if (!header) return undefined;
  const element = parseElement(header);
  if (!element) return undefined;
  if (element.value === '') throw new GripError('ERR_GRIP_INSTRUCT', 'Grip-Keep-Alive cannot be empty');
  const mode = parseMode(paramValue(element.params, 'mode'), 'Grip-Keep-Alive') ?? 'idle';
  const timeout = parseTimeout(paramValue(element.params, 'timeout'));
  const format = parseFormat(paramValue(element.params, 'format'), 'Grip-Keep-Alive') ?? 'raw';
  return makeKeepAlive(decodeContent(element.value, format, 'Grip-Keep-Alive'), mode, timeout);
}

/**
 * Builds a keep-alive, with the timeout raised to one second. Undefined without content: there would be nothing to
 * write, and an empty chunk would end the stream (RFC 9112 §7.1).
 */
export function makeKeepAlive(content: Buffer, mode: KeepAliveMode, timeout: number): KeepAlive | undefined {
  return content.length > 0 ? { content, mode, timeout: Math.max(timeout, 1) } : undefined;
}

/** Checks a mode; undefined for none, ERR_GRIP_INSTRUCT for an unknown one. `where` begins the error text. */
export function parseMode(text: string | undefined, where: string): KeepAliveMode | undefined {
  if (text === undefined || text === '') return undefined;
  if (text === 'idle' || text === 'interval') return text;
  throw new GripError('ERR_GRIP_INSTRUCT', `no such ${where} mode '${textFromWire(text)}'`);
}

/** Checks a format; undefined for none, ERR_GRIP_INSTRUCT for an unknown one. `where` begins the error text. */
export function parseFormat(text: string | undefined, where: string): KeepAliveFormat | undefined {
  if (text === undefined || text === '') return undefined;
  if (text === 'raw' || text === 'cstring' || text === 'base64') return text;
  throw new GripError('ERR_GRIP_INSTRUCT', `no such ${where} format '${textFromWire(text)}'`);
}

/** Bytes of a Latin-1 string in the given format. Throws ERR_GRIP_INSTRUCT for a bad cstring; base64 is lenient. */
export function decodeContent(text: string, format: KeepAliveFormat, where: string): Buffer {
  if (format !== 'cstring') return Buffer.from(text, format === 'raw' ? 'latin1' : 'base64');
  const content = parseCstring(text);
  if (!content) throw new GripError('ERR_GRIP_INSTRUCT', `failed to parse ${where} cstring format`);
  return content;
}

function parseTimeout(text: string | undefined): number {
  if (text === undefined) return DEFAULT_KEEP_ALIVE_TIMEOUT;
  const timeout = parseInteger(text);
  if (timeout === undefined) throw new GripError('ERR_GRIP_INSTRUCT', 'failed to parse Grip-Keep-Alive timeout value');
  if (timeout < 0) throw new GripError('ERR_GRIP_INSTRUCT', 'Grip-Keep-Alive timeout has invalid value');
  return timeout;
}

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
