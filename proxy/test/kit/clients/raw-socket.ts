/**
 * One end of a WebSocket that sends exactly what it is given, valid or not, and does nothing by itself: no answer
 * to a ping or to a Close.
 */
import { randomBytes } from 'node:crypto';
import { connect, type Socket } from 'node:net';
import { setImmediate as turn } from 'node:timers/promises';
import type { Test } from 'tap';
import { type RawAnswer, takeAnswer } from './raw-answer.js';
import {
  closePayload,
  decodeFrame,
  encodeFrame,
  type Frame,
  type FrameShape,
  frameSize,
  opcodes,
} from './raw-frames.js';

/** What a raw connection is like. */
export interface RawSocketOptions {
  /** Whether its own frames are masked: a client's are. */
  readonly masks: boolean;
  /** Received after the handshake's end. */
  readonly early?: Buffer;
}

/** A handshake that was answered. */
export interface Answered {
  readonly answer: RawAnswer;
  readonly socket: RawSocket | undefined;
}

/** An open connection. */
export class RawSocket {
  readonly socket: Socket;
  readonly masks: boolean;
  /** Bytes received since the handshake. */
  receivedBytes = 0;
  #parts: Buffer[] = [];
  #bytes = 0;
  #end: 'fin' | 'reset' | undefined;
  #wakers: (() => void)[] = [];

