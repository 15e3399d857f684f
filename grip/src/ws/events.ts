/** The body of a WebSocket-over-HTTP request or response (application/websocket-events): events and their bytes, both ways. */
import { Buffer } from 'node:buffer';
import { GripError } from '../errors.js';

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
