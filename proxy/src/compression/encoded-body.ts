/** Owns: the port between an answer and whatever encodes its body. Does not own: heads, or whether it is encoded. */
import type { RawHeaders } from '@holdfast/grip';
import type { StreamPiece } from '../edge/stream-piece.js';

/** A body on its way through an encoder. Its head has gone out. */
export interface EncodedBody {
  /** As of `ClientResponse`: false when no more can be taken now. Plain bytes. */
  write(chunk: Buffer): boolean;
  push(piece: StreamPiece): void;
  /** Completes the body, and the answer with it. */
  end(chunk: Buffer | undefined, trailers?: RawHeaders): void;
  /** Breaks the answer off; without `discard` what was written before still goes out. */
  abort(discard: boolean): void;
  /** The client's connection has room again; true where its owner is to be told. */
  writable(): boolean;
  /** Nobody is to have what comes: lets go of the encoder. */
  free(): void;
  /** Bytes that wait for the client, as they are sent. */
  readonly waiting: number;
  /** Plain bytes taken so far. */
  readonly bodyBytes: number;
}
