/** WebSocket-over-HTTP: events and their bytes both ways, the content of a CLOSE, and which events the origin has accepted. */
import { Buffer, isUtf8 } from 'node:buffer';
import { GripError } from '../errors.js';
import { parseInteger } from '../wire/text.js';

const types = ['OPEN', 'TEXT', 'BINARY', 'PING', 'PONG', 'CLOSE', 'DISCONNECT'] as const;

/**
 * What happened on the sender's other side: the handshake, a whole message or control frame, a close frame,
 * or, as DISCONNECT, the end of the connection without one.
 */
export type WsEventType = (typeof types)[number];

/** One event. */
export interface WsEvent {
  readonly type: WsEventType;
  /**
   * Absent where the wire had no length; that means the same as empty. TEXT is not checked to be UTF-8, nor PING and
   * PONG to fit a control frame (MAX_CONTROL_PAYLOAD): the caller that makes frames of them must.
   */
  readonly content?: Buffer;
}

const known: ReadonlySet<string> = new Set(types);
const hex = /^[0-9a-f]+$/i;
const CRLF = '\r\n';

/**
 * Most events of one body. An event without content takes six bytes on the wire and fifty in memory, so that the length of
 * a body bounds nothing.
 *
 * @limit {} events of one answer over HTTP
 * @over session broken off
 */
export const MAX_WS_EVENTS = 50_000;

/** Characters of a fault's event line that are quoted in the error: enough to find it, whatever the origin sent. */
const MAX_QUOTED = 40;

/**
 * Writes events: `TYPE CRLF`, or `TYPE hex-length CRLF content CRLF` with the length in lower case. No content and
 * empty content are both written without a length, as Pushpin 1.36 writes them. No events give an empty body, which is
 * what a poll sends.
 */
export function encodeWsEvents(events: readonly WsEvent[]): Buffer {
  const chunks: Buffer[] = [];
  for (const { type, content } of events) {
    if (content && content.length > 0) {
      chunks.push(Buffer.from(`${type} ${content.length.toString(16)}${CRLF}`), content, Buffer.from(CRLF));
    } else {
      chunks.push(Buffer.from(type + CRLF));
    }
  }
  return Buffer.concat(chunks);
}

/**
 * Reads a whole body, all or nothing. Events of an unknown type are checked like any other and left out. The length may
 * be hex of either case, with zeros in front and spaces around it; the type is exact.
 *
 * Contents are views of `body` and keep all of it alive: copy what outlives it.
 *
 * Throws ERR_GRIP_WS_EVENTS for an event line without its CRLF, a length that is no hex number or goes beyond the body,
 * and content without its CRLF; Pushpin takes the last two, and cuts or joins messages then. Also for more than
 * `MAX_WS_EVENTS`, those of an unknown type included.
 */
export function parseWsEvents(body: Buffer): WsEvent[] {
  const events: WsEvent[] = [];
  for (let start = 0, count = 1; start < body.length; count++) {
    if (count > MAX_WS_EVENTS) throw new GripError('ERR_GRIP_WS_EVENTS', `more than ${MAX_WS_EVENTS} events`);
    const { type, content, end } = readEvent(body, start);
    if (isWsEventType(type)) events.push(content ? { type, content } : { type });
    start = end;
  }
  return events;
}

function isWsEventType(type: string): type is WsEventType {
  return known.has(type);
}

/** Reads the event that begins at `start`; `end` is where the next one begins. */
function readEvent(body: Buffer, start: number): { type: string; content?: Buffer; end: number } {
  const lineEnd = body.indexOf(CRLF, start);
  if (lineEnd < 0) throw fault('event line without CRLF', body, start, body.length);
  const contentStart = lineEnd + CRLF.length;
  // Not beyond the line, so that the search stays linear over a body of short events.
  const space = body.subarray(start, lineEnd).indexOf(' ');
  if (space < 0) return { type: body.toString('latin1', start, lineEnd), end: contentStart };
  const length = body.toString('latin1', start + space + 1, lineEnd).trim();
  if (!hex.test(length)) throw fault('event length is not a hex number', body, start, lineEnd);
  // However many digits it has, the number is at worst Infinity and then beyond any body.
  const contentEnd = contentStart + Number.parseInt(length, 16);
  if (contentEnd > body.length) throw fault('event length goes beyond the body', body, start, lineEnd);
  if (body.toString('latin1', contentEnd, contentEnd + CRLF.length) !== CRLF) {
    throw fault('event content not followed by CRLF', body, start, lineEnd);
  }
  return {
    type: body.toString('latin1', start, start + space),
    content: body.subarray(contentStart, contentEnd),
    end: contentEnd + CRLF.length,
  };
}

function fault(what: string, body: Buffer, start: number, lineEnd: number): GripError {
  const line = body.toString('latin1', start, Math.min(lineEnd, start + MAX_QUOTED));
  return new GripError('ERR_GRIP_WS_EVENTS', `${what}: ${JSON.stringify(line)} at byte ${start}`);
}

/**
 * Most bytes of a close reason: a control frame holds 125 (RFC 6455 §5.5), and two of them are the code.
 *
 * @limit {} bytes of the reason of a close
 * @over the rest is cut off
 */
export const MAX_CLOSE_REASON = 123;

/** A close as it can be sent. */
export interface WsClose {
  /** A code for which {@link isSendableCloseCode} holds; absent for a close without one. */
  readonly code?: number;
  /** UTF-8, at most {@link MAX_CLOSE_REASON} bytes. Empty where there is no code, since a frame has no room for it then. */
  readonly reason: Buffer;
}

