/** A WebSocket of either role on the `ws` library, and the path of pushed frames past it. */
import type { Duplex } from 'node:stream';
import type { Containment } from '@holdfast/control-api';
import { FlushQueue } from '../runtime/flush-queue.js';
import {
  type DirectHandle,
  type DirectWriter,
  type DirectWrites,
  WRITE_BYTES,
} from '../runtime/node-internals/socket-writes.js';
import {
  endFaultySocket,
  type FramePiece,
  frameOf,
  LOST,
  type MessageSocket,
  type MessageType,
  NO_CODE,
  type SocketHandler,
} from './message-socket.js';
import { LibrarySocket, type SocketEvent, type SocketListener } from './ws-library.js';

/**
 * From so many bytes waiting on, `send` asks to be held back. What waits counts `WRITE_BYTES` for each write too.
 *
 * @limit {} bytes waiting on a WebSocket, `WRITE_BYTES` counted
 * @over the other side is not read
 */
const HIGH_WATER = 262_144;

/**
 * Longest message, in bytes, that is written as one frame past the library, where nothing waits.
 *
 * @limit {} bytes
 * @over no limit: a longer message goes through the library
 */
const DIRECT_MAX = 16_384;

/** What a message counts at most beside its content: the longest header of a frame (RFC 6455 §5.2), and its two writes. */
const FRAME_MAX = 14 + 2 * WRITE_BYTES;

/** Shared by all sockets: what is pushed to one in a turn of the event loop is one write. */
const pushes = new FlushQueue();

/** A connection without extensions, to which frames are written as they are encoded here. */
export interface Wire {
  readonly stream: Duplex;
  readonly direct: DirectWrites;
  /** Undefined where frames must go through the stream. */
  readonly handle: DirectHandle | undefined;
  /** It is to a server: frames are masked (RFC 6455 §5.3), each by itself, so that none is shared. */
  readonly masks: boolean;
}

/** A WebSocket of either role. */
export class WsSocket implements MessageSocket, DirectWriter, SocketListener {
  readonly #socket: LibrarySocket;
  /** For frames that are encoded here; undefined where they may be deflated. */
  readonly #wire: Wire | undefined;
  readonly #faults: Containment;
  #handler: SocketHandler | undefined;
  /** Frames pushed in this turn: mostly one. */
  #piece: FramePiece | undefined;
  #morePieces: FramePiece[] | undefined;
  #pieceBytes = 0;
  /** Bytes that a direct write has left behind. */
  #behind = 0;
  #starved = false;
  #over = false;
  #error: Error | undefined;
  /** With which code the handler is to close, as soon as the library has said why. */
  #breach: number | undefined;

  constructor(socket: LibrarySocket, wire: Wire | undefined, faults: Containment) {
    this.#socket = socket;
    this.#faults = faults;
    this.#wire = wire;
    socket.pause();
    socket.setListener(this);
  }

  setHandler(handler: SocketHandler): void {
    this.#handler = handler;
    this.#socket.resume();
  }

