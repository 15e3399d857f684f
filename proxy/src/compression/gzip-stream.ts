/** The gzip stream of one client whose stream is held, joined from shared pieces. */
import type { ClientResponse } from '../edge/port.js';
import type { StreamPiece } from '../edge/stream-piece.js';
import type { EncodedBody } from './encoder-body.js';
import { GZIP_HEADER, type GzipPieces, GzipSum } from './gzip-pieces.js';

/** Costs a checksum and a length: there may be very many. */
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
