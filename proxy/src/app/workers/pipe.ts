/**
 * One end of the pipe between a primary and a worker, which carries the frames of a {@link Channel}. Node's own IPC channel
 * serializes everything by V8 and for each message takes several times what the system call takes; it stays for node:cluster.
 */
import { EventEmitter } from 'node:events';
import type { Socket } from 'node:net';
import { deserialize, serialize } from 'node:v8';
import type { IpcEnd } from './channel.js';

/** Where a worker finds its end among its descriptors, and the primary among what it started the worker with. */
export const PIPE_FD = 4;

/** A length and a kind go before each frame. */
const HEAD_BYTES = 5;

/** Kinds of frames: V8 serializes any, but a notification whose body is bytes is its topic's length, its topic, the bytes. */
const ANY = 0;
const BYTES = 1;

/** The bytes that a frame is sent as. */
export function encodeFrame(frame: unknown): Buffer {
  const [type, topic, body] = frame as readonly unknown[];
  if (type === 'notify' && body instanceof Uint8Array) {
    const name = topic as string;
    const bytes = Buffer.allocUnsafe(HEAD_BYTES + 1 + name.length + body.length);
    const at = writeHead(bytes, BYTES);
    bytes[at] = name.length;
    bytes.write(name, at + 1, 'latin1');
    bytes.set(body, at + 1 + name.length);
    return bytes;
  }
  const content = serialize(frame);
  const bytes = Buffer.allocUnsafe(HEAD_BYTES + content.length);
  bytes.set(content, writeHead(bytes, ANY));
  return bytes;
}

function writeHead(bytes: Buffer, kind: number): number {
  bytes.writeUInt32LE(bytes.length - HEAD_BYTES);
  bytes[HEAD_BYTES - 1] = kind;
  return HEAD_BYTES;
}

function decodeFrame(kind: number | undefined, content: Buffer): unknown {
  if (kind !== BYTES) return deserialize(content);
  const end = 1 + (content[0] as number);
  return ['notify', content.toString('latin1', 1, end), content.subarray(end)];
}

/** Takes frames out of the bytes of a pipe, however these are cut. */
export class FrameReader {
  #chunks: Buffer[] = [];
  #length = 0;
  /** Of the frame that has begun, its head included. */
  #needed = HEAD_BYTES;

  /** Calls `take` for each frame that is complete with this chunk; bytes in it are a part of what was read. */
  read(chunk: Buffer, take: (frame: unknown) => void): void {
    this.#chunks.push(chunk);
    this.#length += chunk.length;
    if (this.#length < this.#needed) return;
    const all = this.#chunks.length === 1 ? chunk : Buffer.concat(this.#chunks);
    let at = 0;
    let needed = HEAD_BYTES;
    for (;;) {
      const left = all.length - at;
      needed = left < HEAD_BYTES ? HEAD_BYTES : HEAD_BYTES + all.readUInt32LE(at);
      if (left < needed) break;
      const start = at + HEAD_BYTES;
      const kind = all[start - 1];
      at += needed;
      take(decodeFrame(kind, all.subarray(start, at)));
    }
    this.#chunks = at === all.length ? [] : [all.subarray(at)];
    this.#length = all.length - at;
    this.#needed = needed;
  }
}

/** An {@link IpcEnd} over a socket that keeps order. It disconnects when the other process has gone. */
export class Pipe extends EventEmitter implements IpcEnd {
  readonly #socket: Socket;
  readonly #reader = new FrameReader();

  constructor(socket: Socket) {
    super();
    this.#socket = socket;
    const take = (frame: unknown) => void this.emit('message', frame);
    socket.on('data', (chunk: Buffer) => this.#reader.read(chunk, take));
    // The end of the other process: `close` follows.
    socket.on('error', () => {});
    socket.once('close', () => this.emit('disconnect'));
  }

  get connected(): boolean {
    return this.#socket.writable;
  }

  send(frame: unknown, _handle: undefined, _options: undefined, sent: (error: Error | null) => void): boolean {
    return this.#socket.write(encodeFrame(frame), (error) => sent(error ?? null));
  }
}
