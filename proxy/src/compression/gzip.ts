/** Held streams as gzip: each piece is compressed once for all clients, and joined into the stream of each. */
import { constants, crc32, deflateRawSync, type ZlibOptions } from 'node:zlib';
import { type ClientResponse, type GzipPiece, StreamPiece } from '../edge/port.js';
import type { EncodedBody } from './encoder-body.js';

/**
 * The polynomial of CRC-32 (RFC 1952 §8), bits reversed. A checksum is a polynomial over GF(2), modulo this one; so many zero
 * bytes behind it multiply it by a power of x, which depends on their number alone. That is how zlib's crc32_combine joins the
 * checksums of parts into that of the whole.
 */
const POLYNOMIAL = 0xedb88320;

/** x^0, bits reversed. */
const ONE = 1 << 31;

/** x^(2^n) for each n. */
const POWERS: readonly number[] = powers();

function powers(): number[] {
  const table = [1 << 30];
  for (let n = 1; n < 32; n++) table.push(product(table[n - 1] as number, table[n - 1] as number));
  return table;
}

/** The product of two polynomials; `a` must not be 0. */
function product(a: number, b: number): number {
  let bit = ONE;
  let rest = b;
  for (let sum = 0; ; ) {
    if ((a & bit) !== 0) {
      sum ^= rest;
      if ((a & (bit - 1)) === 0) return sum;
    }
    bit >>>= 1;
    rest = (rest & 1) === 1 ? (rest >>> 1) ^ POLYNOMIAL : rest >>> 1;
  }
}

/** The factor of a checksum when this many bytes follow, below 2^31. Computed once per length. */
export function shiftOf(bytes: number): number {
  let shift = ONE;
  // x^(8 * bytes): from the third power of two on.
  for (let n = bytes, k = 3; n > 0; n >>>= 1, k++) {
    if ((n & 1) === 1) shift = product(POWERS[k & 31] as number, shift);
  }
  return shift;
}

/** The checksum, as a signed integer, of bytes with `crc` followed by bytes with `next`, for whose number `shift` was made. */
export function joinedCrc(crc: number, next: number, shift: number): number {
  return product(shift, crc) ^ next;
}

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

/** A client's stream. Costs a checksum and a length: there may be very many. */
export class GzipStream implements EncodedBody {
  readonly #inner: ClientResponse;
  readonly #pieces: GzipPieces;
  readonly #sum = new GzipSum();

  /** Begins the stream, at once: so that on every edge its head has a byte to go out with. */
  constructor(inner: ClientResponse, pieces: GzipPieces) {
    this.#inner = inner;
    this.#pieces = pieces;
    inner.push(GZIP_HEADER);
  }

  write(chunk: Buffer): boolean {
    if (chunk.length === 0) return true;
    const gzip = this.#pieces.ofBytes(chunk);
    this.#sum.add(gzip);
    return this.#inner.write(gzip.piece.payload);
  }

  push(piece: StreamPiece): void {
    if (piece.payload.length === 0) return;
    const gzip = this.#pieces.of(piece);
    this.#sum.add(gzip);
    this.#inner.push(gzip.piece);
  }

  end(chunk: Buffer | undefined): void {
    if (chunk !== undefined) this.write(chunk);
    this.#inner.end(this.#sum.trailer);
  }

  abort(discard: boolean): void {
    this.#inner.abort(discard);
  }

  writable(): boolean {
    return true;
  }

  free(): void {}

  get waiting(): number {
    return this.#inner.waiting;
  }

  get bodyBytes(): number {
    return this.#sum.length;
  }
}