  send(type: MessageType, data: Buffer): boolean {
    this.flush();
    const socket = this.#socket;
    if (this.#over || socket.readyState !== LibrarySocket.OPEN) return true;
    if (!this.#sendDirectly(type, data)) this.#sendByLibrary(type, data);
    if (this.waiting < HIGH_WATER) return true;
    this.#starved = true;
    return false;
  }

  /** False, with nothing written, where the message is long, or earlier bytes wait. */
  #sendDirectly(type: MessageType, data: Buffer): boolean {
    const wire = this.#wire;
    if (wire?.handle === undefined || data.length > DIRECT_MAX || !this.#isDry) return false;
    // Their length is the library's to check.
    if (type === 'ping' || type === 'pong') return false;
    return this.#writeDirectly(wire, frameOf(type, data, wire.masks));
  }

  #sendByLibrary(type: MessageType, data: Buffer): void {
    const socket = this.#socket;
    // A sender that may be held back by this is notified when it has gone.
    const isMuch = this.#starved || this.waiting + data.length + FRAME_MAX >= HIGH_WATER;
    const sent = isMuch ? () => this.#guardedSent() : undefined;
    if (type === 'ping') socket.ping(data, undefined, sent);
    else if (type === 'pong') socket.pong(data, undefined, sent);
    else socket.send(data, { binary: type === 'binary' }, sent);
  }

  push(piece: FramePiece): void {
    if (this.#over) return;
    if (this.#piece === undefined) {
      this.#piece = piece;
      pushes.addSoon(this);
    } else {
      this.#morePieces ??= [];
      this.#morePieces.push(piece);
    }
    this.#pieceBytes += piece.payload.length;
  }

  close(code?: number, reason?: Buffer): void {
    this.flush();
    if (code === undefined) this.#socket.finish();
    else this.#socket.finish(code, reason);
    // The other side's Close may be behind messages that have not been read.
    this.#socket.resume();
  }

  abort(): void {
    this.#over = true;
    this.#handler = undefined;
    this.#dropPieces();
    this.#socket.terminate();
  }

  pause(): void {
    this.#socket.pause();
  }

  resume(): void {
    this.#socket.resume();
  }

  get waiting(): number {
    if (this.#over) return 0;
    const { bufferedAmount } = this.#socket;
    const queued = bufferedAmount === 0 ? 0 : bufferedAmount + WRITE_BYTES * this.#socket.queued;
    return this.#pieceBytes + this.#behind + queued;
  }

  flush(): void {
    try {
      this.#flush();
    } catch (error) {
      this.#faulted(error);
    }
  }

  /** Writes the frames pushed so far. */
  #flush(): void {
    const first = this.#piece;
    if (first === undefined) return;
    const more = this.#morePieces;
    this.#dropPieces();
    if (this.#over || this.#socket.readyState !== LibrarySocket.OPEN) return;
    const wire = this.#wire;
    if (wire === undefined || wire.masks) {
      this.send(first.type, first.payload);
      for (const piece of more ?? []) this.send(piece.type, piece.payload);
      return;
    }
    if (more === undefined && this.#writeDirectly(wire, first.frame)) return;
    const { stream } = wire;
    // A sender that is held back waits for these too: the last of them notifies it.
    const sent = this.#starved ? () => this.#guardedSent() : undefined;
    const last = more?.pop();
    if (more === undefined || last === undefined) {
      stream.write(first.frame, sent);
      return;
    }
    stream.cork();
    stream.write(first.frame);
    for (const piece of more) stream.write(piece.frame);
    stream.write(last.frame, sent);
    stream.uncork();
  }

  directlyWritten(isBroken: boolean): void {
    this.#behind = 0;
    if (isBroken) this.#wire?.stream.destroy();
    this.#guardedSent();
  }

  /** Whether nothing waits that was written before. */
  get #isDry(): boolean {
    return this.#behind === 0 && this.#socket.bufferedAmount === 0;
  }

  /** False, with nothing written, where earlier bytes wait or the socket has no handle. */
  #writeDirectly({ direct, handle }: Wire, frame: Buffer): boolean {
    if (handle === undefined || !this.#isDry) return false;
    const left = direct.write(handle, frame, this);
    if (left > 0) this.#behind = left;
    return left >= 0;
  }

  /** Called by the library's socket. */
  onEvent(event: SocketEvent): void {
    try {
      this.#take(event);
    } catch (error) {
      this.#faulted(error);
    }
  }

  onClosing(code: number | undefined, reason: Buffer): boolean {
    if (this.#handler?.onClosing === undefined) return false;
    try {
      this.#handler.onClosing(code, reason);
    } catch (error) {
      this.#faulted(error);
    }
    return true;
  }

  onBreach(code: number): boolean {
    if (this.#handler?.onBreach === undefined || this.#error !== undefined) return false;
    this.#breach = code;
    return true;
  }

  #take(event: SocketEvent): void {
    switch (event[0]) {
      case 'message':
        this.#handler?.onMessage(event[2] ? 'binary' : 'text', event[1]);
        break;
      case 'ping':
      case 'pong':
        this.#handler?.onMessage(event[0], event[1]);
        break;
      case 'error':
        this.#error = event[1];
        if (this.#breach !== undefined) this.#handler?.onBreach?.(this.#breach, event[1]);
        this.#breach = undefined;
        break;
      case 'close':
        this.#closed(event[1], event[2]);
    }
  }

  #faulted(error: unknown): void {
    endFaultySocket(this, this.#handler, error, this.#faults);
  }

  #guardedSent(): void {
    try {
      this.#sent();
    } catch (error) {
      this.#faulted(error);
    }
  }

  #sent(): void {
    if (!this.#starved || this.waiting >= HIGH_WATER) return;
    this.#starved = false;
    this.#handler?.onWritable();
  }

  #dropPieces(): void {
    this.#piece = undefined;
    this.#morePieces = undefined;
    this.#pieceBytes = 0;
  }

  #closed(code: number, reason: Buffer): void {
    if (this.#over) return;
    this.#over = true;
    this.#dropPieces();
    const handler = this.#handler;
    this.#handler = undefined;
    if (code === LOST) handler?.onLost(this.#error);
    else handler?.onClose(code === NO_CODE ? undefined : code, reason);
  }
}
