/** Owns: collecting the body of a GRIP response up to its limit. Does not own: what it means. */
import type { OriginError } from '../origin/errors.js';
import type { AnswerBody } from './answer.js';

/** What a collected body leads to; exactly one of these is called, once. */
export interface InstructBodyHandler {
  instructComplete(body: Buffer): void;
  instructTooLarge(): void;
  instructFailed(error: OriginError): void;
}

/** Holds an origin's body back until it is whole. */
export class InstructBody implements AnswerBody {
  readonly #limit: number;
  readonly #handler: InstructBodyHandler;
  readonly #chunks: Buffer[] = [];
  #bytes = 0;

  /** `limit` in bytes: one more is too large. */
  constructor(limit: number, handler: InstructBodyHandler) {
    this.#limit = limit;
    this.#handler = handler;
  }

  onData(chunk: Buffer): boolean {
    this.#bytes += chunk.length;
    if (this.#bytes > this.#limit) this.#handler.instructTooLarge();
    else this.#chunks.push(chunk);
    return true;
  }

  onEnd(): void {
    this.#handler.instructComplete(
      this.#chunks.length === 1 ? (this.#chunks[0] as Buffer) : Buffer.concat(this.#chunks),
    );
  }

  onError(error: OriginError): void {
    this.#handler.instructFailed(error);
  }
}
