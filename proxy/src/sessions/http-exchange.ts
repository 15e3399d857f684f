/**
 * Owns: one WebSocket-over-HTTP request with its repeats, until there is a whole answer or nothing more to try.
 * Does not own: what is asked, or what the answer means.
 */
import type { ResponseHead } from '@holdfast/grip';
import type { Clock, Timer } from '../clock.js';
import type { OriginError } from '../origin/errors.js';
import type { Origin, OriginCall, OriginHandler, OriginRequest } from '../origin/origin.js';
import { Retry } from '../retry.js';

/** A whole answer. */
export interface HttpAnswer {
  readonly head: ResponseHead;
  /** Undefined when it was longer than allowed; the rest was not read then. */
  readonly body: Buffer | undefined;
}

/** Hears how an exchange ended: exactly one call, unless it was aborted; never from within `start`. */
export interface ExchangeOwner {
  exchangeAnswered(answer: HttpAnswer): void;
  exchangeFailed(error: OriginError): void;
}

/** What an exchange is made of. */
export interface ExchangeParts {
  readonly origin: Origin;
  readonly clock: Clock;
  readonly random: () => number;
  /** Makes the request, anew for each attempt: signatures expire. */
  readonly make: () => OriginRequest;
  /** Whether a request that found no connection is made again after a while. */
  readonly repeats: boolean;
  /** Longest body in bytes of an answer with this head. */
  readonly bodyMax: (head: ResponseHead) => number;
}

/**
 * Attempts follow each other and never overlap. Repeated is only what the origin has given no sign of processing: no
 * connection came about (`connect`), or a kept-alive one proved closed (`stale`). The first stale one is repeated at
 * once, whatever `repeats` says: the origin is there and merely closes idle connections (RFC 9112 §9.3.1). An HTTP
 * status is an answer, whatever it is.
 */
export class HttpExchange implements OriginHandler {
  readonly #parts: ExchangeParts;
  readonly #owner: ExchangeOwner;
  readonly #retry: Retry;
  #staleSeen = false;
  #call: OriginCall | undefined;
  #timer: Timer | undefined;
  #head: ResponseHead | undefined;
  #chunks: Buffer[] = [];
  #bytes = 0;
  #bodyMax = 0;

  constructor(parts: ExchangeParts, owner: ExchangeOwner) {
    this.#parts = parts;
    this.#owner = owner;
    this.#retry = new Retry(parts.random);
  }

  /** Makes the first attempt. */
  start(): void {
    this.#head = undefined;
    this.#chunks = [];
    this.#bytes = 0;
    const { origin, make } = this.#parts;
    this.#call = origin.dispatch(make(), this);
  }

  /** Gives up: the owner hears nothing more. */
  abort(): void {
    this.#parts.clock.clear(this.#timer);
    this.#call?.abort();
  }

  onInformation(): void {}

  onHead(head: ResponseHead): void {
    this.#head = head;
    this.#bodyMax = this.#parts.bodyMax(head);
  }

  onData(chunk: Buffer): boolean {
    this.#bytes += chunk.length;
    if (this.#bytes > this.#bodyMax) {
      this.#call?.abort();
      this.#owner.exchangeAnswered({ head: this.#head as ResponseHead, body: undefined });
    } else this.#chunks.push(chunk);
    return true;
  }

  onEnd(): void {
    this.#owner.exchangeAnswered({ head: this.#head as ResponseHead, body: Buffer.concat(this.#chunks) });
  }

  onError(error: OriginError): void {
    const delay = this.#delay(error);
    if (delay === undefined) this.#owner.exchangeFailed(error);
    else if (delay === 0) this.start();
    else this.#timer = this.#parts.clock.after(delay, () => this.start());
  }

  /** Ms until the next attempt; undefined for none. */
  #delay(error: OriginError): number | undefined {
    if (error.repeat === 'no') return undefined;
    if (error.repeat === 'stale' && !this.#staleSeen) {
      this.#staleSeen = true;
      return 0;
    }
    return this.#parts.repeats ? this.#retry.next() : undefined;
  }
}
