/** An answer whose reader gets the body without its content codings. */
import type { Containment } from '@holdfast/control-api';
import type { ResponseHead } from '@holdfast/grip';
import type { OriginError } from '../errors.js';
import { ofDecodedBody } from '../http/body-fields.js';
import { type AnswerSink, nowhere, type OriginCall, type OriginHandler } from '../origin/port.js';
import { codingsOf } from './codings.js';
import { DecodedBody } from './decoded-body.js';

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
