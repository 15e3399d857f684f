/** One request to an origin: undici's callbacks, turned into the calls of `OriginHandler` and its sink, and into errors. */
import type { Readable } from 'node:stream';
import type { Containment } from '@holdfast/control-api';
import { isFinalStatus, isInterimStatus, type ResponseHead, sendableReason } from '@holdfast/grip';
import { faultError, OriginError } from '../errors.js';
import { realClock } from '../runtime/clock.js';
import type { AnswerSink, OriginCall, OriginHandler, OriginRequest } from './port.js';
import { type Framing, frameUpload } from './undici/upload-framing.js';

/**
 * Most interim answers to one request, and what they may have in all, in bytes of names and values: as much as the head of
 * one final answer. They are passed on as they come, whether or not the client reads, so that this is also what waits for it.
 * An origin that sends more is broken off.
 *
 * @limit {} interim answers to one request or handshake
 * @over 502, connection to the origin closed
 */
export const INTERIM_MAX = 100;
/**
 * @limit {} bytes of names and values in all interim answers to one request
 * @over 502, connection to the origin closed
 */
export const INTERIM_BYTES_MAX = 65_536;

/** One request on a pool: undici's `DispatchHandler` on one side, as `client` sees to, the proxy's on the other. */
export class HttpCall implements OriginCall {
  /** False while undici's `dispatch` runs: it may report a bad argument from within. */
  dispatched = false;
  /** Of a body that is a stream. */
  framing: Framing | undefined;
  /** Whose connection it is on. */
  pool: { closeIdle(): void } | undefined;
  readonly #handler: OriginHandler;
  /** From the head of the final answer on. */
  #sink: AnswerSink | undefined;
  readonly #headTimeout: number;
  #body: OriginRequest['body'];
  readonly #faults: Containment;
  #abort: ((error?: Error) => void) | undefined;
  #resume: (() => void) | undefined;
  #connected = false;
  /** When the request was on a connection; ms. */
  #since = 0;
  /** Undefined before the first. */
  #interim: Interim | undefined;
  /** Of the final answer; 0 while there is none. */
  #status = 0;
  #over = false;

  /** `headTimeout` in ms, since the request was on a connection. */
  constructor(handler: OriginHandler, headTimeout: number, body: OriginRequest['body'], faults: Containment) {
    this.#handler = handler;
    this.#headTimeout = headTimeout;
    this.#body = body;
    this.#faults = faults;
  }

  /** Nobody waits for the answer any more. */
  get isOver(): boolean {
    return this.#over;
  }

  resume(): void {
    this.#resume?.();
  }

