/** An open WebSocket of a client of the uws edge. */
import type { Containment } from '@holdfast/control-api';
import type { Clock, Timer } from '../../runtime/clock.js';
import { type Draining, drainSoon, Fifo } from '../../runtime/fifo.js';
import type { Flushable, FlushQueue } from '../../runtime/flush-queue.js';
import {
  endFaultySocket,
  type FramePiece,
  LOST,
  type MessageSocket,
  type MessageType,
  NO_CODE,
  type SocketHandler,
} from '../../websocket/message-socket.js';
import type { UwsWebSocket } from './library.js';

/**
 * From so many bytes waiting on, `send` asks to be held back.
 *
 * @limit {} bytes waiting for a WebSocket
 * @over the origin is held back
 */
const HIGH_WATER = 262_144;

/**
 * Most bytes of messages that wait for a handler that does not take them, where each counts `KEPT_BYTES` beside its content;
 * with more the connection is cut.
 *
 * @limit {MiB} of messages that an origin does not take, each counted with `KEPT_BYTES`
 * @over the client is cut
 */
export const KEPT_MAX = 16 * 2 ** 20;

/**
 * Measured: an empty message that waits takes 220 bytes.
 *
 * @limit {} bytes that each waiting message counts beyond its own
 * @over –
 */
export const KEPT_BYTES = 256;

/**
 * Most bytes of pongs that a client has not taken, since it last had taken everything; with more the connection is cut. The
 * library answers each ping as it comes, and cannot be held back.
 *
 * @limit {} bytes of pongs that a client does not take, which the library sends itself
 * @over the client is cut
 */
export const PONGS_MAX = 65_536;

/** A pong's header. */
const PONG_BYTES = 2;

/**
 * How long a client may take what waits before its Close frame, in ms; then its connection is cut.
 *
 * @limit {s} for what waits before a Close
 * @over connection cut
 */
const CLOSE_TIMEOUT_MS = 5_000;

/** Shorter messages are not worth compressing, in bytes. */
const COMPRESS_MIN = 512;

/** Messages that the handler has not taken yet. */
interface Kept {
  readonly messages: Fifo<[MessageType, Buffer]>;
  bytes: number;
}

/** What the library says of a client that ended its connection without a Close frame: it has gone, which is no fault. */
const ENDED = 'Received TCP FIN before WebSocket close frame';

/**
 * What the library says of a Close frame with a code that it does not know: among them 1012 to 1014 and 3000 to 3999, which
 * clients may well send. It does not report the code, and answers without one.
 */
const UNKNOWN_CODE = 'Received invalid close payload';

/** The user data of the library's object. */
export interface UwsSocketData {
  readonly socket: UwsSocket;
}

/** The collaborators of a socket, the same for all of an edge. */
export interface UwsSocketDeps {
  readonly clock: Clock;
  readonly flushes: FlushQueue;
  readonly compression: boolean;
  readonly faults: Containment;
}

interface Ending {
  readonly code: number;
  readonly reason: Buffer;
}

/**
 * A client's WebSocket. The library answers pings and Closes itself, and has no way to stop reading: messages that arrive while
 * the handler is not ready wait here, up to a limit.
 */
export class UwsSocket implements MessageSocket, Flushable, Draining {
  readonly #deps: UwsSocketDeps;
  /** Whether compression may have been negotiated. */
  readonly #deflates: boolean;
  /** Undefined when it is closed: the library's object must not be touched then. */
  #socket: UwsWebSocket<UwsSocketData> | undefined;
  #handler: SocketHandler | undefined;
  /** Frames pushed in this turn: mostly one. */
  #piece: FramePiece | undefined;
  #morePieces: FramePiece[] | undefined;
  #pieceBytes = 0;
  /** Undefined while nothing waits for the handler. */
  #kept: Kept | undefined;
  /** Bytes of pongs that may wait for the client. */
  #pongBytes = 0;
  #ending: Ending | undefined;
  #fault: Error | undefined;
  #paused = false;
  isDraining = false;
  #starved = false;
  /** A Close frame that waits for the messages before it. */
  #closing: Ending | undefined;
  #timer: Timer | undefined;
  #over = false;

  /** `deps` are the same for all sockets of an edge. */
  constructor(deps: UwsSocketDeps, deflates: boolean) {
    this.#deps = deps;
    this.#deflates = deflates;
  }

  setHandler(handler: SocketHandler): void {
    this.#handler = handler;
    drainSoon(this);
  }

