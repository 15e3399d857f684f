/**
 * The port of a session's origin: it may speak WebSocket (`ws-origin`) or WebSocket-over-HTTP (`over-http/origin`), and the
 * session does not know which.
 */
import type { RawHeaders, ResponseHead } from '@holdfast/grip';
import type { OriginError } from '../errors.js';
import type { MessageType } from '../websocket/message-socket.js';

/**
 * Called when the handshake with an origin ends: exactly one of these calls, unless it is aborted before, and not from
 * within a call to the socket. It is let go of then, with all that the handshake needed.
 */
export interface OriginHandshakeOwner {
  /**
   * The origin takes the session. `headers` are those of its answer, handshake fields included. Before this returns the
   * socket is to be given an owner, or aborted.
   */
  originAccepted(headers: RawHeaders): void;
  /** The origin answered the handshake with something else: the client is to get that. */
  originRejected(head: ResponseHead, body: Buffer): void;
  /** The origin could not be asked, or gave no usable answer. */
  originFailed(error: OriginError): void;
}

/**
 * Called by an origin that has accepted: `originMessage`* and at most one of `originClosed` and `originLost`, after which
 * nothing follows; all of that after `OriginSocket.close` too. Nothing is called after `abort`, and nothing synchronously from
 * within a call to the socket.
 */
export interface OriginSocketOwner {
  /** A message or control frame for the client, or in GRIP mode for the proxy. */
  originMessage(type: MessageType, data: Buffer): void;
  /**
   * The origin closed, or has answered a close; `code` is undefined when it gave none, or one that must not be sent. Where
   * there was no close before, it waits for one as its answer.
   */
  originClosed(code: number | undefined, reason: Buffer): void;
  /** The origin broke off without a close. */
  originLost(error: OriginError): void;
  /** More may be sent; called after a `send` that returned false. */
  originWritable(): void;
  /** Takes the meta that an origin sets beside its messages, as far as that says who the client is. */
  readonly subscriptions?: { setMeta(name: string, value: string | undefined): boolean };
}

/** The origin's end of a session. Calls after its end do nothing. */
export interface OriginSocket {
  /** Sets what is called for all that follows the acceptance. */
  setOwner(owner: OriginSocketOwner): void;
  /** Passes a client's message or control frame on; false when much waits already: hold the client back. */
  send(type: MessageType, data: Buffer): boolean;
  /** The client closed: so does the origin's end, and what it still says counts, up to its own close. */
  close(code: number | undefined, reason: Buffer): void;
  /** The client is gone without a close, or the session is to end at once. Over HTTP the origin gets a DISCONNECT. */
  abort(): void;
  /** Stops the flow of messages from the origin; what is on its way still comes. */
  pause(): void;
  resume(): void;
}

/** An origin that has to be asked before it learns of news: WebSocket-over-HTTP. */
export interface Refreshable {
  /** Makes a request now, or right after the one under way. */
  refresh(): void;
}

/** Whether an origin socket can be refreshed. */
export function isRefreshable(socket: OriginSocket): socket is OriginSocket & Refreshable {
  return 'refresh' in socket;
}

const NO_REASON = Buffer.alloc(0);

/** Closes an origin's end from our side: as Pushpin does, 1000 on a WebSocket, no code in an event. */
export function closeOrigin(origin: OriginSocket): void {
  origin.close(isRefreshable(origin) ? undefined : 1000, NO_REASON);
}
