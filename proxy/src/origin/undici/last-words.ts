/**
 * Owns: hearing what an origin has said before it stopped listening. Does not own: what is made of it.
 *
 * An origin that refuses an upload answers, and closes with the rest unread: its kernel resets the connection. The answer is
 * here by then, but the next write fails with the reset first, and node discards a socket with all that it has received.
 */
import type { Socket } from 'node:net';
import type { Connect } from './parser.js';

type Done = (error?: Error | null) => void;

/** How streams write. */
interface Writes {
  _write(chunk: unknown, encoding: BufferEncoding, done: Done): void;
  _writev(chunks: unknown, done: Done): void;
}

/** What a write fails with once the other side has reset the connection: whatever came before can still be read. */
const RESET: ReadonlySet<string | undefined> = new Set(['ECONNRESET', 'EPIPE']);

/**
 * A connector whose connections, when the other side has reset them, take no more and end when all that came has been read: with
 * the error where that was no whole answer. So it is too when the reset is read while bytes before it wait for their reader.
 */
export function withLastWords<Options>(connect: Connect<Options>): Connect<Options> {
  return (options, connected) =>
    connect(options, (error, socket) => {
      if (socket) readOn(socket as Socket & Writes);
      connected(error, socket);
    });
}

function readOn(socket: Socket & Writes): void {
  const { _write, _writev } = socket;
  let done: Done | undefined;
  let settled: Done;
  // A stream has one callback for all its writes, so that there is one of ours.
  const listening = (callback: Done): Done => {
    if (callback !== done) {
      done = callback;
      settled = (error) => {
        if (!RESET.has((error as NodeJS.ErrnoException | null | undefined)?.code)) callback(error);
        // Nothing more is taken: the write never ends. Reading ends soon, for nothing more can come.
        else socket.prependOnceListener('end', () => socket.destroy(error as Error));
      };
    }
    return settled;
  };
  const { destroy } = socket;
  let isOver = false;
  socket.destroy = (error?: Error) => {
    const { code, syscall } = (error ?? {}) as NodeJS.ErrnoException;
    if (isOver || code !== 'ECONNRESET' || syscall !== 'read' || socket.readableLength === 0) {
      return destroy.call(socket, error) as typeof socket;
    }
    isOver = true;
    socket.prependOnceListener('end', () => socket.destroy(error));
    socket.push(null);
    return socket;
  };
  socket._write = (chunk, encoding, callback) => _write.call(socket, chunk, encoding, listening(callback));
  socket._writev = (chunks, callback) => _writev.call(socket, chunks, listening(callback));
}
