/**
 * Owns: reading an answer of WebSocket-over-HTTP: whether it is one, its events, and which of its header fields are for
 * the client. Does not own: what is done with them, meta (http-meta.ts), or the codec (grip).
 */
import { isUtf8 } from 'node:buffer';
import {
  GripError,
  headerValue,
  MAX_CONTROL_PAYLOAD,
  parseBytesAccepted,
  parseWsEvents,
  type RawHeaders,
  type ResponseHead,
  type WsEvent,
} from '@holdfast/grip';
import { OriginError } from '../../errors.js';
import { isOfOneBody } from '../../http/body-fields.js';
import type { MessageType } from '../../websocket/message-socket.js';
import { MAX_REFUSAL } from '../session-parts.js';
import { isSetMeta } from './meta.js';

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
