/** Takes all content codings off a body, one after the other. */
import type { Containment } from '@holdfast/control-api';
import type { OriginError } from '../errors.js';
import type { AnswerSink, OriginCall } from '../origin/port.js';
import type { Coding } from './codings.js';
import { Decoder } from './decoder.js';

/** Takes the coded body, and gives `sink` the plain one. */
export class DecodedBody implements AnswerSink, OriginCall {
  /** Gets the body as it comes. */
  readonly #first: Decoder;
  /** Passes it to the reader. */
  readonly #last: Decoder;

  /** `codings` as of `codingsOf`, at least one. `source` is where the body comes from. */
  constructor(codings: readonly Coding[], sink: AnswerSink, source: OriginCall, faults: Containment) {
    const [last, ...others] = codings.toReversed() as [Coding, ...Coding[]];
    this.#last = new Decoder(last, sink, faults);
    let first = this.#last;
    for (const coding of others) {
      const before = new Decoder(coding, first, faults);
      first.source = before;
      first = before;
    }
    first.source = source;
    this.#first = first;
  }

  onData(chunk: Buffer): boolean {
    return this.#first.onData(chunk);
  }

  onEnd(): void {
    this.#first.onEnd();
  }

  onError(error: OriginError): void {
    this.#first.onError(error);
  }

  /** Who takes the body has room again. */
  resume(): void {
    this.#last.resume();
  }

  /** Gives the body up, and what it comes from. */
  abort(): void {
    this.#last.abort();
  }
}
