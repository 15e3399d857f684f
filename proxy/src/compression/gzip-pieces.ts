/**
 * Pieces of gzip streams, each compressed once for all the streams that it goes into (RFC 1951, RFC 1952).
 *
 * A piece is made without history and ends at a byte, with all of it readable: so pieces follow each other in one deflate
 * stream in any order. What each stream needs of its own is a checksum and a length: no window.
 */
import { constants, crc32, deflateRawSync, type ZlibOptions } from 'node:zlib';
import { type GzipPiece, StreamPiece } from '../edge/stream-piece.js';
import { joinedCrc, shiftOf } from './crc32.js';

/**
 * The longest piece that is compressed, in bytes: it takes the turn of the event loop that makes it, some 20 ms at most.
 *
 * @limit {} bytes of one piece of a compressed stream
 * @over it is stored in the stream as it is
 */
export const DEFLATE_MAX = 1_048_576;

/** Most bytes of a stored block (RFC 1951 §3.2.4). */
const STORED_MAX = 65_535;

/** So many bytes are found again in a short window, which costs less to make. */
const SHORT_MAX = 4_096;

/** Member header: deflate, no flags, no time, system unknown (RFC 1952 §2.3). */
export const GZIP_HEADER = new StreamPiece(Buffer.from([0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff]));

/** An empty last block. */
const LAST_BLOCK = 0x03;

const shortOptions: ZlibOptions = { level: 6, memLevel: 6, windowBits: 12, finishFlush: constants.Z_SYNC_FLUSH };
const longOptions: ZlibOptions = { level: 5, finishFlush: constants.Z_SYNC_FLUSH };

/** Makes the pieces of a node. */
export class GzipPieces {
  readonly #min: number;
  /** A piece of bytes that come without one, and may come again: an item from the history goes to many clients. */
  readonly #byBytes = new WeakMap<Buffer, GzipPiece>();

  /** Shorter ones, in bytes, are stored as they are. */
  constructor(min: number) {
    this.#min = min;
  }

  /** A piece as it is in gzip streams. Not for empty ones. */
  of(piece: StreamPiece): GzipPiece {
    return piece.gzipped(this.#make);
  }

  /** The same for bytes, which must not be changed afterwards. */
  ofBytes(bytes: Buffer): GzipPiece {
    if (bytes.length < this.#min) return this.#make(bytes);
    let made = this.#byBytes.get(bytes);
    if (made === undefined) {
      made = this.#make(bytes);
      this.#byBytes.set(bytes, made);
    }
    return made;
  }

  readonly #make = (plain: Buffer): GzipPiece => ({
    piece: new StreamPiece(this.#encode(plain)),
    crc: crc32(plain),
    shift: shiftOf(plain.length),
    length: plain.length,
  });

  #encode(plain: Buffer): Buffer {
    const { length } = plain;
    if (length >= this.#min && length <= DEFLATE_MAX) {
      const options = length > SHORT_MAX ? longOptions : shortOptions;
      const deflated = deflateRawSync(plain, { ...options, chunkSize: Math.min(Math.max(length, 64) + 64, 65_536) });
      if (deflated.length < length + 5) return deflated;
    }
    return stored(plain);
  }
}

/** Bytes as stored blocks, none of them the last of its stream. */
function stored(plain: Buffer): Buffer {
  const blocks = Math.max(1, Math.ceil(plain.length / STORED_MAX));
  const bytes = Buffer.allocUnsafe(plain.length + 5 * blocks);
  let at = 0;
  for (let from = 0; from < plain.length; from += STORED_MAX) {
    const length = Math.min(STORED_MAX, plain.length - from);
    bytes[at] = 0;
    bytes.writeUInt16LE(length, at + 1);
    bytes.writeUInt16LE(length ^ 0xffff, at + 3);
    plain.copy(bytes, at + 5, from, from + length);
    at += 5 + length;
  }
  return bytes.subarray(0, at);
}

/** What one gzip stream has to know of the pieces that are in it. */
export class GzipSum {
  /** Plain bytes. */
  length = 0;
  #crc = 0;

  /** This piece follows. */
  add({ crc, shift, length }: GzipPiece): void {
    this.#crc = joinedCrc(this.#crc, crc, shift);
    this.length += length;
  }

  /** What ends the stream. */
  get trailer(): Buffer {
    const bytes = Buffer.allocUnsafe(10);
    bytes.writeUInt16LE(LAST_BLOCK, 0);
    bytes.writeInt32LE(this.#crc, 2);
    bytes.writeUInt32LE(this.length % 2 ** 32, 6);
    return bytes;
  }
}
