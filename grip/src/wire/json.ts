/** The only parser of JSON from outside, within bounds of depth and of values; and where a text stops being JSON. */
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

/** A value that was read, or what is wrong, as text that follows a noun: `is not valid JSON`. */
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

/**
 * Parses JSON text of any length. Never throws. A long text is checked before anything is made of it: `[[[[…` of a megabyte
 * would be half a million arrays, on which everything that walks values, JSON.stringify first, runs out of stack.
 */
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

/** Characters of the text that are shown before the place, and after it. */
const EXCERPT = 20;

/** Where a text is no JSON, and why. */
interface Fault {
  /** In characters of the text (UTF-16). */
  readonly at: number;
  readonly why: string;
}

/**
 * Where bytes stop being JSON, for their author: `unexpected '}' at line 2, column 7 (byte 31), near '{"items":[' … `. V8's own messages
 * differ between versions, and often name no place. Undefined for bytes that are JSON. Takes time in proportion to their length.
 */
export function jsonFaultText(bytes: Uint8Array): string | undefined {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const text = buffer.toString('utf8');
  const start = text.startsWith('\ufeff') ? 1 : 0;
  const fault = isUtf8(bytes)
    ? firstFault(text, start)
    : { at: invalidAt(text, buffer), why: 'bytes that are not UTF-8' };
  if (fault === undefined) return undefined;
  const { at, why } = fault;
  if (text.length === start) return 'it is empty';
  const before = text.slice(0, at);
  let line = 1;
  for (let end = before.indexOf('\n'); end >= 0; end = before.indexOf('\n', end + 1)) line++;
  const column = at - before.lastIndexOf('\n') - (line === 1 ? start : 0);
  const near = JSON.stringify(text.slice(Math.max(start, at - EXCERPT), at + EXCERPT));
  return `${why} at line ${line}, column ${column} (byte ${Buffer.byteLength(before)}), near ${near}`;
}

/** The first character of a decoded text that stands for bytes which are no UTF-8. */
function invalidAt(text: string, buffer: Buffer): number {
  let byte = 0;
  let from = 0;
  for (let at = text.indexOf('\ufffd'); at >= 0; at = text.indexOf('\ufffd', at + 1)) {
    byte += Buffer.byteLength(text.slice(from, at));
    from = at;
    if (buffer.toString('latin1', byte, byte + 3) !== 'ï¿½') return at;
  }
  return text.length;
}

const NUMBER = /-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?/y;
const SPACE = /[ \t\n\r]*/y;
const LITERAL = /true|false|null/y;
const HEX = /[0-9a-fA-F]{4}/y;

type Wanted = 'value' | 'value or ]' | 'key or }' | 'key' | 'colon' | 'comma' | 'end';

/** Walks the text as RFC 8259 writes it, without a stack of calls: a text may nest as deep as it is long. */
function firstFault(text: string, start: number): Fault | undefined {
  const open: ('[' | '{')[] = [];
  let wanted: Wanted = 'value';
  let i = start;
  for (;;) {
    i = endOf(SPACE, text, i);
    const char = text[i];
    if (char === undefined) return wanted === 'end' ? undefined : { at: i, why: 'the text ends too early' };
    if (wanted === 'colon') {
      if (char !== ':') return unexpected(text, i, "':'");
      i++;
      wanted = 'value';
    } else if (wanted === 'comma') {
      const list = open.at(-1) === '[';
      if (char === ',') wanted = list ? 'value' : 'key';
      else if (char === (list ? ']' : '}')) wanted = closed(open);
      else return unexpected(text, i, list ? "',' or ']'" : "',' or '}'");
      i++;
    } else if (wanted === 'key' || wanted === 'key or }') {
      if (char === '"') {
        const end = endOfValid(text, i + 1);
        if (text[end] !== '"') return inString(text, i, end);
        i = end + 1;
        wanted = 'colon';
      } else if (char === '}' && wanted === 'key or }') {
        i++;
        wanted = closed(open);
      } else return unexpected(text, i, 'a name in double quotes');
    } else if (wanted === 'end') {
      return unexpected(text, i, 'the end');
    } else if (char === ']' && wanted === 'value or ]') {
      i++;
      wanted = closed(open);
    } else if (char === '[' || char === '{') {
      open.push(char);
      i++;
      wanted = char === '[' ? 'value or ]' : 'key or }';
    } else {
      const end = char === '"' ? endOfValid(text, i + 1) : Math.max(endOf(NUMBER, text, i), endOf(LITERAL, text, i));
      if (char === '"' && text[end] !== '"') return inString(text, i, end);
      if (end === i) return unexpected(text, i, 'a value');
      i = char === '"' ? end + 1 : end;
      wanted = open.length === 0 ? 'end' : 'comma';
    }
  }
}

function closed(open: string[]): Wanted {
  open.pop();
  return open.length === 0 ? 'end' : 'comma';
}

/** Where a sticky pattern ends that begins at `from`; `from` itself where it does not match. */
function endOf(pattern: RegExp, text: string, from: number): number {
  pattern.lastIndex = from;
  return pattern.test(text) ? pattern.lastIndex : from;
}

/** Where a string ends: at its quote, at the end of the text, or at what may not be in it. Begins behind the first quote. */
function endOfValid(text: string, from: number): number {
  for (let i = from; ; ) {
    const code = text.charCodeAt(i);
    if (code === 0x5c) {
      const next = text[i + 1];
      if (next === 'u' && endOf(HEX, text, i + 2) > i + 2) i += 6;
      else if (next !== undefined && '"\\/bfnrt'.includes(next)) i += 2;
      else return i;
    } else if (code >= 0x20 && code !== 0x22) i++;
    else return i;
  }
}

function unexpected(text: string, at: number, expected: string): Fault {
  return { at, why: `unexpected ${shown(text, at)} where ${expected} should be` };
}

function inString(text: string, begin: number, at: number): Fault {
  if (text[at] === undefined || text[at + 1] === undefined) return { at: begin, why: 'a string that does not end' };
  if (text[at] === '\\') return { at, why: 'an unknown escape' };
  return { at, why: `an unescaped ${shown(text, at)} in a string` };
}

function shown(text: string, at: number): string {
  const char = String.fromCodePoint(text.codePointAt(at) as number);
  return char < ' ' ? JSON.stringify(char) : `'${char}'`;
}
