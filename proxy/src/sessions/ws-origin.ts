/** The origin of a session that speaks WebSocket. */
import type { Containment } from '@holdfast/control-api';
import type { RawHeaders, ResponseHead } from '@holdfast/grip';
import { faultError, OriginError } from '../errors.js';
import type { MessageType, SocketHandler } from '../websocket/message-socket.js';
import { type DialHandler, type DialRequest, dialSocket } from '../websocket/ws-handshakes.js';
import type { SocketSettings } from '../websocket/ws-library.js';
import type { WsSocket } from '../websocket/ws-socket.js';
import type { OriginHandshakeOwner, OriginSocket, OriginSocketOwner } from './origin-socket.js';
import { tooLongRefusal } from './session-deps.js';

/** A WebSocket to an origin, from its handshake on. */
export class WsOrigin implements OriginSocket, DialHandler, SocketHandler {
  /** Undefined once it has been called. */
  #handshake: OriginHandshakeOwner | undefined;
  #owner: OriginSocketOwner | undefined;
  /** Gives the handshake up. */
  #giveUp: (() => void) | undefined;
  #socket: WsSocket | undefined;
  #over = false;

  /** Starts the handshake. `refusal` says why the target must not be connected to: it fails at once. */
  constructor(
    dial: DialRequest,
    settings: SocketSettings,
    handshake: OriginHandshakeOwner,
    refusal?: OriginError,
    faults?: Containment,
  ) {
    this.#handshake = handshake;
    if (refusal !== undefined) queueMicrotask(() => this.#fail(refusal));
    else this.#giveUp = dialSocket(dial, settings, this, faults);
  }

  setOwner(owner: OriginSocketOwner): void {
    this.#owner = owner;
  }

  send(type: MessageType, data: Buffer): boolean {
    return this.#socket === undefined || this.#socket.send(type, data);
  }

  close(code: number | undefined, reason: Buffer): void {
    if (this.#socket === undefined) this.abort();
    else this.#socket.close(code, code === undefined ? undefined : reason);
  }

  abort(): void {
    this.#over = true;
    if (this.#socket === undefined) this.#giveUp?.();
    else this.#socket.abort();
  }

  pause(): void {
    if (!this.#over) this.#socket?.pause();
  }

  resume(): void {
    this.#socket?.resume();
  }

  dialed(socket: WsSocket, headers: RawHeaders): void {
    if (this.#over) {
      socket.abort();
      return;
    }
    this.#socket = socket;
    const handshake = this.#handshake;
    this.#handshake = undefined;
    this.#giveUp = undefined;
    handshake?.originAccepted(headers);
    socket.setHandler(this);
  }

  refused(head: ResponseHead, body: Buffer | undefined): void {
    if (this.#over) return;
    this.#over = true;
    const relayed = body === undefined ? tooLongRefusal() : { head, body };
    this.#handshake?.originRejected(relayed.head, relayed.body);
  }

  failed(error: Error, connected: boolean): void {
    if (error instanceof OriginError) this.#fail(error);
    else if (!connected) this.#fail(new OriginError('ERR_ORIGIN_CONNECT', error.message, 'connect', { cause: error }));
    else {
      const closed = /ECONNRESET|EPIPE|hang up/.test(`${(error as { code?: string }).code} ${error.message}`);
      const code = closed ? 'ERR_ORIGIN_CLOSED' : 'ERR_ORIGIN_MALFORMED';
      this.#fail(new OriginError(code, error.message, 'no', { cause: error }));
    }
  }

  /** The handshake's owner has thrown. */
  faulted(error: unknown): void {
    this.fault(error);
  }

  /** After a fault of ours: the origin's end is cut, and the session loses it. */
  fault(error: unknown): void {
    if (this.#over) return;
    this.#over = true;
    this.#socket?.abort();
    if (this.#owner !== undefined) this.#owner.originLost(faultError(error));
    else this.#handshake?.originFailed(faultError(error));
  }

  onMessage(type: MessageType, data: Buffer): void {
    if (!this.#over) this.#owner?.originMessage(type, data);
  }

  /** It is answered by `close`, unless it is an answer itself. */
  onClosing(code: number | undefined, reason: Buffer): void {
    this.onClose(code, reason);
  }

  /** The session loses it at once: the origin may take long to end its side. */
  onBreach(code: number, error: Error): void {
    this.onLost(error);
    this.#socket?.close(code);
  }

  onClose(code: number | undefined, reason: Buffer): void {
    if (this.#over) return;
    this.#over = true;
    this.#owner?.originClosed(code, reason);
  }

  onLost(error: Error | undefined): void {
    if (this.#over) return;
    this.#over = true;
    const text = error?.message ?? 'the origin ended the connection without a close';
    const code = error === undefined ? 'ERR_ORIGIN_CLOSED' : 'ERR_ORIGIN_MALFORMED';
    this.#owner?.originLost(new OriginError(code, text, 'no', { cause: error }));
  }

  onWritable(): void {
    if (!this.#over) this.#owner?.originWritable();
  }

  #fail(error: OriginError): void {
    if (this.#over) return;
    this.#over = true;
    this.#handshake?.originFailed(error);
  }
}
