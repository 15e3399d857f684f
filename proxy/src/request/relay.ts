/**
 * Owns: passing an origin's answer on to the client as it comes, with back-pressure. Does not own: the decision to.
 */
import type { RawHeaders, ResponseHead } from '@holdfast/grip';
import type { ClientResponse, ResponseHandler } from '../edge/port.js';
import type { OriginCall } from '../origin/port.js';
import type { AnswerBody } from './answer.js';

/** Hears how a relayed answer ended: `complete` went out whole, `broken` by the origin, `gone` by the client. */
export type RelayEnd = 'complete' | 'broken' | 'gone';

/** One relayed answer. Bytes are passed as they are: nothing is decoded, so Content-Encoding stays true. */
export class Relay implements AnswerBody, ResponseHandler {
  readonly #response: ClientResponse;
  readonly #call: OriginCall;
  readonly #ended: (end: RelayEnd) => void;
  /** Body bytes that the origin has announced and not sent yet. */
  #left: number | undefined;

  /** Takes the response over. `ended` is called once. */
  constructor(response: ClientResponse, call: OriginCall, ended: (end: RelayEnd) => void) {
    this.#response = response;
    this.#call = call;
    this.#ended = ended;
    response.setHandler(this);
  }

  /** Throws, with nothing sent, when the head cannot be put on the wire. */
  start(head: ResponseHead, length: number | undefined): void {
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
    this.#ended('complete');
  }

  onError(): void {
    // Too late for a 502: the client is to see that the body is incomplete (RFC 9112 §8).
    this.#response.abort();
    this.#ended('broken');
  }

  fault(): void {
    this.#call.abort();
    this.onError();
  }

  onWritable(): void {
    this.#call.resume();
  }

  onGone(): void {
    this.#call.abort();
    this.#ended('gone');
  }
}
