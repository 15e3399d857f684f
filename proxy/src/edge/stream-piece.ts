/** A run of body bytes, encoded once for all the clients that it goes to. */

/** Puts payload bytes into an edge's framing. One function for all clients of an edge: its identity says what was made. */
export type Framing = (payload: Buffer) => Buffer;

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
 * Body bytes on their way to any number of clients. What an edge needs around them is built the first time one of its clients
 * needs it, and shared by all later ones, so that fan-out allocates nothing per client.
 */
export class StreamPiece {
  /** The bytes without any framing: for an HTTP/1.0 client, and for an edge whose library frames. */
  readonly payload: Buffer;
  #framing: Framing | undefined;
  #framed: Buffer | undefined;
  #gzip: GzipPiece | undefined;

  /** `payload` must not be changed afterwards. It may be empty: such a piece writes nothing. */
  constructor(payload: Buffer) {
    this.payload = payload;
  }

  /** The payload in a framing, of which the last one asked for is kept. */
  framed(framing: Framing): Buffer {
    if (this.#framed === undefined || this.#framing !== framing) {
      this.#framing = framing;
      this.#framed = framing(this.payload);
    }
    return this.#framed;
  }

  /** The payload compressed, by the first client that takes it so, for all of them. */
  gzipped(make: (payload: Buffer) => GzipPiece): GzipPiece {
    this.#gzip ??= make(this.payload);
    return this.#gzip;
  }
}
