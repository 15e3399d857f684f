/**
 * Owns: one run of body bytes, encoded once for all the clients that it goes to.
 * Does not own: when or to whom it is written, or how it is compressed.
 */

const CRLF = Buffer.from('\r\n');

/** A piece as a part of a gzip stream, and what that stream's end has to know of it. */
export interface GzipPiece {
  /** What is written. */
  readonly piece: StreamPiece;
  /** Checksum of the plain bytes. */
  readonly crc: number;
  /** What a checksum is multiplied by when these bytes follow. */
  readonly shift: number;
  /** Plain bytes. */
  readonly length: number;
}

/**
 * Body bytes on their way to any number of clients. The HTTP/1.1 chunk framing (RFC 9112 §7.1) is built the first
 * time a client needs it and shared by all later ones, so that fan-out allocates nothing per client.
 */
export class StreamPiece {
  /** The bytes without any framing: what an HTTP/1.0 client, or an edge that frames by itself, is given. */
  readonly payload: Buffer;
  #chunk: Buffer | undefined;
  #gzip: GzipPiece | undefined;

  /** `payload` must not be changed afterwards. It may be empty: such a piece writes nothing. */
  constructor(payload: Buffer) {
    this.payload = payload;
  }

  /** The payload as one HTTP/1.1 chunk. Not to be called on an empty payload: an empty chunk would end the body. */
  get chunk(): Buffer {
    this.#chunk ??= Buffer.concat([
      Buffer.from(`${this.payload.length.toString(16)}\r\n`, 'latin1'),
      this.payload,
      CRLF,
    ]);
    return this.#chunk;
  }

  /** The payload compressed, by the first client that takes it so, for all of them. */
  gzipped(make: (payload: Buffer) => GzipPiece): GzipPiece {
    this.#gzip ??= make(this.payload);
    return this.#gzip;
  }
}
