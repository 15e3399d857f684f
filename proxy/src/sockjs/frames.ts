/** SockJS frames for clients, and the encoding of their strings. */
import { FramePiece } from '../websocket/message-socket.js';

/** The session is open. */
export const OPEN_FRAME = 'o';

/** Nothing has come for a while. */
export const HEARTBEAT_FRAME = 'h';

/** How long after the last frame a heartbeat follows, in seconds. */
export const HEARTBEAT_S = 25;

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
