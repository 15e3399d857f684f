/** One WebSocket-over-HTTP request with its repeats, until there is a whole answer or nothing more to try. */
import { type Containment, uncontained } from '@holdfast/control-api';
import type { RawHeaders, ResponseHead } from '@holdfast/grip';
import { DecodedAnswer } from '../../decoding/decoded-answer.js';
import { faultError, type OriginError } from '../../errors.js';
import type { AnswerSink, OriginCall, OriginHandler } from '../../origin/port.js';
import type { Clock, Timer } from '../../runtime/clock.js';
import { KeptBytes } from '../../runtime/kept-bytes.js';
import { Retry } from '../../runtime/timers.js';
import { answerBodyMax, type HttpAnswer, isEventsHead } from './events.js';

/** Who made an exchange, called at its end: exactly one call, unless it was aborted; never from within `start`. */
export interface ExchangeOwner {
  exchangeAnswered(answer: HttpAnswer): void;
  exchangeFailed(error: OriginError): void;
}

/** What the exchanges of a session have in common. */
export interface ExchangeDeps {
  readonly clock: Clock;
  /** Left out: nothing is contained. */
  readonly faults?: Containment | undefined;
  /** Gives numbers from 0 to below 1. */
  readonly random: () => number;
  /** Longest message in bytes, in either direction. */
  readonly maxMessage: number;
  /**
   * Sends a POST that is signed as of now; called for every attempt. The headers are the client's handshake fields as they
   * go to this origin, without Upgrade, Accept, Accept-Encoding, Content-Length, Content-Type, Connection-Id, Meta-* and Content-Bytes-*,
   * followed by `extra`: flat pairs.
   */
  dispatch(extra: RawHeaders, body: Buffer | null, handler: OriginHandler): OriginCall;
}

/** What is asked. */
export interface ExchangeRequest {
  readonly extra: RawHeaders;
  readonly body: Buffer | null;
  /** Whether a request that found no connection is made again after a while, with the same content. */
  readonly repeats: boolean;
}

/**
 * Attempts follow each other and never overlap. Repeated is only what the origin has given no sign of processing: no
 * connection came about (`connect`), or a kept-alive one proved closed (`stale`). The first stale one is repeated at
 * once, whatever `repeats` says: the origin is there and merely closes idle connections (RFC 9112 §9.3.1). An HTTP
 * status is an answer, whatever it is.
 */
export class HttpExchange implements OriginHandler, AnswerSink {
  readonly #deps: ExchangeDeps;
  readonly #request: ExchangeRequest;
  readonly #owner: ExchangeOwner;
  #retry: Retry | undefined;
  #staleSeen = false;
  #call: OriginCall | undefined;
  #timer: Timer | undefined;
  #head: ResponseHead | undefined;
  #kept = new KeptBytes();
  #bodyMax = 0;

  constructor(deps: ExchangeDeps, request: ExchangeRequest, owner: ExchangeOwner) {
    this.#deps = deps;
    this.#request = request;
    this.#owner = owner;
  }

  /** Makes the first attempt. */
  start(): void {
    this.#head = undefined;
    this.#kept = new KeptBytes();
    const { extra, body } = this.#request;
    // A refusal is the client's, as it is.
    const answer = new DecodedAnswer(this, this.#deps.faults ?? uncontained, isEventsHead);
    this.#call = answer.start((handler) => this.#deps.dispatch(extra, body, handler));
  }

  /** Gives up: the owner is not called again. */
  abort(): void {
    this.#deps.clock.clear(this.#timer);
    this.#call?.abort();
  }

  onInformation(): void {}

  onHead(head: ResponseHead): AnswerSink {
    this.#head = head;
    this.#bodyMax = answerBodyMax(head, this.#deps.maxMessage);
    return this;
  }

  onData(chunk: Buffer): boolean {
    this.#kept.add(chunk);
    if (this.#kept.length > this.#bodyMax) {
      this.#call?.abort();
      this.#owner.exchangeAnswered({ head: this.#head as ResponseHead, body: undefined });
    }
    return true;
  }

  onEnd(): void {
    this.#owner.exchangeAnswered({ head: this.#head as ResponseHead, body: this.#kept.whole() });
  }

  onError(error: OriginError): void {
    const delay = this.#delay(error);
    if (delay === undefined) this.#owner.exchangeFailed(error);
    else if (delay === 0) this.start();
    else this.#timer = this.#deps.clock.after(delay, () => this.start(), this);
  }

  /** After a fault in making the next attempt. */
  fault(error: unknown): void {
    this.#owner.exchangeFailed(faultError(error));
  }

  /** Ms until the next attempt; undefined for none. */
  #delay(error: OriginError): number | undefined {
    if (error.repeat === 'no') return undefined;
    if (error.repeat === 'stale' && !this.#staleSeen) {
      this.#staleSeen = true;
      return 0;
    }
    if (!this.#request.repeats) return undefined;
    this.#retry ??= new Retry(this.#deps.random);
    return this.#retry.next();
  }
}
