/** Passing an origin's answer on to the client as it comes, with back-pressure. */
import type { RawHeaders, ResponseHead } from '@holdfast/grip';
import { codingsOf } from '../decoding/codings.js';
import type { ClientResponse, ResponseHandler } from '../edge/port.js';
import { ofDecodedBody } from '../http/fields.js';
import { faultError, type OriginError } from '../origin/errors.js';
import type { AnswerSink } from '../origin/port.js';
import type { Exchange } from './exchange.js';

/**
 * Starts to relay the answer, and returns what takes its body: decoded where the response reads it, otherwise as it is, so
 * that Content-Encoding stays true. Throws, with nothing sent, when the head cannot be put on the wire or the body cannot be
 * decoded.
 */
export function relay(exchange: Exchange, head: ResponseHead, length: number | undefined): AnswerSink {
  exchange.relaying(head.status);
  const relay = new Relay(exchange);
  const codings = exchange.response.readsBody === true ? codingsOf(head.headers) : [];
  if (codings.length === 0) {
    relay.start(head, length);
    return relay;
  }
  const body = exchange.decoded(codings, relay);
  relay.start({ ...head, headers: ofDecodedBody(head.headers) }, undefined);
  return body;
}

/** One relayed answer. */
export class Relay implements AnswerSink, ResponseHandler {
  readonly #exchange: Exchange;
  readonly #response: ClientResponse;
  /** Body bytes that the origin has announced and not sent yet. */
  #left: number | undefined;

  constructor(exchange: Exchange) {
    this.#exchange = exchange;
    this.#response = exchange.response;
  }

  /** Takes the response over. Throws as `writeHead` does. */
  start(head: ResponseHead, length: number | undefined): void {
    this.#response.setHandler(this);
    this.#left = length;
    this.#response.writeHead(head, length);
  }

  onData(chunk: Buffer): boolean {
    if (this.#left !== undefined) this.#left -= chunk.length;
    // The last bytes and the end in one call: a small answer leaves with its head in one write.
    if (this.#left === 0) {
      this.#response.end(chunk);
      return true;
    }
    return this.#response.write(chunk);
  }

  onEnd(trailers?: RawHeaders): void {
    this.#response.end(undefined, trailers);
    this.#exchange.over(undefined);
  }

  onError(error: OriginError): void {
    this.#exchange.brokenOff(error);
    // Too late for a 502: the client is to see that the body is incomplete (RFC 9112 §8).
    this.#response.abort();
    this.#exchange.over('ERR_ORIGIN_CLOSED');
  }

  fault(error: unknown): void {
    this.#exchange.abort();
    this.onError(faultError(error));
  }

  onWritable(): void {
    this.#exchange.resume();
  }

  onGone(): void {
    this.#exchange.onGone();
  }
}
