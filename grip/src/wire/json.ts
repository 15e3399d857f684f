/**
 * The only parser of JSON from outside, within bounds of depth and of values; `npm run lint` refuses another `JSON.parse` of input.
 * How many bytes are read is for the callers to bound.
 *
 * A long text is checked before anything is made of it: `[[[[…` of a megabyte would be half a million arrays, on which everything
 * that walks values, JSON.stringify first, runs out of stack.
 */
import { Buffer, isUtf8 } from 'node:buffer';

/**
 * How deep objects and lists of any input may nest: far beyond any item, far below what exhausts the stack.
 *
 * @limit {} levels of any JSON text: publishes, ZeroMQ, Redis, instructs, control messages, SockJS, JSON-P
 * @over refused as invalid JSON, with the reason where there is an answer
 */
export const MAX_JSON_DEPTH = 256;

/**
 * Values in one text: as many as the largest publish has of the smallest. One takes up to 100 bytes of memory, whatever it
 * takes in the text.
 *
 * @limit {} values of any such JSON text
 * @over the same
 */
export const MAX_JSON_VALUES = 500_000;

/** A value that was read, or why there is none, as text that follows a noun: `is not valid JSON`. */
export type JsonRead =
  | { readonly value: unknown; readonly fault?: undefined }
  | { readonly value?: undefined; readonly fault: string };

/** The fault of text that is not JSON; any other is of JSON beyond a limit. */
export const NOT_JSON = 'is not valid JSON';

const INVALID: JsonRead = { fault: NOT_JSON };
const TOO_DEEP: JsonRead = { fault: `nests deeper than ${MAX_JSON_DEPTH} levels` };
const TOO_MANY: JsonRead = { fault: `has more than ${MAX_JSON_VALUES} values` };

/**
 * Characters of a text that is parsed first and checked afterwards: what it becomes is small however it nests, and walking its
 * few values costs less than reading all of its text.
 */
const SHORT = 65_536;

/** Parses JSON text of any length. Never throws. */
export function readJson(text: string): JsonRead {
  const isShort = text.length <= SHORT;
  const fault = isShort ? undefined : faultOf(text);
  if (fault !== undefined) return fault;
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return INVALID;
  }
  // Each level takes a character at its beginning, and one at its end.
  if (isShort && text.length > 2 * MAX_JSON_DEPTH && isDeeper(value, MAX_JSON_DEPTH)) return TOO_DEEP;
  return { value };
}

/** {@link readJson} for bytes, which must be UTF-8, with or without a byte order mark. */
export function readJsonBytes(bytes: Uint8Array): JsonRead {
  if (!isUtf8(bytes)) return INVALID;
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('utf8');
  return readJson(text.startsWith('\ufeff') ? text.slice(1) : text);
}

/** Whether a value that JSON can say has more levels of lists and objects than these. */
export function isDeeper(value: unknown, levels: number): boolean {
  if (typeof value !== 'object' || value === null) return false;
  if (levels === 0) return true;
  if (Array.isArray(value)) {
    for (const element of value) if (isDeeper(element, levels - 1)) return true;
    return false;
  }
  const object = value as Readonly<Record<string, unknown>>;
  for (const key in object) if (isDeeper(object[key], levels - 1)) return true;
  return false;
}

const QUOTE = 0x22;
const COMMA = 0x2c;
const OPEN_LIST = 0x5b;
const BACKSLASH = 0x5c;
const CLOSE_LIST = 0x5d;
const OPEN_OBJECT = 0x7b;
const CLOSE_OBJECT = 0x7d;

/** Checks what is between strings and skips those. Text that is not JSON passes: the parser refuses it. */
function faultOf(text: string): JsonRead | undefined {
  const { length } = text;
  let depth = 0;
  let values = 1;
  for (let i = 0; i < length; i++) {
    switch (text.charCodeAt(i)) {
      case QUOTE:
        i = endOfString(text, i + 1);
        break;
      case OPEN_LIST:
      case OPEN_OBJECT:
        if (++depth > MAX_JSON_DEPTH) return TOO_DEEP;
        if (++values > MAX_JSON_VALUES) return TOO_MANY;
        break;
      case CLOSE_LIST:
      case CLOSE_OBJECT:
        depth--;
        break;
      case COMMA:
        if (++values > MAX_JSON_VALUES) return TOO_MANY;
    }
  }
  return undefined;
}

/** Characters of a string that are looked at one by one; beyond that the next quote is searched for. */
const NEAR = 64;

/** Position of the quote that ends a string, or the length of the text. */
function endOfString(text: string, start: number): number {
  const { length } = text;
  for (let i = start; i < length; ) {
    for (const near = Math.min(i + NEAR, length); i < near; i++) {
      const code = text.charCodeAt(i);
      if (code === QUOTE) return i;
      if (code === BACKSLASH) i++;
    }
    const end = text.indexOf('"', i);
    if (end < 0) return length;
    let slashes = end;
    while (slashes > i && text.charCodeAt(slashes - 1) === BACKSLASH) slashes--;
    if ((end - slashes) % 2 === 0) return end;
    i = end + 1;
  }
  return length;
}
