/** Takes the content codings off an answer's body as it streams, with back-pressure. */
import type { Transform } from 'node:stream';
import type { Containment } from '@holdfast/control-api';
import type { ResponseHead } from '@holdfast/grip';
import { faultError, type OriginError } from '../errors.js';
import { ofDecodedBody } from '../http/fields.js';
import { type AnswerSink, nowhere, type OriginCall, type OriginHandler } from '../origin/port.js';
import { type Coding, codingError, codingsOf } from './codings.js';

/**
 * Between the source of a body and its reader. Little of it is here at a time, however much a few bytes expand to:
 * node decodes on only when what it has made is taken.
 */
class Decoder implements AnswerSink, OriginCall {
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

  /** The reader of the body has room again. */
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

  /** The reader of the body has room again. */
  resume(): void {
    this.#last.resume();
  }

  /** Gives the body up, and what it comes from. */
  abort(): void {
    this.#last.abort();
  }
}

/** Between an origin and a handler, which is called as by the origin. */
export class DecodedAnswer implements OriginHandler, OriginCall {
  readonly id?: string;
  readonly #handler: OriginHandler;
  readonly #faults: Containment;
  readonly #isRead: (head: ResponseHead) => boolean;
  #call: OriginCall | undefined;
  #body: DecodedBody | undefined;
  /** Given up. */
  #isOver = false;

  /** Answers of which `isRead` says no are left as they are. */
  constructor(handler: OriginHandler, faults: Containment, isRead: (head: ResponseHead) => boolean = () => true) {
    if (handler.id !== undefined) this.id = handler.id;
    this.#handler = handler;
    this.#faults = faults;
    this.#isRead = isRead;
  }

  /** Makes the request. The result stands for its call. */
  start(send: (handler: OriginHandler) => OriginCall): this {
    this.#call = send(this);
    return this;
  }

  fault(error: unknown): void {
    this.#handler.fault?.(error);
  }

  onInformation(head: ResponseHead): void {
    this.#handler.onInformation(head);
  }

  onHead(head: ResponseHead, length: number | undefined): AnswerSink {
    let codings: ReturnType<typeof codingsOf>;
    try {
      codings = this.#isRead(head) ? codingsOf(head.headers) : [];
    } catch (error) {
      this.abort();
      this.#handler.onError(error as OriginError);
      return nowhere;
    }
    if (codings.length === 0) return this.#handler.onHead(head, length);
    const sink = this.#handler.onHead({ ...head, headers: ofDecodedBody(head.headers) }, undefined);
    if (this.#isOver) return nowhere;
    this.#body = new DecodedBody(codings, sink, this.#call as OriginCall, this.#faults);
    return this.#body;
  }

  onError(error: OriginError): void {
    this.#handler.onError(error);
  }

  resume(): void {
    (this.#body ?? this.#call)?.resume();
  }

  abort(): void {
    this.#isOver = true;
    (this.#body ?? this.#call)?.abort();
  }
}
