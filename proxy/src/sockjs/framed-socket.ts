/** SockJS frames on a client's WebSocket, from its handshake on. */
import type { RawHeaders } from '@holdfast/grip';
import type { ClientHandshake, ClientResponse } from '../edge/port.js';
import type { Clock } from '../runtime/clock.js';
import { Fifo } from '../runtime/fifo.js';
import { KeepAliveTimer } from '../runtime/timers.js';
import type { FramePiece, MessageSocket, MessageType, SocketHandler } from '../websocket/message-socket.js';
import {
  closeFrame,
  framedPiece,
  HEARTBEAT,
  HEARTBEAT_FRAME,
  MAX_FRAME,
  messagesFrame,
  OPEN_FRAME,
  PayloadFault,
  quote,
  readMessages,
} from './frames.js';

/** A handshake whose WebSocket will speak SockJS. */
export class FramedHandshake implements ClientHandshake {
  readonly #inner: ClientHandshake;
  readonly #clock: Clock;
  readonly #random: () => number;

  constructor(inner: ClientHandshake, clock: Clock, random: () => number) {
    this.#inner = inner;
    this.#clock = clock;
    this.#random = random;
  }

  get response(): ClientResponse {
    return this.#inner.response;
  }

  accept(headers: RawHeaders, extensions?: string): MessageSocket | undefined {
    const socket = this.#inner.accept(headers, extensions);
    return socket && new FramedSocket(socket, this.#clock, this.#random);
  }
}

/** A WebSocket whose messages travel in frames. Pings and pongs are the WebSocket's own, and pass as they are. */
export class FramedSocket implements MessageSocket, SocketHandler {
  readonly #socket: MessageSocket;
  readonly #clock: Clock;
  readonly #timer: KeepAliveTimer;
  #handler: SocketHandler | undefined;
  /** Messages of a frame that its handler does not take yet; what comes behind them waits in the WebSocket. */
  #inbox: Fifo<Buffer> | undefined;
  #paused = false;
  /** The other side has closed, or broken the protocol. */
  #isLeft = false;

  /** Sends the open frame. */
  constructor(socket: MessageSocket, clock: Clock, random: () => number) {
    this.#socket = socket;
    this.#clock = clock;
    this.#timer = new KeepAliveTimer(HEARTBEAT, clock, random, () => this.#sendHeartbeat(), this);
    socket.send('text', Buffer.from(OPEN_FRAME));
  }

  setHandler(handler: SocketHandler): void {
    this.#handler = handler;
    this.#socket.setHandler(this);
  }

  send(type: MessageType, data: Buffer): boolean {
    if (type === 'ping' || type === 'pong') return this.#socket.send(type, data);
    this.#timer.sent(this.#clock.monotonic());
    return this.#socket.send('text', Buffer.from(messagesFrame([quote(data.toString())])));
  }

  push(piece: FramePiece): void {
    this.#timer.sent(this.#clock.monotonic());
    this.#socket.push(piece.type === 'ping' || piece.type === 'pong' ? piece : framedPiece(piece));
  }

  /** The code and the reason go in both: the library reads the frame, others the WebSocket's own. */
  close(code?: number, reason?: Buffer): void {
    this.#timer.stop();
    if (code !== undefined && !this.#isLeft) this.#socket.send('text', Buffer.from(closeFrame(code, reason)));
    this.#socket.close(code, reason);
  }

  abort(): void {
    this.#timer.stop();
    this.#handler = undefined;
    this.#inbox = undefined;
    this.#socket.abort();
  }

  pause(): void {
    this.#paused = true;
    this.#socket.pause();
  }

  resume(): void {
    this.#paused = false;
    this.#drain();
    if (!this.#paused) this.#socket.resume();
  }

  get waiting(): number {
    return this.#socket.waiting;
  }

  /** A frame that is not an array of strings ends the session: there is no error frame (protocol 0.3, "test_broken_json"). */
  onMessage(type: MessageType, data: Buffer): void {
    if (type === 'ping' || type === 'pong') {
      this.#handler?.onMessage(type, data);
      return;
    }
    if (data.length === 0) return;
    let messages: Buffer[];
    try {
      if (data.length > MAX_FRAME) throw new PayloadFault('Frame too large');
      messages = readMessages(arrayText(data));
    } catch (error) {
      const handler = this.#handler;
      this.abort();
      handler?.onLost(error as Error);
      return;
    }
    this.#inbox ??= new Fifo();
    for (const message of messages) this.#inbox.push(message);
    this.#drain();
  }

  onClosing(code: number | undefined, reason: Buffer): void {
    this.#left();
    if (this.#handler?.onClosing !== undefined) this.#handler.onClosing(code, reason);
    else if (code === undefined) this.#socket.close();
    else this.#socket.close(code, reason);
  }

  onBreach(code: number, error: Error): void {
    this.#left();
    if (this.#handler?.onBreach !== undefined) this.#handler.onBreach(code, error);
    else this.#socket.close(code);
  }

  onClose(code: number | undefined, reason: Buffer): void {
    this.#timer.stop();
    this.#drain(true);
    this.#handler?.onClose(code, reason);
  }

  onLost(error: Error | undefined): void {
    this.#timer.stop();
    this.#drain(true);
    this.#handler?.onLost(error);
  }

  fault(error: unknown): void {
    this.#timer.stop();
    if (this.#handler?.fault !== undefined) this.#handler.fault(error);
    else this.abort();
  }

  onWritable(): void {
    this.#handler?.onWritable();
  }

  /** Hands out what came, as long as the handler takes it; `all`: whether or not, for nothing comes any more. */
  #drain(all = false): void {
    while (this.#inbox !== undefined && (all || !this.#paused)) {
      const message = this.#inbox.shift();
      if (message === undefined) this.#inbox = undefined;
      else this.#handler?.onMessage('text', message);
    }
  }

  #left(): void {
    this.#isLeft = true;
    this.#timer.stop();
    this.#drain(true);
  }

  /** A client that has not taken what went before needs no sign of life. */
  #sendHeartbeat(): void {
    if (this.#socket.waiting === 0) this.#socket.send('text', Buffer.from(HEARTBEAT_FRAME));
  }
}

/** A single message may stand without its array. */
function arrayText(data: Buffer): string {
  const text = data.toString();
  return text.startsWith('"') ? `[${text}]` : text;
}
