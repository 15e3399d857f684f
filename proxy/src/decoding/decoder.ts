/** Takes one content coding off a body as it streams, with back-pressure. */
import type { Transform } from 'node:stream';
import type { Containment } from '@holdfast/control-api';
import { faultError, type OriginError } from '../errors.js';
import type { AnswerSink, OriginCall } from '../origin/port.js';
import { type Coding, codingError } from './codings.js';

/**
 * Between the source of a body and its reader. Little of it is here at a time, however much a few bytes expand to:
 * node decodes on only when what it has made is taken.
 */
export class Decoder implements AnswerSink, OriginCall {
  readonly #coding: Coding;
  readonly #sink: AnswerSink;
  readonly #faults: Containment;
  /** Where the coded body comes from; set before the first of it comes. */
  source: OriginCall | undefined;
  /** Made with the first byte: an empty body is in no coding. */
  #stream: Transform | undefined;
  /** All of the body is decoded; what comes after it is dropped. */
  #isWhole = false;
  /** All of the coded body has come. */
  #isEnding = false;
  #isOver = false;

  constructor(coding: Coding, sink: AnswerSink, faults: Containment) {
    this.#coding = coding;
    this.#sink = sink;
    this.#faults = faults;
  }

  onData(chunk: Buffer): boolean {
    if (this.#isOver || this.#isWhole || chunk.length === 0) return true;
    this.#stream ??= this.#begin(chunk[0] as number);
    return this.#stream.write(chunk);
  }

  onEnd(): void {
    this.#isEnding = true;
    if (this.#stream === undefined || this.#isWhole) this.#finish();
    else this.#stream.end();
  }

  onError(error: OriginError): void {
    if (this.#isOver) return;
    this.#stop();
    this.#sink.onError(error);
  }

  /** Who takes the body has room again. */
  resume(): void {
    if (!this.#isOver) this.#stream?.resume();
  }

  /** Gives the body up, and what it comes from. */
  abort(): void {
    this.#stop();
    this.source?.abort();
  }

  #begin(first: number): Transform {
    const stream = this.#coding(first);
    stream.on('data', (chunk: Buffer) => {
      if (this.#isOver) return;
      this.#guard(() => {
        if (!this.#sink.onData(chunk)) stream.pause();
      });
    });
    stream.on('drain', () => this.#guard(() => this.source?.resume()));
    stream.on('end', () => {
      this.#isWhole = true;
      this.#guard(() => {
        if (this.#isEnding) this.#finish();
        else this.source?.resume();
      });
    });
    stream.on('error', (error) => {
      if (this.#isOver) return;
      this.#stop();
      this.#guard(() =>
        this.#fail(codingError(`its body is not what its Content-Encoding says (${error.message})`, error)),
      );
    });
    return stream;
  }

  #finish(): void {
    if (this.#isOver) return;
    this.#stop();
    this.#sink.onEnd();
  }

  #fail(error: OriginError): void {
    this.source?.abort();
    this.#sink.onError(error);
  }

  #stop(): void {
    this.#isOver = true;
    this.#stream?.destroy();
  }

  /** Node's calls have no caller of ours: what the reader of the body throws comes back to it, as from any origin. */
  #guard(act: () => void): void {
    try {
      act();
    } catch (error) {
      this.#faults.caught('origin', error);
      this.#stop();
      this.#faults.run('origin', () => this.#fail(faultError(error)), this.#sink);
    }
  }
}
