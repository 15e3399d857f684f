/** The port between the proxy and an origin: an HTTP server, or the built-in test target. */
import type { Readable } from 'node:stream';
import type { Faulty } from '@holdfast/control-api';
import type { RawHeaders, ResponseHead } from '@holdfast/grip';
import type { OriginError } from '../errors.js';

/** A request as it goes out to one target: headers are final. */
export interface OriginRequest {
  readonly method: string;
  /** Path and query, beginning with `/`. */
  readonly path: string;
  /** `Host` first, then the others in their order; flat pairs. */
  readonly headers: string[];
  /** A buffer is sent with its length; a stream in chunks, or with the `Content-Length` that the headers give. */
  readonly body: Buffer | Readable | null;
  /** Trailers for a body that is a stream in chunks, asked for when it has ended; left out: none. They are checked. */
  readonly trailers?: (() => RawHeaders) | undefined;
}

/**
 * Receives the head of the answer to one request. Order: `onInformation`*, then `onHead`; or `onError`, after which nothing
 * follows. After `OriginCall.abort` nothing is called any more. What it or its sink throws is caught, and comes back as
 * `onError` with ERR_ORIGIN_FAULT, of the sink once there is one; what that throws, as `fault` of the handler.
 */
export interface OriginHandler extends Faulty {
  /** An interim answer (RFC 9110 §15.2) other than 100. */
  onInformation(head: ResponseHead): void;
  /**
   * The head of the final answer; `length` is the declared body length, undefined when the origin gave none. Returns what
   * receives the rest of the answer; the handler itself is not called any more.
   */
  onHead(head: ResponseHead, length: number | undefined): AnswerSink;
  /** There is no answer. */
  onError(error: OriginError): void;
}

/** Receives the body of one answer: `onData`*, then one of `onEnd` and `onError`. */
export interface AnswerSink extends Faulty {
  /** Body bytes; false stops the flow until `OriginCall.resume`. */
  onData(chunk: Buffer): boolean;
  /** `trailers` are as sent; none with an empty list, or without one. */
  onEnd(trailers?: RawHeaders): void;
  /** The answer has broken off. */
  onError(error: OriginError): void;
}

/** For the rest of an answer that is given up. */
export const nowhere: AnswerSink = { onData: () => true, onEnd() {}, onError() {} };

/** A request under way. */
export interface OriginCall {
  /** Continues after an `onData` that returned false. */
  resume(): void;
  /** Gives the request up: its connection is closed unless the answer was complete. */
  abort(): void;
}

/** Something that answers requests. `dispatch` never throws and never calls the handler synchronously. */
export interface Origin {
  dispatch(request: OriginRequest, handler: OriginHandler): OriginCall;
}