/**
 * Whether a code may stand in a close frame: one that RFC 6455 §7.4.1 or the IANA registry defines for it (1000-1003,
 * 1007-1014), one registered by a library (3000-3999) or private (4000-4999). 1004 to 1006 and 1015 are reserved, the
 * others below 3000 unassigned, and clients fail the connection on them.
 */
export function isSendableCloseCode(code: number): boolean {
  if (!Number.isInteger(code)) return false;
  return (code >= 1000 && code <= 1003) || (code >= 1007 && code <= 1014) || (code >= 3000 && code <= 4999);
}

/**
 * A reason as it can be sent: cut to {@link MAX_CLOSE_REASON} bytes between two characters, and empty if it is not
 * UTF-8, on which a client would fail the connection (RFC 6455 §8.1).
 */
export function fitCloseReason(reason: Buffer): Buffer {
  if (!isUtf8(reason)) return Buffer.alloc(0);
  if (reason.length <= MAX_CLOSE_REASON) return reason;
  let end = MAX_CLOSE_REASON;
  while (isContinuation(reason[end])) end--;
  return reason.subarray(0, end);
}

function isContinuation(byte: number | undefined): boolean {
  return byte !== undefined && (byte & 0xc0) === 0x80;
}

function makeClose(code: number | undefined, reason: Buffer): WsClose {
  if (code === undefined || !isSendableCloseCode(code)) return { reason: Buffer.alloc(0) };
  return { code, reason: fitCloseReason(reason) };
}

/**
 * The CLOSE event for a close of the client: two bytes of code in network order and the reason, or no content where
 * there is no code or none that may be sent. The reason is fitted.
 */
export function closeEvent(code?: number, reason: Buffer = Buffer.alloc(0)): WsEvent {
  const close = makeClose(code, reason);
  if (close.code === undefined) return { type: 'CLOSE' };
  const content = Buffer.alloc(2 + close.reason.length);
  content.writeUInt16BE(close.code);
  close.reason.copy(content, 2);
  return { type: 'CLOSE', content };
}

/**
 * Reads the content of a CLOSE event of the origin. Never fails: content of one byte, and a code that must not be sent,
 * are a close without a code. serve-grip sends code 0 for its `close()`; a client to which that is passed on sees
 * 1006, a broken connection.
 */
export function readClose(content: Buffer | undefined): WsClose {
  if (!content || content.length < 2) return makeClose(undefined, Buffer.alloc(0));
  return makeClose(content.readUInt16BE(0), content.subarray(2));
}

/**
 * What an answer to a request did with the request's events. An origin whose own messages span several WebSocket messages may take
 * only the first n content bytes of a request; the rest is put before the events of the next request, which says so in
 * Content-Bytes-Replayed. Pushpin has this since 1.41 (`WebSocketOverHttp` and its `removeContentFromFrames`); the published
 * WebSocket-over-HTTP text does not.
 */
export interface WsAcceptance {
  /**
   * Events taken whole. If neither this nor the number of bytes is above 0, there was no progress, and an origin for
   * which no more can be queued will never make any.
   */
  readonly consumed: number;
  /** The others in their order, to be sent again before any newer event. The first may be the rest of its message. */
  readonly remaining: readonly WsEvent[];
  /** Content-Bytes-Replayed of the next request if above 0: the content bytes of `remaining`, without those of a CLOSE. */
  readonly replayed: number;
}

/** Bytes of content of these events together, CLOSE included: what a request with them offers. */
export function contentBytes(events: readonly WsEvent[]): number {
  return events.reduce((sum, event) => sum + contentLength(event), 0);
}

function contentLength(event: WsEvent | undefined): number {
  return event?.content?.length ?? 0;
}

/**
 * Reads Content-Bytes-Accepted. Undefined if it is absent or not a whole number from 0, and then all of the request is
 * accepted.
 */
export function parseBytesAccepted(header: string | undefined): number | undefined {
  const accepted = header === undefined ? undefined : parseInteger(header);
  return accepted !== undefined && accepted >= 0 ? Math.abs(accepted) : undefined; // never -0
}

/**
 * What remains of the `events` of a request of which the origin accepted the first `accepted` content bytes; by
 * default, all. The codec's framing does not count. An event is consumed with its last byte; one without content, with
 * the last byte before it. Of a message that is accepted in part the rest remains as a message of the same type: a TEXT
 * may then begin within a character, which is the origin's choice. No byte is lost, repeated or put in another place.
 *
 * A CLOSE ends what there is to wait for, so an origin that takes all that precedes it must take it too.
 *
 * Throws ERR_GRIP_WS_EVENTS if more is accepted than was offered, or all but the CLOSE; the session cannot go on then.
 */
export function acceptBytes(events: readonly WsEvent[], accepted = contentBytes(events)): WsAcceptance {
  const offered = contentBytes(events);
  if (!(accepted >= 0 && accepted <= offered)) {
    throw new GripError('ERR_GRIP_WS_EVENTS', `${accepted} content bytes accepted of ${offered}`);
  }
  let left = accepted;
  let consumed = 0;
  while (consumed < events.length && contentLength(events[consumed]) <= left) {
    left -= contentLength(events[consumed]);
    consumed++;
  }
  const first = events[consumed];
  if (!first?.content) return { consumed, remaining: [], replayed: 0 };
  if (first.type === 'CLOSE') {
    throw new GripError('ERR_GRIP_WS_EVENTS', `all content before CLOSE accepted, but ${left} bytes of CLOSE itself`);
  }
  const rest = left > 0 ? { type: first.type, content: first.content.subarray(left) } : first;
  const remaining = [rest, ...events.slice(consumed + 1)];
  return { consumed, remaining, replayed: contentBytes(remaining.filter(({ type }) => type !== 'CLOSE')) };
}
