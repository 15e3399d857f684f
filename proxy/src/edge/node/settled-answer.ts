/** Answers to requests that were held without node's object, when head and length are known at once: all of one is one write. */
import type { Socket } from 'node:net';
import type { ResponseHead } from '@holdfast/grip';
import type { DirectHandle, DirectWriter, DirectWrites } from '../../runtime/node-internals/socket-writes.js';
import { headLines } from '../client-headers.js';
import type { WriteWatch } from '../write-watch.js';

/** A head that may be followed by the bytes of a whole body only, or by none of them where its status allows no body. */
export class SettledHead {
  readonly head: ResponseHead;
  /** As it was declared, in bytes. */
  readonly length: number;
  readonly #lines: string;
  readonly #isBodiless: boolean;
  #chunk: Buffer | undefined;
  #keepsAlive = true;
  /** Of the last `chunk`. */
  #bytes: Buffer | undefined;

  /** Throws an EdgeError ERR_EDGE_HEAD for a head that cannot be put on the wire. */
  constructor(head: ResponseHead, length: number) {
    this.head = head;
    this.length = length;
    this.#isBodiless = head.status === 204 || head.status === 304;
    const framing = head.status === 204 ? '' : `\r\nContent-Length: ${length}`;
    this.#lines = headLines(head, 'final') + framing;
  }

  /** Whether this is the whole body. */
  takes(chunk: Buffer | undefined): boolean {
    return this.#isBodiless || (chunk?.length ?? 0) === this.length;
  }

  /** Head and body on the wire, for a body that it `takes`. Not to be changed: the next answer may be the same. */
  bytes(chunk: Buffer | undefined, keepsAlive: boolean): Buffer {
    if (this.#bytes === undefined || this.#chunk !== chunk || this.#keepsAlive !== keepsAlive) {
      // A connection that stays open says nothing of it (RFC 9112 §9.3).
      const end = keepsAlive ? '\r\n\r\n' : '\r\nConnection: close\r\n\r\n';
      const head = Buffer.from(this.#lines + end, 'latin1');
      this.#bytes = chunk === undefined || this.#isBodiless ? head : Buffer.concat([head, chunk]);
      this.#chunk = chunk;
      this.#keepsAlive = keepsAlive;
    }
    return this.#bytes;
  }
}

/** The last head, for one item mostly answers many requests alike. It is kept until the turn of the event loop is over. */
export class SettledHeads {
  #last: SettledHead | undefined;

  /** Throws as `SettledHead` does. */
  of(head: ResponseHead, length: number): SettledHead {
    const last = this.#last;
    if (last?.head === head && last.length === length) return last;
    const settled = new SettledHead(head, length);
    if (last === undefined) setImmediate(this.#forget);
    this.#last = settled;
    return settled;
  }

  readonly #forget = (): void => {
    this.#last = undefined;
  };
}

/** The answer whose bytes are written. */
interface WholeWriter extends DirectWriter {
  /** The kernel has taken them; never within the call that writes them. */
  written(): void;
}

const behind = new WeakSet<Socket>();

/** Whether some of an answer waits for the client beneath the stream of its socket, which does not count it. */
export function isBehind(socket: Socket): boolean {
  return behind.has(socket);
}

/**
 * Writes a whole answer past the stream of its socket, where that has a `handle` and nothing waits; else through it. Returns how
 * many bytes the kernel has not taken: then `directlyWritten` follows, which is to call `caughtUp`, else `written`.
 */
export function writeWhole(
  socket: Socket,
  handle: DirectHandle | undefined,
  bytes: Buffer,
  writer: WholeWriter,
  { direct, writes }: { readonly direct: DirectWrites; readonly writes: WriteWatch<Socket> },
): number {
  const left = handle === undefined || socket.writableLength > 0 ? -1 : direct.write(handle, bytes, writer);
  if (left === 0) process.nextTick(written, writer);
  else if (left < 0) socket.write(bytes, () => writer.written());
  else {
    behind.add(socket);
    writes.add(socket);
  }
  return Math.max(left, 0);
}

/** What `writeWhole` has left is with the kernel, or never will be. */
export function caughtUp(socket: Socket): void {
  behind.delete(socket);
}

function written(writer: WholeWriter): void {
  writer.written();
}
