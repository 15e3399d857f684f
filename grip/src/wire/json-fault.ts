/**
 * Where a text stops being JSON, so that its author finds the place. Runs only once the parser has refused a text: its own messages
 * differ from one version of V8 to the next and often name no place.
 */
import { Buffer, isUtf8 } from 'node:buffer';

/** Characters of the text that are shown before the place, and after it. */
const EXCERPT = 20;

/** Where a text is no JSON, and why. */
interface Fault {
  /** In characters of the text (UTF-16). */
  readonly at: number;
  readonly why: string;
}

/**
 * What keeps bytes from being JSON: `unexpected '}' at line 2, column 7 (byte 31), at '{"items":[' … `. Undefined for bytes
 * that are JSON. Takes time in proportion to their length.
 */
export function jsonFaultText(bytes: Uint8Array): string | undefined {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const text = buffer.toString('utf8');
  const start = text.startsWith('\ufeff') ? 1 : 0;
  const fault = isUtf8(bytes) ? faultOf(text, start) : { at: invalidAt(text, buffer), why: 'bytes that are not UTF-8' };
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
function faultOf(text: string, start: number): Fault | undefined {
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
        const end = endOfString(text, i + 1);
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
      const end = char === '"' ? endOfString(text, i + 1) : Math.max(endOf(NUMBER, text, i), endOf(LITERAL, text, i));
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
function endOfString(text: string, from: number): number {
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
  if (text[at] === '\\') return { at, why: 'an escape that there is not' };
  return { at, why: `an unescaped ${shown(text, at)} in a string` };
}

function shown(text: string, at: number): string {
  const char = String.fromCodePoint(text.codePointAt(at) as number);
  return char < ' ' ? JSON.stringify(char) : `'${char}'`;
}
