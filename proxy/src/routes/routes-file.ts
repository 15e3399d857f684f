/** The grammar of routes lines: text ⇄ condition and targets with their properties, in Pushpin's syntax. */
import { RoutesError } from '../errors.js';

/** `name` or `name=value`; a flag has no value, which is not the same as an empty one (`replace_beg=`). */
export interface RouteProp {
  readonly name: string;
  readonly value: string | undefined;
  /** 1-based, of its first character. */
  readonly column: number;
}

/** The condition or one target. */
export interface RouteSection {
  /** Empty when the section begins with a property. Never contains `=`. */
  readonly value: string;
  readonly props: readonly RouteProp[];
  readonly column: number;
}

/** One route before its properties are understood. */
export interface RouteLine {
  /** 1-based. */
  readonly line: number;
  readonly condition: RouteSection;
  /** At least one. */
  readonly targets: readonly RouteSection[];
}

/** What lines hold: every good one, and an error for every bad one. */
export interface RoutesText {
  readonly lines: readonly RouteLine[];
  readonly errors: readonly RoutesError[];
}

interface Token {
  readonly text: string;
  readonly column: number;
}

/** Reads one line from left to right. */
class LineReader {
  readonly #text: string;
  readonly #line: number;
  #at = 0;

  constructor(text: string, line: number) {
    this.#text = text;
    this.#line = line;
  }

  /** All sections; empty for a blank line or a comment. */
  sections(): RouteSection[] {
    const sections: RouteSection[] = [];
    for (;;) {
      while (this.#text[this.#at] === ' ') this.#at += 1;
      if (this.#ended()) return sections;
      sections.push(this.#section());
    }
  }

  #ended(): boolean {
    return this.#at >= this.#text.length || this.#text[this.#at] === '#';
  }

  #error(reason: string, column = this.#at + 1): RoutesError {
    return new RoutesError(reason, { line: this.#line, column });
  }

  #section(): RouteSection {
    const first = this.#token();
    const bare = !first.text.includes('=');
    const props = bare ? [] : [this.#prop(first)];
    while (this.#text[this.#at] === ',') {
      this.#at += 1;
      const token = this.#token();
      if (token.text === '') throw this.#error('expecting prop', token.column);
      props.push(this.#prop(token));
    }
    return { value: bare ? first.text : '', props, column: first.column };
  }

  #prop({ text, column }: Token): RouteProp {
    const at = text.indexOf('=');
    if (at === 0) throw this.#error('empty prop name', column);
    return at === -1
      ? { name: text, value: undefined, column }
      : { name: text.slice(0, at), value: text.slice(at + 1), column };
  }

  #token(): Token {
    const column = this.#at + 1;
    let text = '';
    for (; this.#at < this.#text.length; this.#at += 1) {
      const character = this.#text[this.#at] as string;
      if (character === ' ' || character === ',' || character === '#') break;
      text += character === '"' ? this.#quoted() : character;
    }
    return { text, column };
  }

  /** From an opening quote to its closing one, on which the position is left. */
  #quoted(): string {
    const column = this.#at + 1;
    let text = '';
    for (this.#at += 1; this.#at < this.#text.length; this.#at += 1) {
      const character = this.#text[this.#at] as string;
      if (character === '"') return text;
      if (character !== '\\') {
        text += character;
        continue;
      }
      this.#at += 1;
      const escaped = this.#text[this.#at];
      if (escaped === undefined) throw this.#error('unterminated escape sequence');
      if (escaped !== '"' && escaped !== '\\') throw this.#error(`unexpected escape character: ${escaped}`);
      text += escaped;
    }
    throw this.#error('unterminated quoted section', column);
  }
}

/**
 * Reads one line; undefined for a blank line or a comment.
 *
 *     line    := [section {ws section}] ['#' comment]      section := [value] {',' prop}      prop := name ['=' text]
 *
 * Separators are spaces only. Double quotes can contain anything; `\"` and `\\` are the only escapes in them.
 * @throws RoutesError with Pushpin's texts
 */
export function parseRouteLine(text: string, line: number): RouteLine | undefined {
  const [condition, ...targets] = new LineReader(text, line).sections();
  if (condition === undefined) return undefined;
  if (targets.length === 0)
    throw new RoutesError('must specify condition and at least one target', { line, column: 0 });
  return { line, condition, targets };
}

/** Reads lines, such as the `--route` flags. A bad line does not affect the others. */
export function parseRouteLines(texts: readonly string[]): RoutesText {
  const lines: RouteLine[] = [];
  const errors: RoutesError[] = [];
  for (const [index, text] of texts.entries()) {
    try {
      const line = parseRouteLine(text, index + 1);
      if (line !== undefined) lines.push(line);
    } catch (error) {
      if (!(error instanceof RoutesError)) throw error;
      errors.push(error);
    }
  }
  return { lines, errors };
}

/** Reads the text of a routes file. */
export function parseRoutesFile(text: string): RoutesText {
  return parseRouteLines(text.replace(/^\uFEFF/, '').split(/\r?\n/));
}

function quote(text: string): string {
  return text === '' || /[ ,#"]/.test(text) ? `"${text.replace(/["\\]/g, '\\$&')}"` : text;
}

function formatSection({ value, props }: RouteSection): string {
  const flat = props.map((prop) => quote(prop.value === undefined ? prop.name : `${prop.name}=${prop.value}`));
  // A flag cannot stand first: it would be read as the value. An empty quoted value is written before it.
  const head = value === '' && props[0]?.value !== undefined ? [] : [quote(value)];
  return [...head, ...flat].join(',');
}

/** One line that reads back as `line`. */
export function formatRouteLine({ condition, targets }: RouteLine): string {
  return [condition, ...targets].map(formatSection).join(' ');
}