  send(type: MessageType, data: Buffer): boolean {
    this.flush();
    if (this.#socket === undefined || this.#over) return true;
    this.#write(this.#socket, type, data);
    if (this.waiting < HIGH_WATER) return true;
    this.#starved = true;
    return false;
  }

  push(piece: FramePiece): void {
    if (this.#socket === undefined || this.#over) return;
    if (this.#piece === undefined) {
      this.#piece = piece;
      this.#deps.flushes.addSoon(this);
    } else {
      this.#morePieces ??= [];
      this.#morePieces.push(piece);
    }
    this.#pieceBytes += piece.payload.length;
  }

  close(code = 0, reason: Buffer = Buffer.alloc(0)): void {
    this.flush();
    if (this.#socket === undefined || this.#over) return;
    this.#over = true;
    this.#closing = { code, reason };
    // The handler that closes gets `onClose` as for any other end, but not from within the call.
    this.#paused = false;
    this.#timer = this.#deps.clock.after(CLOSE_TIMEOUT_MS, () => this.#socket?.close(), this);
    this.#closeIfDrained();
  }

  abort(): void {
    this.#over = true;
    this.#handler = undefined;
    this.#kept = undefined;
    this.#socket?.close();
  }

  pause(): void {
    this.#paused = true;
  }

  resume(): void {
    this.#paused = false;
    drainSoon(this);
  }

  get waiting(): number {
    return this.#socket === undefined ? 0 : this.#pieceBytes + this.#socket.getBufferedAmount();
  }

  flush(): void {
    try {
      this.#flush();
    } catch (error) {
      this.faulted(error);
    }
  }

  /** Writes the frames pushed so far, all in one write. */
  #flush(): void {
    const first = this.#piece;
    if (first === undefined) return;
    const more = this.#morePieces;
    this.#dropPieces();
    const socket = this.#socket;
    if (socket === undefined || this.#over) return;
    if (more === undefined) this.#write(socket, first.type, first.payload);
    else
      socket.cork(() => {
        this.#write(socket, first.type, first.payload);
        for (const piece of more) this.#write(socket, piece.type, piece.payload);
      });
  }

  // From the library

  /** The 101 is out; called from within `upgrade`. */
  opened(socket: UwsWebSocket<UwsSocketData>): void {
    this.#socket = socket;
  }

  /** A message or control frame; `bytes` are detached when this returns. */
  received(type: MessageType, bytes: ArrayBuffer): void {
    if (this.#over || this.#ending !== undefined) return;
    // Short ones share memory: a buffer of its own takes 600 bytes.
    const data = Buffer.from(new Uint8Array(bytes));
    if (type === 'ping' && !this.#takesPongs(data.length)) return;
    if (this.#handler !== undefined && !this.#paused && this.#kept === undefined) {
      try {
        this.#handler.onMessage(type, data);
      } catch (error) {
        this.faulted(error);
      }
      return;
    }
    this.#kept ??= { messages: new Fifo(), bytes: 0 };
    const kept = this.#kept;
    kept.messages.push([type, data]);
    kept.bytes += data.length + KEPT_BYTES;
    if (kept.bytes > KEPT_MAX && kept.messages.length > 1) this.#cut(`more than ${KEPT_MAX} bytes wait for the origin`);
  }

  /** The connection has taken something. */
  drained(): void {
    try {
      this.#closeIfDrained();
      if (!this.#starved || this.waiting >= HIGH_WATER) return;
      this.#starved = false;
      this.#handler?.onWritable();
    } catch (error) {
      this.faulted(error);
    }
  }

  /** The connection is gone. */
  closed(code: number, reason: ArrayBuffer): void {
    this.#socket = undefined;
    this.#dropPieces();
    this.#deps.clock.clear(this.#timer);
    const text = Buffer.from(reason.slice(0));
    const why = code === LOST ? text.toString() : '';
    if (why !== '' && why !== ENDED && why !== UNKNOWN_CODE) this.#fault ??= new Error(why);
    this.#ending = why === UNKNOWN_CODE ? { code: NO_CODE, reason: Buffer.alloc(0) } : { code, reason: text };
    drainSoon(this);
  }

  /** Reports an error of the handler or of the socket itself, and closes the socket. */
  faulted(error: unknown): void {
    const handler = this.#handler;
    this.#kept = undefined;
    endFaultySocket(this, handler, error, this.#deps.faults);
  }

  /** After a fault in a timer of its own. */
  fault(): void {
    this.abort();
  }

  /** Counts the pong that the library has sent: false when the client does not take pongs, and is cut. */
  #takesPongs(bytes: number): boolean {
    if (this.#socket?.getBufferedAmount() === 0) this.#pongBytes = 0;
    else this.#pongBytes += bytes + PONG_BYTES;
    if (this.#pongBytes <= PONGS_MAX) return true;
    this.#cut(`more than ${PONGS_MAX} bytes of pongs wait for the client`);
    return false;
  }

  /** Drops what waits and cuts the connection: the client has exceeded a limit. */
  #cut(fault: string): void {
    this.#fault = new Error(fault);
    this.#kept = undefined;
    this.#socket?.close();
  }

  #dropPieces(): void {
    this.#piece = undefined;
    this.#morePieces = undefined;
    this.#pieceBytes = 0;
  }

  #write(socket: UwsWebSocket<UwsSocketData>, type: MessageType, data: Buffer): void {
    if (type === 'ping') socket.ping(data);
    // Pings were answered when they came; an unsolicited pong cannot be sent.
    else if (type !== 'pong') socket.send(data, type === 'binary', this.#deflates && data.length >= COMPRESS_MIN);
  }

  /** The library closes the connection with the Close frame, so what is before it must be out. */
  #closeIfDrained(): void {
    const closing = this.#closing;
    if (closing === undefined || this.#socket === undefined || this.#socket.getBufferedAmount() > 0) return;
    this.#closing = undefined;
    this.#socket.end(closing.code, closing.reason);
  }

  /** Hands over the messages that wait, and then the end; called by `drainSoon`. */
  drain(): void {
    for (let kept = this.#kept; kept !== undefined; kept = this.#kept) {
      if (this.#paused || this.#handler === undefined) return;
      const [type, data] = kept.messages.shift() as [MessageType, Buffer];
      kept.bytes -= data.length + KEPT_BYTES;
      if (kept.messages.length === 0) this.#kept = undefined;
      this.#handler.onMessage(type, data);
    }
    const ending = this.#ending;
    const handler = this.#handler;
    if (ending === undefined || handler === undefined) return;
    this.#over = true;
    this.#handler = undefined;
    if (ending.code === LOST) handler.onLost(this.#fault);
    else handler.onClose(ending.code === NO_CODE || ending.code === 0 ? undefined : ending.code, ending.reason);
  }
}
