/** The messages of WebSocket-over-HTTP: the header fields of a request, the meta that an origin keeps in them, and reading an answer. */
import { isUtf8 } from 'node:buffer';
import {
  GripError,
  headerValue,
  MAX_CONTROL_PAYLOAD,
  parseBytesAccepted,
  parseWsEvents,
  type RawHeaders,
  type ResponseHead,
  textFromWire,
  type WsEvent,
} from '@holdfast/grip';
import { OriginError } from '../../errors.js';
import { isOfOneBody } from '../../http/fields.js';
import type { MessageType } from '../../websocket/message-socket.js';
import { MAX_REFUSAL } from '../session-deps.js';

/** Media type of events, in requests and answers. */
export const EVENTS_TYPE = 'application/websocket-events';

/** What an answer may hold in bytes beside two messages of the greatest length: as much as Pushpin allows in all. */
const EVENTS_MARGIN = 1_000_000;

/** Shortest Keep-Alive-Interval in seconds; a lower one is raised. */
const KEEP_ALIVE_MIN = 20;

/** A whole answer. */
export interface HttpAnswer {
  readonly head: ResponseHead;
  /** Undefined when it was longer than allowed; the rest was not read then. */
  readonly body: Buffer | undefined;
}

/** What an answer with events says. */
export interface EventsAnswer {
  readonly events: WsEvent[];
  /** Ms of silence before the next poll; `off` ends polling, undefined leaves it as it was. */
  readonly keepAlive: number | 'off' | undefined;
  /** Content bytes of the request that the origin took; undefined for all. */
  readonly accepted: number | undefined;
}

/** Whether an answer carries events: a 200 of the media type, with or without parameters, in any case. */
export function isEventsHead({ status, headers }: ResponseHead): boolean {
  if (status !== 200) return false;
  const [type = ''] = (headerValue(headers, 'content-type') ?? '').split(';', 1);
  return type.trim().toLowerCase() === EVENTS_TYPE;
}

/** Longest body in bytes of an answer with this head, where a message may have `maxMessage` bytes. */
export function answerBodyMax(head: ResponseHead, maxMessage: number): number {
  return isEventsHead(head) ? 2 * maxMessage + EVENTS_MARGIN : MAX_REFUSAL;
}

/** Reads an answer with events. Throws OriginError ERR_ORIGIN_MALFORMED for anything else. */
export function readEvents({ head, body }: HttpAnswer): EventsAnswer {
  if (!isEventsHead(head)) throw malformed(`answered with status ${head.status} instead of events`);
  if (body === undefined) throw malformed('an answer exceeds the size limit');
  const keepAlive = readKeepAlive(headerValue(head.headers, 'keep-alive-interval'));
  const accepted = parseBytesAccepted(headerValue(head.headers, 'content-bytes-accepted'));
  try {
    return { events: parseWsEvents(body), keepAlive, accepted };
  } catch (error) {
    throw asOriginError(error);
  }
}

function readKeepAlive(header: string | undefined): EventsAnswer['keepAlive'] {
  if (header === undefined) return undefined;
  const seconds = /^\d+$/.test(header.trim()) ? Number(header) : 0;
  return seconds === 0 ? 'off' : Math.max(KEEP_ALIVE_MIN, seconds) * 1_000;
}

/** What a client's message or control frame is called on the way to the origin. */
export const EVENT_TYPES = { text: 'TEXT', binary: 'BINARY', ping: 'PING', pong: 'PONG' } as const;

/** The same the other way. */
export const MESSAGE_TYPES = { TEXT: 'text', BINARY: 'binary', PING: 'ping', PONG: 'pong' } as const;

/**
 * What is wrong with a message or control frame of the origin. What no WebSocket could carry is the origin's fault, as
 * it would be over a WebSocket of its own (RFC 6455 §5.5, §8.1): OriginError ERR_ORIGIN_MALFORMED.
 */
export function messageFault(type: MessageType, data: Buffer, maxMessage: number): OriginError | undefined {
  const max = type === 'ping' || type === 'pong' ? MAX_CONTROL_PAYLOAD : maxMessage;
  if (data.length > max) return malformed(`a ${type} event of the origin has ${data.length} bytes, more than ${max}`);
  if (type === 'text' && !isUtf8(data)) return malformed('a text event of the origin is not UTF-8');
  return undefined;
}

const PRIVATE = new Set([
  'content-length',
  'content-type',
  'transfer-encoding',
  'trailer',
  'connection',
  'keep-alive',
  'keep-alive-interval',
  'content-bytes-accepted',
]);

