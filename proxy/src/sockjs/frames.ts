/** The text of SockJS: frames for clients, and the messages in what clients send. */

import { readJson } from '@holdfast/grip';
import type { ClientBody } from '../edge/port.js';
import { queryOf } from '../http/request-path.js';
import { KeptBytes } from '../runtime/kept-bytes.js';
import { FramePiece } from '../websocket/message-socket.js';
import type { SendingTransport } from './sockjs-path.js';

/** The session is open. */
export const OPEN_FRAME = 'o';

/** Nothing has come for a while. */
export const HEARTBEAT_FRAME = 'h';

/** A heartbeat follows 25 s after the last frame. */
export const HEARTBEAT = { content: Buffer.alloc(0), timeout: 25, mode: 'idle' } as const;

/**
 * What JSON leaves as it is, but some client or the way to it does not: invisible and directional marks, line separators,
 * halves of surrogate pairs, and the end of the plane (protocol 0.3, "JSON Unicode Encoding").
 */
const FRAGILE = /[\u200c-\u200f\u2028-\u202f\u2060-\u206f\ud800-\udfff\ufff0-\uffff]/g;

/** A string as JSON in which fragile characters are escaped. */
export function quote(text: string): string {
  return JSON.stringify(text).replace(
    FRAGILE,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}

/** Messages, each quoted already, in one frame. */
export function messagesFrame(quoted: readonly string[]): string {
  return `a[${quoted.join(',')}]`;
}

/** The end of a session. The protocol wants a code and a reason, whether there are any or not; these are Pushpin's. */
export function closeFrame(code: number | undefined, reason: Buffer | undefined): string {
  const text = reason?.toString() || 'Connection closed';
  return `c[${code ?? 0},${quote(text)}]`;
}

const quotedPieces = new WeakMap<FramePiece, string>();

/** The payload of a published message, quoted once for all clients. */
export function quotedPiece(piece: FramePiece): string {
  const known = quotedPieces.get(piece);
  if (known !== undefined) return known;
  const quoted = quote(piece.payload.toString());
  quotedPieces.set(piece, quoted);
  return quoted;
}

const framedPieces = new WeakMap<FramePiece, FramePiece>();

/** A published message as a WebSocket message that holds a frame, encoded once for all clients. */
export function framedPiece(piece: FramePiece): FramePiece {
  const known = framedPieces.get(piece);
  if (known !== undefined) return known;
  const framed = new FramePiece('text', Buffer.from(messagesFrame([quotedPiece(piece)])));
  framedPieces.set(piece, framed);
  return framed;
}

/**
 * Longest body of a request, in bytes; a longer one is refused with 400.
 *
 * @limit {} bytes of a SockJS request body
 * @over 400
 */
export const MAX_BODY = 100_000;

/**
 * Longest message, in bytes; a longer one is refused with 400, or ends a WebSocket.
 *
 * @limit {} bytes of a SockJS message
 * @over 400, or the WebSocket is closed
 */
export const MAX_MESSAGE = 200_000;

/**
 * Most messages of one request or frame. The library sends each by itself on a WebSocket, and over HTTP those that came
 * while the request before was under way.
 *
 * @limit {} messages of one SockJS request or frame
 * @over 400, or the WebSocket is closed
 */
export const MAX_MESSAGES = 10_000;

/**
 * Longest frame of a WebSocket, in bytes; a longer one ends it. The longest message fits, however it is escaped: six bytes
 * for each of its own.
 *
 * @limit SockJS: {} bytes of a frame: a message with any escaping
 * @over the WebSocket is closed
 */
export const MAX_FRAME = 6 * MAX_MESSAGE + 1_024;

/**
 * A payload that cannot be used; the message is the text of the answer, without the newline. A body that is not a payload at all is
 * 500, as in the protocol (0.3, "test_invalid_json"); one over a limit of ours is 400.
 */
export class PayloadFault extends Error {
  readonly status: 400 | 500;

  constructor(message: string, status: 400 | 500 = 400) {
    super(message);
    this.status = status;
  }
}

const expected = () => new PayloadFault('Payload expected.', 500);

/** Reads a JSON array of strings. Throws a `PayloadFault` when it is anything else, or has too many or too long ones. */
export function readMessages(text: string): Buffer[] {
  if (text === '') throw expected();
  const { value, fault } = readJson(text);
  if (fault !== undefined) throw new PayloadFault('Broken JSON encoding.', 500);
  if (!Array.isArray(value)) throw expected();
  if (value.length > MAX_MESSAGES) throw new PayloadFault('Too many messages');
  return value.map((message: unknown) => {
    if (typeof message !== 'string') throw expected();
    const data = Buffer.from(message);
    if (data.length > MAX_MESSAGE) throw new PayloadFault('Message too large');
    return data;
  });
}

/**
 * The JSON text that a request carries. Forms of `jsonp_send` come from browsers, which write a space as `+`, and without
 * a body the text is in the query. Bytes that are not UTF-8 become U+FFFD.
 */
export function sentText(transport: SendingTransport, path: string, body: Buffer): string {
  const text = body.toString();
  if (transport === 'xhr_send' || text.startsWith('[')) return text;
  return new URLSearchParams(text === '' ? queryOf(path) : text).get('d') ?? '';
}

/**
 * Calls `done` with the body once it is here, with undefined as soon as it is known to be longer than `max` bytes, and
 * never when the client breaks off. Without a body, at once.
 */
export function readWhole(
  body: ClientBody | undefined,
  max: number,
  done: (content: Buffer | undefined) => void,
): void {
  if (body === undefined) done(Buffer.alloc(0));
  else if ((body.length ?? 0) > max) done(undefined);
  else {
    let kept: KeptBytes | undefined = new KeptBytes();
    body.read({
      onData: (chunk) => {
        kept?.add(chunk);
        if (kept !== undefined && kept.length > max) {
          kept = undefined;
          done(undefined);
        }
      },
      onEnd: () => {
        if (kept !== undefined) done(kept.whole());
      },
      onAbort: () => {},
    });
  }
}