  constructor(socket: Socket, { masks, early = Buffer.alloc(0) }: RawSocketOptions) {
    this.socket = socket;
    this.masks = masks;
    this.#take(early);
    socket.on('data', (chunk) => this.#take(chunk));
    socket.on('error', (error: NodeJS.ErrnoException) => this.#over(error.code === 'ECONNRESET' ? 'reset' : 'fin'));
    socket.on('end', () => this.#over('fin'));
    socket.on('close', () => this.#over('fin'));
    socket.resume();
  }

  /** Connects to a server that accepts. */
  static async open(t: Test, port: number, lines: readonly string[] = [], path = '/'): Promise<RawSocket> {
    const { answer, socket } = await RawSocket.ask(t, port, lines, path);
    if (socket === undefined) throw new Error(`refused: ${answer.status} ${answer.body.toString()}`);
    return socket;
  }

  /** Connects, asks for a WebSocket and waits for the answer; the `socket` is there when that is 101. */
  static async ask(t: Test, port: number, lines: readonly string[] = [], path = '/'): Promise<Answered> {
    const socket = await connected(t, port);
    socket.write(handshake(lines, path), 'latin1');
    return answered(socket);
  }

  /** Sends a frame; resolves when it is with the kernel, or the connection is lost. */
  send(opcode: number, payload: string | Buffer, shape: FrameShape = {}): Promise<void> {
    return this.write(this.encode(opcode, payload, shape));
  }

  /** A frame as this end sends it, for writing several at once. */
  encode(opcode: number, payload: string | Buffer, shape: FrameShape = {}): Buffer {
    return encodeFrame(opcode, payload, { mask: this.masks, ...shape });
  }

  text(text: string): Promise<void> {
    return this.send(opcodes.text, text);
  }

  close(code?: number, reason: string | Buffer = ''): Promise<void> {
    return this.send(opcodes.close, closePayload(code, reason));
  }

  write(bytes: string | Buffer): Promise<void> {
    return new Promise((resolve) => this.socket.write(bytes, 'latin1', () => resolve()));
  }

  /** Writes pieces of so many bytes, each in a turn of its own. */
  async chop(bytes: Buffer, size: number): Promise<void> {
    for (let at = 0; at < bytes.length; at += size) {
      await this.write(bytes.subarray(at, at + size));
      await turn();
    }
  }

  /** The next frame. Rejects when the connection ends before it is complete. */
  async frame(): Promise<Frame> {
    const frame = await this.#next();
    if (frame === undefined) throw new Error(`connection ended (${this.#end}) without a further frame`);
    return frame;
  }

  /** The next frame as `[opcode, text]`. */
  async brief(): Promise<[number, string]> {
    const { opcode, payload } = await this.frame();
    return [opcode, payload.toString()];
  }

  /** All frames until the connection ends. */
  async rest(): Promise<Frame[]> {
    const frames: Frame[] = [];
    for (;;) {
      const frame = await this.#next();
      if (frame === undefined) return frames;
      frames.push(frame);
    }
  }

  /** How the connection ended, once it has. */
  async ended(): Promise<'fin' | 'reset'> {
    while (this.#end === undefined) await this.#event();
    return this.#end;
  }

  /** Stops reading. */
  pause(): void {
    this.socket.pause();
  }

  resume(): void {
    this.socket.resume();
  }

  /** Sends FIN without a Close frame. */
  end(): void {
    this.socket.end();
  }

  /** Sends RST. */
  reset(): void {
    this.socket.resetAndDestroy();
  }

  async #next(): Promise<Frame | undefined> {
    for (let size = 2; ; ) {
      while (this.#bytes < size) {
        if (this.#end !== undefined) return undefined;
        await this.#event();
      }
      const all = this.#parts.length === 1 ? (this.#parts[0] as Buffer) : Buffer.concat(this.#parts);
      this.#parts = [all];
      size = frameSize(all);
      if (all.length < size) continue;
      this.#parts = [all.subarray(size)];
      this.#bytes -= size;
      return decodeFrame(all.subarray(0, size));
    }
  }

  #take(chunk: Buffer): void {
    this.#parts.push(chunk);
    this.#bytes += chunk.length;
    this.receivedBytes += chunk.length;
    this.#wake();
  }

  #over(how: 'fin' | 'reset'): void {
    this.#end ??= how;
    this.#wake();
  }

  #event(): Promise<void> {
    return new Promise((resolve) => this.#wakers.push(resolve));
  }

  #wake(): void {
    const wakers = this.#wakers;
    this.#wakers = [];
    for (const wake of wakers) wake();
  }
}

/** A valid handshake; `lines` come last, and take the place of the usual ones of the same name. */
export function handshake(lines: readonly string[] = [], path = '/'): string {
  const names = new Set(lines.map((line) => line.slice(0, line.indexOf(':')).toLowerCase()));
  const usual = [
    'Host: test',
    'Upgrade: websocket',
    'Connection: Upgrade',
    `Sec-WebSocket-Key: ${randomBytes(16).toString('base64')}`,
    'Sec-WebSocket-Version: 13',
  ].filter((line) => !names.has(line.slice(0, line.indexOf(':')).toLowerCase()));
  return [`GET ${path} HTTP/1.1`, ...usual, ...lines, '', ''].join('\r\n');
}

/** A connection to a port of 127.0.0.1 that is destroyed at the end of the test. It may be half closed. */
export async function connected(t: Test, port: number): Promise<Socket> {
  const socket = connect({ host: '127.0.0.1', port, noDelay: true, allowHalfOpen: true });
  t.teardown(() => socket.destroy());
  await new Promise<void>((resolve, reject) => socket.once('connect', resolve).once('error', reject));
  return socket;
}

/** Waits for the answer to a handshake that has been sent. */
export function answered(socket: Socket): Promise<Answered> {
  return new Promise((resolve, reject) => {
    let received: Buffer = Buffer.alloc(0);
    const look = (ended: boolean) => {
      const taken = takeAnswer(received, ended, false);
      if (taken === undefined && !ended) return;
      socket.pause().off('data', onData).off('end', onEnd).off('error', onEnd);
      if (taken === undefined) {
        reject(new Error(`connection ended in the handshake: ${JSON.stringify(received.toString())}`));
        return;
      }
      const { answer, rest } = taken;
      const open = answer.status === 101 ? new RawSocket(socket, { masks: true, early: rest }) : undefined;
      resolve({ answer, socket: open });
    };
    const onData = (chunk: Buffer) => {
      received = Buffer.concat([received, chunk]);
      look(false);
    };
    const onEnd = () => look(true);
    socket.on('data', onData).on('end', onEnd).on('error', onEnd);
  });
}
