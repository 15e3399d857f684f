/** The filters that rewrite content: build-id and var-subst for items, build-id for the body of a response; and their templates. */
import { Buffer } from 'node:buffer';
import { GripError } from '../errors.js';
import { textFromWire, wireFromText } from '../wire/text.js';
import { type FilterContext, type FilterName, filterTargets } from './filter.js';

/**
 * One directive of a template: `%`, an optional argument in parentheses, one letter. `%%` is a `%`. In an argument a backslash
 * takes the next byte as it is. What is no directive goes through untouched, text or not: templates are Latin-1 strings, one
 * character per byte, which costs half of what slices of Buffers cost for content of the usual size.
 */
export interface Directive {
  /** The one byte after `%` or after the argument, as Latin-1; not necessarily a letter. */
  readonly letter: string;
  /** Latin-1, never empty. Backslashes are resolved. */
  readonly arg: string | undefined;
  /** Offset of the letter in the content, in bytes. */
  readonly at: number;
}

/** Gives a directive its value, in Latin-1, or throws {@link directiveError}. */
export type DirectiveValue = (directive: Directive) => string;

/**
 * @limit {} bytes of a directive that is not complete in a body
 * @over the filter fails: the stream ends
 */
export const MAX_PARTIAL_DIRECTIVE = 8192;

/**
 * Bytes by which the values of directives may make content longer, for each call. More is an error: values come from
 * connections, and content may name one of them a thousand times.
 *
 * @limit {MiB} by which `var-subst` and `build-id` make content longer for one client
 * @over the filter fails: the item is skipped, counted and logged
 */
export const MAX_EXPANSION = 1_048_576;

/** An error of a filter, with Pushpin's text. */
export function filterError(text: string, options?: ErrorOptions): GripError {
  return new GripError('ERR_GRIP_FILTER', text, options);
}

/** An error about one directive; its place is put behind the text. */
export function directiveError(text: string, { at }: Directive): GripError {
  return filterError(`${text} at position ${at}`);
}

/**
 * Replaces all directives of complete content. Content without any `%` is returned as it is, the very same Buffer.
 * Throws ERR_GRIP_FILTER for a directive that does not end, for content that grows by more than {@link MAX_EXPANSION}, and
 * what `value` throws.
 */
export function expandTemplate(content: Buffer, value: DirectiveValue): Buffer {
  if (!content.includes('%')) return content;
  return Buffer.from(expandText(content.toString('latin1'), value), 'latin1');
}

/** {@link expandTemplate} for a Latin-1 string. */
export function expandText(text: string, value: DirectiveValue): string {
  const { out, rest, missing } = expand(text, 0, value);
  if (rest < text.length) throw filterError(missing);
  return out;
}

/**
 * Replaces the directives of content that comes in pieces: a directive may lie across any number of them. The pieces
 * returned make up what {@link expandTemplate} makes of the whole. After an error an expander is of no more use.
 */
export class TemplateExpander {
  readonly #value: DirectiveValue;
  #carried = '';
  #missing = '';
  #base = 0;

  constructor(value: DirectiveValue) {
    this.#value = value;
  }

