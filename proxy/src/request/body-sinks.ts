/** What takes the body of an origin's answer as it comes: the client's response, or a stream hold that opens with it. */
import type { RawHeaders, ResponseHead } from '@holdfast/grip';
import { codingsOf } from '../decoding/codings.js';
import type { ClientResponse, ResponseHandler } from '../edge/port.js';
import { faultError, type OriginError } from '../errors.js';
import type { StreamHold } from '../holds/stream-hold.js';
import { ofDecodedBody } from '../http/fields.js';
import type { AnswerSink } from '../origin/port.js';
import type { Exchange } from './exchange.js';

/**
 * How much of a body is buffered before its hold is open, in bytes; then the origin is paused. A paused origin that breaks off
 * is not noticed.
 *
 * @limit {} bytes of a stream's first body that are read while its subscription is not live
 * @over the origin is held back
 */
export const BUFFERED_BODY_MAX = 65_536;

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

/** One relayed answer, with back-pressure. */
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

type SinkHold = Pick<StreamHold, 'write' | 'opened' | 'abandon' | 'isOver'>;
type SinkExchange = Pick<Exchange, 'resume' | 'bodyWhole' | 'brokenOff' | 'fail'>;

/** The initial body of a stream hold. It waits, and the origin with it, until the hold is open; but for a failure. */
export class StreamSink implements AnswerSink {
  readonly #hold: SinkHold;
  readonly #exchange: SinkExchange;
  /** Undefined once the hold is open. */
  #buffered: Buffer[] | undefined = [];
  #bytes = 0;
  #isWhole = false;

  constructor(hold: SinkHold, exchange: SinkExchange) {
    this.#hold = hold;
    this.#exchange = exchange;
  }

  /** The hold has written its head: what was buffered follows, and then what comes. */
  open(): void {
    const buffered = this.#buffered ?? [];
    this.#buffered = undefined;
    let hasRoom = true;
    for (const chunk of buffered) hasRoom = this.#hold.write(chunk);
    if (this.#isWhole) this.onEnd();
    else if (this.#bytes > 0 && hasRoom) this.#exchange.resume();
  }

  onData(chunk: Buffer): boolean {
    if (this.#buffered === undefined) return this.#hold.write(chunk);
    this.#buffered.push(chunk);
    this.#bytes += chunk.length;
    return this.#bytes < BUFFERED_BODY_MAX;
  }

  onEnd(): void {
    if (this.#buffered !== undefined) {
      this.#isWhole = true;
      return;
    }
    this.#hold.opened();
    this.#exchange.bodyWhole();
  }

  onError(error: OriginError): void {
    this.#exchange.brokenOff(error);
    const isOpen = this.#buffered === undefined;
    if (!isOpen) this.#buffered = [];
    if (this.#hold.isOver) return;
    this.#hold.abandon();
    // Nothing has gone to the client: it gets an answer.
    if (!isOpen) this.#exchange.fail(error);
  }
}
