/** The body of an answer on its way through an encoder: the port, and its implementation by an encoder of node's. */
import type { Containment } from '@holdfast/control-api';
import type { RawHeaders } from '@holdfast/grip';
import type { ClientResponse, StreamPiece } from '../edge/port.js';
import type { Encoder } from '../http/codings.js';

/** A body on its way through an encoder. Its head has gone out. */
export interface EncodedBody {
  /** As of `ClientResponse`: false when no more can be taken now. Plain bytes. */
  write(chunk: Buffer): boolean;
  push(piece: StreamPiece): void;
  /** Completes the body, and the answer with it. */
  end(chunk: Buffer | undefined, trailers?: RawHeaders): void;
  /** Breaks the answer off; without `discard` what was written before still goes out. */
  abort(discard: boolean): void;
  /** The client's connection has room again; true where the answer's handler is to be called. */
  writable(): boolean;
  /** Lets go of the encoder: what follows is dropped. */
  free(): void;
  /** Bytes that wait for the client, as they are sent. */
  readonly waiting: number;
  /** Plain bytes taken so far. */
  readonly bodyBytes: number;
}

/** The answer behind an encoder. Not called once the body has been ended, aborted or freed. */
export interface EncoderOwner {
  /** The encoder takes bytes again, after a `write` that returned false. */
  encoderWritable(): void;
  /** For faults. */
  fault(error: unknown): void;
}

/** The encoder works in another thread: its output comes in a later turn. */
export class EncoderBody implements EncodedBody {
  bodyBytes = 0;
  readonly #inner: ClientResponse;
  readonly #encoder: Encoder;
  readonly #freed: () => void;
  #isFree = false;
  #isFull = false;
  #trailers: RawHeaders | undefined;

  /** `freed` is called once, when the encoder is no more. */
  constructor(inner: ClientResponse, encoder: Encoder, owner: EncoderOwner, faults: Containment, freed: () => void) {
    this.#inner = inner;
    this.#encoder = encoder;
    this.#freed = freed;
    const contained = (act: () => void) => faults.run('client', act, owner);
    encoder.on('data', (bytes: Buffer) => contained(() => this.#encoded(bytes)));
    encoder.on('drain', () => contained(() => this.#drained(owner)));
    encoder.on('end', () => contained(() => this.#ended()));
    encoder.on('error', (error) => {
      if (!this.#isFree) faults.caught('client', error, owner);
    });
  }

  write(chunk: Buffer): boolean {
    if (this.#isFree || chunk.length === 0) return true;
    this.bodyBytes += chunk.length;
    this.#isFull = !this.#encoder.write(chunk);
    return !this.#isFull;
  }

  push(piece: StreamPiece): void {
    this.write(piece.payload);
  }

  end(chunk: Buffer | undefined, trailers?: RawHeaders): void {
    this.#trailers = trailers;
    this.bodyBytes += chunk?.length ?? 0;
    this.#isFull = false;
    this.#encoder.end(chunk);
  }

  abort(discard: boolean): void {
    if (this.#isFree) return;
    const cut = () => {
      this.free();
      this.#inner.abort(discard);
    };
    this.#isFull = false;
    if (discard) cut();
    else {
      this.#encoder.flush(() => {
        if (this.#isFree) return;
        for (let rest = this.#encoder.read() as Buffer | null; rest !== null; rest = this.#encoder.read()) {
          this.#inner.write(rest);
        }
        cut();
      });
    }
  }

  writable(): boolean {
    if (!this.#isFree) this.#encoder.resume();
    return false;
  }

  free(): void {
    if (this.#isFree) return;
    this.#isFree = true;
    this.#encoder.destroy();
    this.#freed();
  }

  get waiting(): number {
    return this.#inner.waiting + this.#encoder.readableLength + this.#encoder.writableLength;
  }

  #encoded(bytes: Buffer): void {
    if (!this.#isFree && !this.#inner.write(bytes)) this.#encoder.pause();
  }

  #drained(owner: EncoderOwner): void {
    if (!this.#isFull || this.#isFree) return;
    this.#isFull = false;
    owner.encoderWritable();
  }

  #ended(): void {
    if (this.#isFree) return;
    this.free();
    this.#inner.end(undefined, this.#trailers);
  }
}
