/**
 * Connections without TLS, past node's streams where nothing waits in them: an answer that comes whole is taken right from the read,
 * and the head of a request goes right to the kernel. Everything else goes through the streams, as undici has it.
 */
import type { Socket } from 'node:net';
import {
  type DirectHandle,
  type DirectWriter,
  DirectWrites,
  streamBinding,
} from '../../runtime/node-internals/socket-writes.js';
import { type Connect, parserOf } from './answer-reading.js';
import { type MessageParser, takeWhole } from './whole-answers.js';

/** Bytes of one read. */
const READ_BYTES = 65_536;

/** All of them read into this, each until what it has read was taken or copied. */
const reads = Buffer.allocUnsafeSlow(READ_BYTES);

/** Bytes of a read that is rather not copied: the next of its connection goes into a buffer that the reader keeps. */
const LONG_BYTES = 32_768;

/**
 * Connections that may have such a buffer, of {@link READ_BYTES}, while nothing comes.
 *
 * @limit {} connections to origins with a buffer of their own for long answers
 * @over what the others read is copied
 */
export const OWN_BUFFERS = 128;
let ownBuffers = 0;

/** How a connection reads: an option of node's net.connect, which asks for a buffer before each read. */
export interface OnRead {
  readonly buffer: () => Uint8Array;
  readonly callback: (count: number, bytes: Uint8Array) => boolean;
}

/** A connector of such connections. `connectorOf` makes a connector for one connection. */
export function plainConnections<Options>(connectorOf: (onread: OnRead) => Connect<Options>): Connect<Options> {
  return (options, connected) => {
    const connection = new PlainConnection();
    connectorOf(connection.reading)(options, (error, socket) => {
      if (socket) connection.open(socket as Socket);
      connected(error, socket);
    });
  };
}

/** This process's; made with the first connection. */
let writes: DirectWrites | undefined;

class PlainConnection implements DirectWriter {
  #socket: Socket | undefined;
  #parser: MessageParser | undefined;
  #write: Socket['write'] | undefined;
  #handle: DirectHandle | undefined;
  /** For the next read; undefined: the one that all share. */
  #own: Buffer | undefined;

  readonly reading: OnRead = { buffer: () => this.#own ?? reads, callback: (count) => this.#read(count) };

  open(socket: Socket): void {
    socket.once('close', () => this.#release());
    writes ??= new DirectWrites(streamBinding());
    this.#socket = socket;
    this.#handle = writes.handleOf(socket);
    if (this.#handle === undefined) return;
    const { write } = socket;
    this.#write = write;
    socket.write = ((...written: Parameters<Socket['write']>) =>
      this.#writeAtOnce(written) || write.apply(socket, written)) as Socket['write'];
  }

  /** So many bytes have come. False: nothing more is to be read now. */
  #read(count: number): boolean {
    const socket = this.#socket;
    if (socket === undefined) return true;
    this.#parser ??= parserOf(socket);
    const own = this.#release();
    const bytes = (own ?? reads).subarray(0, count);
    if (this.#parser !== undefined && socket.readableLength === 0 && takeWhole(this.#parser, bytes, false)) return true;
    if (count < LONG_BYTES) return socket.push(Buffer.from(bytes));
    if (ownBuffers < OWN_BUFFERS && !socket.destroyed) {
      ownBuffers++;
      this.#own = Buffer.allocUnsafeSlow(READ_BYTES);
    }
    return socket.push(own === undefined ? Buffer.from(bytes) : bytes);
  }

  #release(): Buffer | undefined {
    const own = this.#own;
    if (own !== undefined) ownBuffers--;
    this.#own = undefined;
    return own;
  }

  /** False, with nothing written, for all but text without a callback where nothing waits. */
  #writeAtOnce(written: readonly unknown[]): boolean {
    const [text, encoding, callback] = written;
    const socket = this.#socket as Socket;
    if (typeof text !== 'string' || encoding !== 'latin1' || callback !== undefined) return false;
    if (socket.writableLength > 0 || socket.writableCorked > 0 || !socket.writable || text === '') return false;
    const left = writes?.write(this.#handle as DirectHandle, Buffer.from(text, 'latin1'), this) ?? -1;
    return left >= 0;
  }

  /** What is wrong shows when something is written through the stream; on a broken connection it goes nowhere. */
  directlyWritten(isBroken: boolean): void {
    const socket = this.#socket as Socket;
    if (isBroken && socket.writable) this.#write?.call(socket, '\n', 'latin1');
  }
}
