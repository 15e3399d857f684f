/**
 * Owns: an origin's body that must wait, and the origin with it, until whoever takes it is ready.
 * Does not own: who that is, or when.
 */
import type { RawHeaders } from '@holdfast/grip';
import type { OriginError } from '../origin/errors.js';
import type { AnswerBody } from './answer.js';

/** Holds back what comes before `start`; asks the origin to pause meanwhile. */
export class LateBody implements AnswerBody {
  readonly #resume: () => void;
  #body: AnswerBody | undefined;
  #early: Buffer[] = [];
  #end: (() => void) | undefined;

  /** `resume` lets the origin go on. */
  constructor(resume: () => void) {
    this.#resume = resume;
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
    return false;
  }

  onEnd(trailers?: RawHeaders): void {
    if (this.#body !== undefined) this.#body.onEnd(trailers);
    else this.#end = () => this.#body?.onEnd(trailers);
  }

  onError(error: OriginError): void {
    if (this.#body !== undefined) this.#body.onError(error);
    else this.#end = () => this.#body?.onError(error);
  }
}