  abort(): void {
    if (this.#over) return;
    this.#end();
    this.#abort?.();
  }

  fail(error: OriginError): void {
    if (this.#over) return;
    this.#end();
    try {
      (this.#sink ?? this.#handler).onError(error);
    } catch (fault) {
      this.#faults.caught('origin', fault, this.#handler);
    }
  }

  /** Ends the request after a fault of its handler, which gets the error like any other. */
  #fault(error: unknown): void {
    this.#faults.caught('origin', error);
    if (this.#over) return;
    // In this order: undici reports an aborted request as an error of its own.
    this.fail(faultError(error));
    this.#abort?.();
  }

  onConnect(abort: (error?: Error) => void): void {
    this.#connected = true;
    this.#since = realClock.monotonic();
    this.#abort = abort;
    const body = this.#body;
    if (this.#over) abort();
    else if (this.framing !== undefined) frameUpload(body as Readable, this.framing);
  }

  /** `raw` are bytes, or text of a character for each. */
  onHeaders(status: number, raw: (Buffer | string)[], resume: () => void, reason: string): boolean {
    if (this.#over) return true;
    const isFinal = isFinalStatus(status);
    if (!isFinal && !isInterimStatus(status)) {
      this.#refuse(`the origin answered with status ${String(status).padStart(3, '0')}`);
      return true;
    }
    const headers = typeof raw[0] === 'string' ? (raw as string[]) : raw.map(latin1);
    let length: number | undefined;
    for (let i = 0; i < headers.length; i += 2) {
      const name = headers[i] as string;
      if (name.length === 14 && name.toLowerCase() === 'content-length') length = Number(headers[i + 1]);
    }
    const head: ResponseHead = { status, reason: sendableReason(status, reason), headers };
    try {
      if (!isFinal) this.#inform(head);
      else {
        clearTimeout(this.#interim?.timer);
        this.#status = status;
        this.#resume = resume;
        // A 204 has no body, whatever it says (RFC 9110 §8.6).
        this.#sink = this.#handler.onHead(head, status === 204 ? undefined : length);
      }
    } catch (error) {
      this.#fault(error);
    }
    return true;
  }

  /** An invalid answer: its connection is not used again. */
  #refuse(why: string): void {
    const abort = this.#abort;
    this.fail(new OriginError('ERR_ORIGIN_MALFORMED', why, 'no'));
    abort?.();
  }

  onData(chunk: Buffer): boolean {
    try {
      return this.#over || (this.#sink as AnswerSink).onData(chunk);
    } catch (error) {
      this.#fault(error);
      return true;
    }
  }

  /** undici declares strings, and gives bytes. */
  onComplete(trailers: readonly (Buffer | string)[] | null): void {
    if (this.#over) return;
    this.#end();
    const sink = this.#sink as AnswerSink;
    try {
      if (trailers === null || trailers.length === 0) sink.onEnd();
      else sink.onEnd(trailers.map(latin1));
    } catch (error) {
      this.#faults.caught('origin', error);
      this.#over = false;
      this.fail(faultError(error));
    }
  }

  onError(cause: Error & { code?: string }): void {
    const error = classify(cause, this.#connected, this.#status !== 0);
    // Those that are kept have been idle for longer than this one was: the same request is not to meet another such.
    if (error.repeat === 'stale') this.pool?.closeIdle();
    if (this.dispatched) this.fail(error);
    else queueMicrotask(() => this.fail(error));
  }

  #end(): void {
    this.#over = true;
    // The call may be kept for longer than the body.
    this.#body = null;
    clearTimeout(this.#interim?.timer);
  }

  /** Passes an interim answer on, unless there are too many. */
  #inform(head: ResponseHead): void {
    this.#interim ??= { count: 0, bytes: 0, timer: this.#limitHead(realClock.monotonic() - this.#since) };
    const interim = this.#interim;
    interim.count++;
    for (const text of head.headers) interim.bytes += text.length;
    if (interim.count > INTERIM_MAX) this.#break(tooMuch(`more than ${INTERIM_MAX} interim answers`));
    else if (interim.bytes > INTERIM_BYTES_MAX) {
      this.#break(tooMuch(`more than ${INTERIM_BYTES_MAX} bytes of interim answers`));
    } else this.#handler.onInformation(head);
  }

  /** undici starts its time limit again with each interim answer; an upload may take its time. */
  #limitHead(elapsed: number): NodeJS.Timeout | undefined {
    if (this.#headTimeout === 0) return undefined;
    const expire = () => {
      const body = this.#body;
      const uploads = body !== null && !Buffer.isBuffer(body) && !body.readableEnded && !body.destroyed;
      if (uploads && this.#interim !== undefined) this.#interim.timer = this.#limitHead(0);
      else this.#break(new OriginError('ERR_ORIGIN_TIMEOUT', 'only interim answers, and no final one', 'no'));
    };
    return setTimeout(expire, Math.max(0, this.#headTimeout - elapsed)).unref();
  }

  #break(error: OriginError): void {
    if (this.#over) return;
    this.#end();
    this.#abort?.();
    this.#handler.onError(error);
  }
}

function latin1(text: Buffer | string): string {
  return typeof text === 'string' ? text : text.toString('latin1');
}

/** The interim answers so far. */
interface Interim {
  count: number;
  bytes: number;
  /** Until the final one must be there. */
  timer: NodeJS.Timeout | undefined;
}

function tooMuch(text: string): OriginError {
  return new OriginError('ERR_ORIGIN_MALFORMED', text, 'no');
}

/** Names the failure behind one of undici's or the system's errors. */
function classify(cause: Error & { code?: string }, connected: boolean, headSeen: boolean): OriginError {
  const code = cause.code ?? '';
  const options = { cause };
  if (cause instanceof OriginError) return cause;
  if (code === 'UND_ERR_INVALID_ARG' || code === 'UND_ERR_NOT_SUPPORTED' || code.startsWith('UND_ERR_REQ_')) {
    return new OriginError('ERR_ORIGIN_REQUEST', cause.message, 'no', options);
  }
  if (!connected) return new OriginError('ERR_ORIGIN_CONNECT', cause.message, 'connect', options);
  if (code === 'UND_ERR_HEADERS_TIMEOUT' || code === 'UND_ERR_BODY_TIMEOUT') {
    return new OriginError('ERR_ORIGIN_TIMEOUT', cause.message, 'no', options);
  }
  if (code === 'UND_ERR_SOCKET' && !cause.message.startsWith('bad')) {
    // A connection that has carried an answer before and is closed without a byte of this one was closed while idle.
    const { bytesRead } = (cause as { socket?: { bytesRead?: number } }).socket ?? {};
    const stale = !headSeen && bytesRead !== undefined && bytesRead > 0;
    return new OriginError('ERR_ORIGIN_CLOSED', cause.message, stale ? 'stale' : 'no', options);
  }
  if (code === 'ECONNRESET' || code === 'EPIPE') {
    return new OriginError('ERR_ORIGIN_CLOSED', cause.message, headSeen ? 'no' : 'stale', options);
  }
  if (code !== '' && !code.startsWith('HPE_') && !code.startsWith('UND_ERR_')) {
    return new OriginError('ERR_ORIGIN_CLOSED', cause.message, 'no', options);
  }
  return new OriginError('ERR_ORIGIN_MALFORMED', cause.message, 'no', options);
}
