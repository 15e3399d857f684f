/** The `value; name=value, value; name="value"` grammar of the Grip-* headers. */
import { trimWire } from './text.js';

/** A parameter: its name in the case in which it came, and its value without quotes and escapes ('' if it had none). */
export type Param = readonly [name: string, value: string];

/**
 * One element of a list header. It differs from RFC 9110 §5.6.6 where Pushpin does, because origins depend on it: the value before
 * the first `;` is raw, a parameter value is quoted only if the quote follows the `=` at once, and any character may stand in an
 * unquoted one.
 */
export interface Element {
  readonly value: string;
  readonly params: readonly Param[];
}

/**
 * Splits header values into their comma-separated elements, trimmed, in order. A repeated header and one header with
 * commas mean the same. Commas inside `"…"` do not split, and a backslash there escapes the next character; where a
 * quote never ends, the rest is one element. An empty element between two commas is kept as ''; an empty value, and
 * the nothing after a last comma, give none.
 */
export function splitElements(values: readonly string[]): string[] {
  const elements: string[] = [];
  for (const value of values) {
    for (let start = 0; start < value.length; ) {
      const end = findComma(value, start);
      elements.push(trimWire(value.slice(start, end)));
      start = end + 1;
    }
  }
  return elements;
}

/** Position of the next comma outside quotes, or the length of the text. */
function findComma(text: string, start: number): number {
  let quoted = false;
  for (let i = start; i < text.length; i++) {
    const char = text[i];
    if (quoted && char === '\\') i++;
    else if (char === '"') quoted = !quoted;
    else if (char === ',' && !quoted) return i;
  }
  return text.length;
}

/**
 * Parses an element: everything before the first `;` is its value, the rest are parameters. Undefined if the
 * parameters cannot be parsed; callers then skip the element silently, as Pushpin does.
 */
export function parseElement(text: string): Element | undefined {
  const semicolon = text.indexOf(';');
  if (semicolon < 0) return { value: trimWire(text), params: [] };
  const params = parseParams(text.slice(semicolon + 1));
  return params && { value: trimWire(text.slice(0, semicolon)), params };
}

/**
 * Parses `name=value; name="value"; name`. Undefined for a quoted value without its closing quote. What stands between
 * a closing quote and the next `;` is ignored.
 */
export function parseParams(text: string): Param[] | undefined {
  const params: Param[] = [];
  let start = 0;
  while (start < text.length) {
    const nameEnd = findDelimiter(text, start);
    const name = trimWire(text.slice(start, nameEnd));
    if (text[nameEnd] !== '=') {
      params.push([name, '']);
      start = nameEnd + 1;
    } else if (text[nameEnd + 1] === '"') {
      const quoted = readQuoted(text, nameEnd + 2);
      if (!quoted) return undefined;
      params.push([name, quoted.value]);
      start = endOfParam(text, quoted.end) + 1;
    } else {
      const end = endOfParam(text, nameEnd + 1);
      params.push([name, trimWire(text.slice(nameEnd + 1, end))]);
      start = end + 1;
    }
  }
  return params;
}

/** Position of the next `=` or `;`, or the length of the text. */
function findDelimiter(text: string, start: number): number {
  let i = start;
  while (i < text.length && text[i] !== '=' && text[i] !== ';') i++;
  return i;
}

function endOfParam(text: string, start: number): number {
  const semicolon = text.indexOf(';', start);
  return semicolon < 0 ? text.length : semicolon;
}

/** Reads the inside of a quoted string up to its closing quote; `end` is the position after that quote. */
function readQuoted(text: string, start: number): { value: string; end: number } | undefined {
  let value = '';
  for (let i = start; i < text.length; i++) {
    const char = text[i];
    if (char === '"') return { value, end: i + 1 };
    if (char === '\\' && ++i === text.length) return undefined;
    value += text[i];
  }
  return undefined;
}

/** Value of the first parameter of that name, whatever its case, or undefined. `name` must be in lower case. */
export function paramValue(params: readonly Param[], name: string): string | undefined {
  return params.find(([candidate]) => candidate.toLowerCase() === name)?.[1];
}
