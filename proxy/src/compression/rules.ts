/** Which answers may be compressed, and how their heads change. */
import { headerValues, type RawHeaders, type ResponseHead } from '@holdfast/grip';
import type { Options } from '../config/table.js';

/** What the operator has said of answers. */
export type CompressionRules = Pick<Options, 'compressMin' | 'compressTypes' | 'compressCookies'>;

/** Fields that describe the bytes as they are: with other bytes they would be false. */
const DIGESTS = new Set(['content-md5', 'digest', 'content-digest', 'repr-digest']);

const EVENT_STREAM = 'text/event-stream';

/** Decides by the head of an answer. */
export class Compressible {
  readonly #rules: CompressionRules;
  readonly #types: RegExp;
  /** Streams of events that an origin sends itself are compressed only where they are named. */
  readonly #relaysEvents: boolean;

  constructor(rules: CompressionRules) {
    this.#rules = rules;
    const types = rules.compressTypes.map((type) => type.toLowerCase());
    const escaped = types.map((type) => type.replace(/[.+^$|(){}?[\]\\]/g, '\\$&').replaceAll('*', '.*'));
    this.#types = new RegExp(`^(?:${escaped.join('|') || '(?!)'})$`);
    this.#relaysEvents = types.includes(EVENT_STREAM);
  }

  /** Whether the body of a relayed answer, of this length if it is known, could be compressed for a client that accepts it. */
  answer(head: ResponseHead, length: number | undefined): boolean {
    const { status } = head;
    if (status === 204 || status === 205 || status === 206 || status === 304) return false;
    if (length !== undefined && length < this.#rules.compressMin) return false;
    const type = this.#typeOf(head.headers);
    return type !== undefined && (type === EVENT_STREAM ? this.#relaysEvents : this.#types.test(type));
  }

  /** The same for a stream that is held. */
  stream({ headers }: ResponseHead): boolean {
    const type = this.#typeOf(headers);
    return type !== undefined && (type === EVENT_STREAM || this.#types.test(type));
  }

  /** The media type in lower case; undefined where another field forbids compression, or there is none. */
  #typeOf(headers: RawHeaders): string | undefined {
    let type: string | undefined;
    for (let i = 0; i < headers.length; i += 2) {
      const name = (headers[i] as string).toLowerCase();
      const value = headers[i + 1] as string;
      if (name === 'content-type') type ??= (value.split(';', 1)[0] as string).trim().toLowerCase();
      else if (name === 'content-encoding' || name === 'content-range' || DIGESTS.has(name)) return undefined;
      else if (name === 'cache-control' && hasNoTransform(value)) return undefined;
      else if ((name === 'set-cookie' || name === 'set-cookie2') && !this.#rules.compressCookies) return undefined;
    }
    return type;
  }
}

/** Whether these fields forbid every change to a body (RFC 9111 §5.2.1.6, §5.2.2.6). */
export function forbidsTransform(headers: RawHeaders): boolean {
  return headerValues(headers, 'cache-control').some(hasNoTransform);
}

function hasNoTransform(value: string): boolean {
  return value.split(',').some((directive) => directive.trim().toLowerCase() === 'no-transform');
}

/** The head of an answer of which there are several forms (RFC 9110 §12.5.5). */
export function varyingHead(head: ResponseHead): ResponseHead {
  const varies = headerValues(head.headers, 'vary')
    .join(',')
    .split(',')
    .map((name) => name.trim().toLowerCase());
  if (varies.includes('*') || varies.includes('accept-encoding')) return head;
  return { ...head, headers: [...head.headers, 'Vary', 'Accept-Encoding'] };
}

/**
 * The head of an answer in this coding. Its bytes are others than those that the origin's entity tag stands for, and ranges
 * of them cannot be had.
 */
export function encodedHead(head: ResponseHead, coding: string): ResponseHead {
  const headers: string[] = [];
  const { headers: before } = varyingHead(head);
  for (let i = 0; i < before.length; i += 2) {
    const name = before[i] as string;
    const lower = name.toLowerCase();
    const value = before[i + 1] as string;
    if (lower !== 'accept-ranges') headers.push(name, lower === 'etag' ? weakTag(value) : value);
  }
  headers.push('Content-Encoding', coding);
  return { ...head, headers };
}

/** Says by a 304 what the answer says that the client has, where it names that by the weak form of its tag. */
export function notModifiedHead(head: ResponseHead, request: RawHeaders): ResponseHead {
  const [tag] = headerValues(head.headers, 'etag');
  if (tag === undefined || tag.startsWith('W/')) return head;
  if (!headerValues(request, 'if-none-match').some((tags) => tags.includes(`W/${tag}`))) return head;
  const headers = [...varyingHead(head).headers];
  for (let i = 0; i < headers.length; i += 2) {
    if ((headers[i] as string).toLowerCase() === 'etag') headers[i + 1] = weakTag(tag);
  }
  return { ...head, headers };
}

/** An entity tag that does not promise the same bytes (RFC 9110 §8.8.1). */
function weakTag(tag: string): string {
  return tag.startsWith('"') ? `W/${tag}` : tag;
}
