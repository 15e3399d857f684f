/** Compression of answers for a whole node: the rules, what answers share, and the bound on encoders. */
import type { Containment } from '@holdfast/control-api';
import { headerValues, type RawHeaders, type ResponseHead } from '@holdfast/grip';
import type { Options } from '../config/table.js';
import { type Codec, codecOf, preferredCoding } from '../http/codings.js';
import { DIGESTS, ofChangedBytes, weakTag } from '../http/fields.js';
import { GzipPieces } from './gzip.js';

/** What the operator has said of answers. */
export type CompressionRules = Pick<Options, 'compressMin' | 'compressTypes' | 'compressCookies'>;

/** Fields that are true of the plain body only. */
const OF_PLAIN_BODY: ReadonlySet<string> = new Set([...DIGESTS, 'content-encoding', 'content-range']);

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
      else if (OF_PLAIN_BODY.has(name)) return undefined;
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
  return { ...head, headers: [...ofChangedBytes(varyingHead(head).headers), 'Content-Encoding', coding] };
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

/**
 * Encoders at a time, each of which takes some 300 KiB. Further answers go out as they are.
 *
 * @limit {} answers that are compressed at a time, some 300 KiB each
 * @over further ones go out as they are
 */
export const MAX_ENCODERS = 256;

/**
 * Longest body, in bytes, that is encoded synchronously: that takes less than 1 ms.
 *
 * @limit {} bytes of a whole body that are compressed at once
 * @over longer ones are compressed in another thread
 */
export const SYNC_MAX = 16_384;

/** What the operator has said of answers and of held streams, which are compressed by gzip. */
export type CompressionOptions = CompressionRules & Pick<Options, 'compress' | 'compressStreams'>;

const STREAM_CODINGS = ['gzip'];

/** The compression of a node's answers. */
export class Compression {
  readonly compressible: Compressible;
  readonly pieces: GzipPieces;
  readonly faults: Containment;
  readonly compressMin: number;
  readonly #codings: readonly string[];
  readonly #streams: boolean;
  /** Encoded forms of bodies, for those that go to many clients. */
  readonly #whole = new WeakMap<Buffer, Map<string, Buffer>>();
  /** What is called with such a form once it is made. */
  readonly #making = new WeakMap<Buffer, Map<string, ((encoded: Buffer | undefined) => void)[]>>();
  #encoders = 0;

  constructor(options: CompressionOptions, faults: Containment) {
    this.compressible = new Compressible(options);
    this.pieces = new GzipPieces(options.compressMin);
    this.faults = faults;
    this.compressMin = options.compressMin;
    this.#codings = options.compress;
    this.#streams = options.compressStreams;
  }

  /** Whether answers are compressed, and so are of several forms. */
  get isForAnswers(): boolean {
    return this.#codings.length > 0;
  }

  /** How an answer goes to a client that accepts this; undefined: as it is. */
  codecFor(accept: string | undefined): Codec | undefined {
    const coding = preferredCoding(accept, this.#codings);
    return coding === undefined ? undefined : codecOf(coding);
  }

  /** Whether a held stream goes to such a client in pieces of gzip. */
  isForStream(accept: string | undefined): boolean {
    return this.#streams && preferredCoding(accept, STREAM_CODINGS) !== undefined;
  }

  /** Reserves an encoder until `leave`; false where all are in use. */
  enter(): boolean {
    if (this.#encoders >= MAX_ENCODERS) return false;
    this.#encoders++;
    return true;
  }

  readonly leave = (): void => {
    this.#encoders--;
  };

  /**
   * Encodes a body that is there whole, once for all answers with the very same buffer, and calls `then`: at once, or in a later
   * turn. Undefined: it goes out as it is, since it would not get shorter or too much is being encoded.
   */
  encode(body: Buffer, codec: Codec, then: (encoded: Buffer | undefined) => void): void {
    const known = this.#whole.get(body)?.get(codec.coding);
    if (known !== undefined) then(known === body ? undefined : known);
    else if (body.length <= SYNC_MAX) then(this.#keep(body, codec, codec.sync(body)));
    else this.#encodeLater(body, codec, then);
  }

  #encodeLater(body: Buffer, codec: Codec, then: (encoded: Buffer | undefined) => void): void {
    const making = this.#making.get(body) ?? new Map<string, ((encoded: Buffer | undefined) => void)[]>();
    const waiting = making.get(codec.coding);
    if (waiting !== undefined) waiting.push(then);
    else if (!this.enter()) then(undefined);
    else {
      const all = [then];
      making.set(codec.coding, all);
      this.#making.set(body, making);
      codec.later(body, (error, encoded) => {
        this.leave();
        making.delete(codec.coding);
        const result = error === null ? this.#keep(body, codec, encoded) : undefined;
        for (const one of all) one(result);
      });
    }
  }

  /** One that does not get shorter is remembered as itself. */
  #keep(body: Buffer, { coding }: Codec, encoded: Buffer): Buffer | undefined {
    const isShorter = encoded.length < body.length;
    const forms = this.#whole.get(body) ?? new Map<string, Buffer>();
    forms.set(coding, isShorter ? encoded : body);
    this.#whole.set(body, forms);
    return isShorter ? encoded : undefined;
  }
}