  /** The next piece of content; may give nothing back yet. Throws as `expandTemplate`. */
  update(piece: Buffer): Buffer {
    const text = this.#carried + piece.toString('latin1');
    const { out, rest, missing } = expand(text, this.#base, this.#value);
    if (text.length - rest > MAX_PARTIAL_DIRECTIVE) throw filterError(missing);
    this.#carried = text.slice(rest);
    this.#missing = missing;
    this.#base += rest;
    return Buffer.from(out, 'latin1');
  }

  /** To be called once all content has come. Throws ERR_GRIP_FILTER if it ends within a directive. */
  finish(): void {
    if (this.#carried !== '') throw filterError(this.#missing);
  }
}

interface Expansion {
  readonly out: string;
  /** Offset of the first directive that is not complete, or the length of the text. */
  readonly rest: number;
  /** What that directive lacks. */
  readonly missing: string;
}

/** Replaces the directives that are complete. `base` is the offset of `text` in the content, for error texts. */
function expand(text: string, base: number, value: DirectiveValue): Expansion {
  let out = '';
  let from = 0;
  let growth = 0;
  for (let percent = text.indexOf('%'); percent >= 0; percent = text.indexOf('%', from)) {
    if (text[percent + 1] === '%') {
      out += text.slice(from, percent + 1);
      from = percent + 2;
      continue;
    }
    out += text.slice(from, percent);
    const found = readDirective(text, percent, base);
    if ('missing' in found) return { out, rest: percent, missing: found.missing };
    const inserted = value(found);
    from = found.at - base + 1;
    growth += inserted.length - (from - percent);
    if (growth > MAX_EXPANSION) throw filterError(`Content grows by more than ${MAX_EXPANSION} bytes`);
    out += inserted;
  }
  return { out: out + text.slice(from), rest: text.length, missing: '' };
}

/** Reads the directive whose `%` is at `percent`, or says what it lacks if the text ends within it. */
function readDirective(text: string, percent: number, base: number): Directive | { readonly missing: string } {
  const start = percent + 1;
  const missing = (what: string, at: number) => ({ missing: `${what} at position ${base + at}` });
  if (start === text.length) return missing("Expected directive after '%'", percent);
  if (text[start] !== '(') return directive(text, start, '', base);
  if (start + 1 === text.length) return missing("Expected character after '('", start);
  let end = start + 1;
  let escaped = false;
  while (end < text.length && text[end] !== ')') {
    if (text[end] === '\\') {
      if (end + 1 === text.length) return missing("Expected character after '\\'", end);
      escaped = true;
      end++;
    }
    end++;
  }
  if (end === text.length) return missing('Unterminated field starting', start);
  if (end + 1 === text.length) return missing("Expected directive after ')'", end);
  const arg = text.slice(start + 1, end);
  return directive(text, end + 1, escaped ? arg.replaceAll(/\\(.)/gs, '$1') : arg, base);
}

function directive(text: string, at: number, arg: string, base: number): Directive {
  return { letter: text[at] as string, arg: arg === '' ? undefined : arg, at: base + at };
}

/**
 * Rewrites the content of an item for one connection; the very same Buffer where there is nothing to rewrite. Throws
 * ERR_GRIP_FILTER.
 */
export type ContentFilter = (content: Buffer, context: FilterContext) => Buffer;

/** `%I` becomes the id that `id_format` makes of the last ids, `%(text)I` the given text. */
function buildId(content: Buffer, { subMeta, prevIds }: FilterContext): Buffer {
  const format = idFormat(subMeta);
  return expandTemplate(content, idValue(renderId(format, prevIds), isHex(subMeta)));
}

/** `%(name)s` becomes the connection's meta value of that name. */
function varSubst(content: Buffer, { subMeta }: FilterContext): Buffer {
  return expandTemplate(content, variableValue(subMeta));
}

/** The filters of this file that act on items, by name. */
export const contentFilters: ReadonlyMap<string, ContentFilter> = new Map<FilterName, ContentFilter>([
  ['build-id', buildId],
  ['var-subst', varSubst],
]);

function idFormat(subMeta: ReadonlyMap<string, string>): string {
  const format = subMeta.get('id_format');
  if (format === undefined) throw filterError("no sub meta 'id_format'");
  return format;
}

function isHex(subMeta: ReadonlyMap<string, string>): boolean {
  const encoding = subMeta.get('id_encoding');
  if (encoding !== undefined && encoding !== 'hex') throw filterError(`unsupported encoding: ${encoding}`);
  return encoding === 'hex';
}

function renderId(format: string, prevIds: ReadonlyMap<string, string>): string {
  return within('failed to render ID', () => expandText(wireFromText(format), variableValue(prevIds)));
}

/** The meaning of `%(name)s`. */
function variableValue(variables: ReadonlyMap<string, string>): DirectiveValue {
  return (directive) => {
    expectLetter('s', directive);
    if (directive.arg === undefined) throw directiveError("Directive 's' requires argument", directive);
    const name = textFromWire(directive.arg);
    const value = variables.get(name);
    if (value === undefined) throw directiveError(`No such variable '${name}'`, directive);
    return wireFromText(value);
  };
}

/** The meaning of `%I` and `%(text)I`. */
function idValue(known: string | undefined, hex: boolean): DirectiveValue {
  return (directive) => {
    expectLetter('I', directive);
    const id = directive.arg ?? known;
    if (id === undefined) throw directiveError('No ID specified and no default ID in context', directive);
    return hex ? Buffer.from(id, 'latin1').toString('hex') : id;
  };
}

function expectLetter(letter: string, directive: Directive): void {
  if (directive.letter !== letter) throw directiveError(`Unknown directive '${directive.letter}'`, directive);
}

/** The one filter that acts on responses. Its errors there, unlike those in items, begin with its name. */
const RESPONSE_FILTER: FilterName = 'build-id';

/**
 * The filters of a response body, which may come in pieces: the initial body of a hold, or what a link answers. No last
 * ids count in it, since the body may hold items of any age: a bare `%I` is an error, `%(text)I` is meant for it.
 */
export class ResponseFilter {
  readonly #subMeta: ReadonlyMap<string, string>;
  #expander: TemplateExpander | undefined;

  constructor(subMeta: ReadonlyMap<string, string>) {
    this.#subMeta = subMeta;
  }

  /**
   * The next piece of the body; may give nothing back yet, and keeps at most `MAX_PARTIAL_DIRECTIVE` bytes. Throws
   * ERR_GRIP_FILTER, after which the response cannot be finished.
   */
  update(piece: Buffer): Buffer {
    return within(RESPONSE_FILTER, () => {
      this.#expander ??= new TemplateExpander(this.#value());
      return this.#expander.update(piece);
    });
  }

  /** To be called once the body is complete; nothing is left to be sent. Throws ERR_GRIP_FILTER if it ends too early. */
  finish(): void {
    within(RESPONSE_FILTER, () => this.#expander?.finish());
  }

  #value(): DirectiveValue {
    idFormat(this.#subMeta);
    return idValue(undefined, isHex(this.#subMeta));
  }
}

/**
 * The filter of a response whose channels have these filters (of all channels together), or undefined if none of them
 * acts on responses: then the body goes out as it is. A body without a byte needs no filter either.
 */
export function responseFilter(
  filters: Iterable<string>,
  subMeta: ReadonlyMap<string, string>,
): ResponseFilter | undefined {
  for (const name of filters) {
    if (filterTargets(name).includes('response-content')) return new ResponseFilter(subMeta);
  }
  return undefined;
}

/** Runs a part of a filter; its errors say which. */
function within<T>(part: string, run: () => T): T {
  try {
    return run();
  } catch (cause) {
    if (!(cause instanceof GripError)) throw cause;
    throw filterError(`${part}: ${cause.message}`, { cause });
  }
}
