/** The `ws` library, which keeps the protocol strict: the options of both roles, its socket, and its side of handshakes. */
import type { Duplex, Writable } from 'node:stream';
import WebSocket, { type PerMessageDeflateOptions, type Server, WebSocketServer } from 'ws';
import { queuedWrites } from '../runtime/node-internals/socket-writes.js';
import { NO_CODE } from './message-socket.js';
import { readingWholeFrames } from './whole-frames.js';

/** Limits and features of all sockets. */
export interface SocketSettings {
  /** Longest message in bytes, after inflation; a longer one closes the socket with 1009. */
  readonly websocketMessageMax: number;
  /** Whether permessage-deflate (RFC 7692) is negotiated. */
  readonly allowCompression: boolean;
  /** How long the other side has to complete a closing handshake before the connection is cut, in ms. */
  readonly closeTimeout?: number;
}

/**
 * @limit {s} for the other side to complete a close
 * @over connection cut
 */
const CLOSE_TIMEOUT_MS = 5_000;

/**
 * Most fragments of one message, each of which takes about 110 bytes on top of its own: so that they take no more than the
 * longest message does. `ws`'s own limit is low enough to be met by accident.
 *
 * @limit {} fragments of one message; one for 128 bytes of `websocket_message_max` if that is less, but 1,024 at least
 * @over session closed with 1008
 */
export const MAX_FRAGMENTS = 131_072;

/** Where messages are short: one fragment to so many bytes of the longest, but as many as this at least. */
const FRAGMENT_BYTES = 128;
const MIN_FRAGMENTS = 1_024;

/**
 * Most reads of which one frame is put together: each takes some 300 bytes on top of its own.
 *
 * @limit {} reads for one frame
 * @over session closed with 1008
 */
export const MAX_FRAME_READS = 32_768;

const OPTIONS = { autoPong: false, skipUTF8Validation: false };

/** No context is kept between messages, so that an idle socket costs no window memory on either side. */
const DEFLATE: PerMessageDeflateOptions = {
  serverNoContextTakeover: true,
  clientNoContextTakeover: true,
  threshold: 512,
};

/** The options of `ws` for a socket of either role. */
export function optionsOf({ websocketMessageMax, allowCompression, closeTimeout = CLOSE_TIMEOUT_MS }: SocketSettings) {
  const maxFragments = Math.min(
    MAX_FRAGMENTS,
    Math.max(MIN_FRAGMENTS, Math.ceil(websocketMessageMax / FRAGMENT_BYTES)),
  );
  const limits = { maxPayload: websocketMessageMax, maxFragments, maxBufferedChunks: MAX_FRAME_READS };
  return { ...OPTIONS, ...limits, closeTimeout, perMessageDeflate: allowCompression && DEFLATE };
}

/** What happens on a connection, as the arguments of `emit`; `close` last, after an `error` if there was one. */
export type SocketEvent =
  | [event: 'message', data: Buffer, isBinary: boolean]
  | [event: 'ping' | 'pong', data: Buffer]
  | [event: 'error', error: Error]
  | [event: 'close', code: number, reason: Buffer];

/** Listens to a socket after its handshake. */
export interface SocketListener {
  onEvent(event: SocketEvent): void;
  /** The other side's Close has come; true if `finish` will be called for it, false to have it answered at once. */
  onClosing(code: number | undefined, reason: Buffer): boolean;
  /** The other side broke the protocol: likewise with this code. The error follows. */
  onBreach(code: number): boolean;
}

/** What of the library's socket has no public name. */
interface Inside {
  readonly _socket: Duplex | null;
  readonly _receiver: Writable | null;
  readonly _sender: { readonly _queue: readonly unknown[] } | undefined;
  readonly _closeFrameReceived: boolean;
  readonly _closeCode: number;
  readonly _closeMessage: Buffer;
}

/**
 * The library's socket, with one listener for everything after its handshake: a list of five for each takes as much memory as
 * the rest of an idle one. Until then its events are the handshake's and go to ordinary listeners.
 */
export class LibrarySocket extends WebSocket {
  #listener: SocketListener | undefined;
  /** The listener has been asked to answer. */
  #asked = false;

  setListener(listener: SocketListener): void {
    this.removeAllListeners();
    this.#listener = listener;
    const { _receiver } = this as unknown as Inside;
    if (_receiver) readingWholeFrames(_receiver);
  }

  /** Its connection, once it is open and until it is closed. */
  get stream(): Duplex | null {
    return (this as unknown as Inside)._socket;
  }

  /** Writes that wait for the connection, and messages that wait for one before them to be deflated. */
  get queued(): number {
    const { _socket, _sender } = this as unknown as Inside;
    return (_socket === null ? 0 : queuedWrites(_socket)) + (_sender?._queue.length ?? 0);
  }

  /**
   * Called by the library itself only, when the other side has closed or broken the protocol: to answer at once. The
   * listener may answer later, by `finish`.
   */
  override close(code?: number, reason?: string | Buffer): void {
    if (this.#listener === undefined || this.#asked || !this.#ask(this.#listener, code)) super.close(code, reason);
  }

  /** Sends a Close frame: the first one, or the answer. */
  finish(code?: number, reason?: Buffer): void {
    super.close(code, reason);
  }

  /** Whether the answer is the listener's to give. What was a Close of our own needs none. */
  #ask(listener: SocketListener, code: number | undefined): boolean {
    this.#asked = true;
    const { _closeFrameReceived: isClose, _closeCode: closeCode, _closeMessage: reason } = this as unknown as Inside;
    const isAnswer = this.readyState !== WebSocket.OPEN;
    // A side that sends nothing any more may not read for long: it is answered before the library ends the connection.
    const early = () => this.finish(code, code === undefined ? undefined : reason);
    const { _socket } = this as unknown as Inside;
    if (!isAnswer) _socket?.prependOnceListener('end', early);
    const waits = isClose
      ? listener.onClosing(closeCode === NO_CODE ? undefined : closeCode, reason)
      : code !== undefined && listener.onBreach(code);
    if (waits && !isAnswer) return true;
    _socket?.off('end', early);
    return false;
  }

  override emit(...event: [event: string | symbol, ...rest: unknown[]]): boolean {
    if (this.#listener === undefined) return super.emit(...event);
    this.#listener.onEvent(event as SocketEvent);
    return true;
  }
}

/** Takes part in handshakes of clients; its sockets have no listener yet. */
export type LibraryServer = Server<typeof LibrarySocket>;

/** One that listens nowhere and remembers no socket. */
export function makeLibraryServer(settings: SocketSettings): LibraryServer {
  const options = { ...optionsOf(settings), noServer: true, clientTracking: false };
  return new WebSocketServer({ ...options, WebSocket: LibrarySocket });
}
