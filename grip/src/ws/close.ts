/** The code and reason with which a WebSocket is closed: in a CLOSE event, and as a close frame may carry them. */
import { Buffer, isUtf8 } from 'node:buffer';
import type { WsEvent } from './events.js';

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
