/**
 * Owns: an origin's body that must wait, and the origin with it, until whoever takes it is ready.
 * Does not own: who that is, or when.
 */
import type { RawHeaders } from '@holdfast/grip';
import type { OriginError } from '../origin/errors.js';
import type { AnswerBody } from './answer.js';

/**
 * How much of a body is read before there is anybody to take it, in bytes; then the origin is paused. Of one that is paused it is
 * not seen that it has broken off.
 *
 * @limit {} bytes of a stream's first body that are read while its subscription is not live
 * @over the origin is held back
 */
export const LATE_BODY_MAX = 65_536;

/** Holds back what comes before `start`, but for a failure. */
export class LateBody implements AnswerBody {
  readonly #resume: () => void;
  readonly #failed: (error: OriginError) => void;
  #body: AnswerBody | undefined;
  #early: Buffer[] = [];
  #bytes = 0;
  #end: (() => void) | undefined;

  /** `resume` lets the origin go on; `failed` hears of an origin that breaks off before `start`, which then must not follow. */
  constructor(resume: () => void, failed: (error: OriginError) => void) {
    this.#resume = resume;
    this.#failed = failed;
  }

  /** From here on `body` takes what comes, and what has come. */
  start(body: AnswerBody): void {
    this.#body = body;
    let room = true;
    for (const chunk of this.#early.splice(0)) room = body.onData(chunk);
    if (this.#end !== undefined) this.#end();
    else if (room) this.#resume();
  }

  onData(chunk: Buffer): boolean {
    if (this.#body !== undefined) return this.#body.onData(chunk);
    this.#early.push(chunk);
    this.#bytes += chunk.length;
    return this.#bytes < LATE_BODY_MAX;
  }

  onEnd(trailers?: RawHeaders): void {
    if (this.#body !== undefined) this.#body.onEnd(trailers);
    else this.#end = () => this.#body?.onEnd(trailers);
  }

  onError(error: OriginError): void {
    this.#early = [];
    if (this.#body !== undefined) this.#body.onError(error);
    else this.#failed(error);
  }
}