/** The fields of the answer that accepts a session without those that are for the proxy or describe its body. */
export function acceptedHeaders(headers: RawHeaders): string[] {
  const kept: string[] = [];
  for (let i = 0; i < headers.length; i += 2) {
    const name = headers[i] as string;
    const lower = name.toLowerCase();
    if (PRIVATE.has(lower) || isOfOneBody(lower) || isSetMeta(name)) continue;
    kept.push(name, headers[i + 1] as string);
  }
  return kept;
}

/** Names an error of the events codec, or of this part, as the origin's. */
export function asOriginError(error: unknown): OriginError {
  if (error instanceof OriginError) return error;
  if (error instanceof GripError) return malformed(error.message, { cause: error });
  throw error;
}

/** An answer that breaks WebSocket-over-HTTP. */
export function malformed(message: string, options?: ErrorOptions): OriginError {
  return new OriginError('ERR_ORIGIN_MALFORMED', message, 'no', options);
}

/** How a session presents itself to its origin. */
export interface HttpNaming {
  /** Names the session to the origin: the same in all of its requests, and no other session's. */
  readonly connectionId: string;
  /** Whether the `grip` extension is offered, in every request: not on `no_grip` routes, nor for trusted clients. */
  readonly offersGrip: boolean;
}

/** As flat pairs. `meta` is what the origin has set; `replayed` of the content bytes it has seen before. */
export function httpFields(naming: HttpNaming, meta: HttpMeta | undefined, replayed: number): string[] {
  const fields = ['Accept', EVENTS_TYPE, 'Connection-Id', naming.connectionId, 'Content-Type', EVENTS_TYPE];
  if (replayed > 0) fields.push('Content-Bytes-Replayed', String(replayed));
  if (meta !== undefined) fields.push(...meta.headers);
  if (naming.offersGrip) fields.push('Sec-WebSocket-Extensions', 'grip');
  return fields;
}

const PREFIX = 'set-meta-';

/**
 * Most bytes of names and values together. Each entry is a header field of every request: more than this fits no
 * server's limit of a request head anyhow.
 *
 * @limit {} bytes of meta that an origin keeps at a session over HTTP
 * @over session broken off
 */
export const META_MAX_BYTES = 65_536;

/** The entries of one session, in the order in which they were set. */
export class HttpMeta {
  /** Lower-case name → name as it came, value. */
  readonly #entries = new Map<string, readonly [name: string, value: string]>();

  /**
   * Takes the `Set-Meta-*` fields of an answer over: a later one replaces an earlier one of the same name, whatever its
   * case, and an empty one removes it. Throws OriginError ERR_ORIGIN_MALFORMED beyond
   * {@link META_MAX_BYTES}.
   */
  take(headers: RawHeaders): void {
    let taken = false;
    for (let i = 0; i < headers.length; i += 2) {
      const name = headers[i] as string;
      if (!isSetMeta(name)) continue;
      const value = headers[i + 1] as string;
      const short = name.slice(PREFIX.length);
      this.#entries.delete(short.toLowerCase());
      if (value !== '') this.#entries.set(short.toLowerCase(), [short, value]);
      taken = true;
    }
    if (taken && this.#bytes > META_MAX_BYTES) {
      throw new OriginError('ERR_ORIGIN_MALFORMED', `more than ${META_MAX_BYTES} bytes of meta`, 'no');
    }
  }

  /** The `Meta-*` fields of a request. */
  get headers(): string[] {
    return [...this.#entries.values()].flatMap(([name, value]) => [`Meta-${name}`, value]);
  }

  /** The value of an entry, by its name in lower case. */
  get(name: string): string | undefined {
    const value = this.#entries.get(name)?.[1];
    return value === undefined ? undefined : textFromWire(value);
  }

  get #bytes(): number {
    return this.headers.reduce((sum, text) => sum + text.length, 0);
  }
}

/** Whether a header field sets meta. */
function isSetMeta(name: string): boolean {
  return name.length > PREFIX.length && name.slice(0, PREFIX.length).toLowerCase() === PREFIX;
}

/** Whether an answer has such a field: any, or the one of this name, in lower case. */
export function setsMeta(headers: RawHeaders, meta?: string): boolean {
  for (let i = 0; i < headers.length; i += 2) {
    const name = headers[i] as string;
    if (isSetMeta(name) && (meta === undefined || name.slice(PREFIX.length).toLowerCase() === meta)) return true;
  }
  return false;
}
