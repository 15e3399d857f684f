/** The filters that rewrite content: build-id and var-subst for items, build-id for the body of a response. */
import { Buffer } from 'node:buffer';
import { GripError } from '../errors.js';
import { textFromWire, wireFromText } from '../wire/text.js';
import { type FilterContext, type FilterName, filterTargets } from './filter.js';
import {
  type Directive,
  type DirectiveValue,
  directiveError,
  expandTemplate,
  expandText,
  filterError,
  TemplateExpander,
} from './template.js';

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
