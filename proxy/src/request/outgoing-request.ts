/** A client's request as it goes to origins: to each target of its route, with a body whose start is kept for the next. */
import { Readable } from 'node:stream';
import type { Span } from '@holdfast/control-api';
import type { RawHeaders } from '@holdfast/grip';
import type { BodySink, ClientBody, ClientRequest } from '../edge/port.js';
import { OriginError } from '../errors.js';
import { passableTrailers } from '../http/fields.js';
import type { ClientTrust } from '../origin/forwarder.js';
import type { OriginCall, OriginHandler } from '../origin/port.js';
import type { TargetRequest } from '../origin/send.js';
import type { Route } from '../routes/route.js';
import type { Target } from '../routes/target.js';
import { KeptBytes } from '../runtime/kept-bytes.js';
import { dispatchTraced, type OriginTraces } from '../tracing/origin-traces.js';
import type { RequestDeps } from './request-deps.js';

/**
 * Bodies of a declared length up to this are read whole before the origin is asked: one write, one buffer.
 *
 * @limit {} bytes of declared body
 * @over no limit: a longer body streams
 */
const WHOLE_BODY_MAX = 10_000;

/** Methods that may be repeated when an origin may have seen them (RFC 9110 §9.2.2). */
const IDEMPOTENT = new Set(['GET', 'HEAD', 'OPTIONS', 'PUT', 'DELETE', 'TRACE']);

/** One client request on the origin's side. */
export class OutgoingRequest implements TargetRequest {
  readonly #request: ClientRequest;
  readonly #route: Route;
  readonly #trust: ClientTrust;
  readonly #body: RequestBody | undefined;
  readonly #lastIds: ReadonlyMap<string, string> | undefined;
  readonly #deps: RequestDeps;

  /** `lastIds`, of a hold that has the request sent again, go out as `Grip-Last`. */
  constructor(
    request: ClientRequest,
    route: Route,
    trust: ClientTrust,
    body: RequestBody | undefined,
    lastIds: ReadonlyMap<string, string> | undefined,
    deps: RequestDeps,
  ) {
    this.#request = request;
    this.#route = route;
    this.#trust = trust;
    this.#body = body;
    this.#lastIds = lastIds;
    this.#deps = deps;
  }

  get repeatable(): boolean {
    return IDEMPOTENT.has(this.#request.method);
  }

  get replayable(): boolean {
    return this.#body === undefined || this.#body.replayable;
  }

  dispatch(target: Target, handler: OriginHandler): OriginCall {
    const { forwarder, originOf, originTraces } = this.#deps;
    const span = originTraces && this.#begin(originTraces, target);
    const asked = span === undefined ? this.#request : { ...this.#request, trace: span };
    const { host, path, headers } = forwarder.forward(asked, this.#route, this.#trust, target, this.#lastIds);
    const body = this.#body === undefined ? null : this.#body.open();
    const { method, takesTrailers } = this.#request;
    const trailers = takesTrailers ? () => this.#body?.trailers ?? [] : undefined;
    const request = { method, path, headers, body, trailers };
    const origin = originOf(target, this.#route, host);
    return span === undefined ? origin.dispatch(request, handler) : dispatchTraced(span, origin, request, handler);
  }

  #begin(traces: OriginTraces, target: Target): Span | undefined {
    const { method, path } = this.#request;
    const isLater = this.#lastIds !== undefined;
    return traces.begin({ method, path, route: this.#route, target, marks: this.#request, isLater });
  }

  targetFailed(target: Target, error: OriginError): void {
    const marks = this.#request;
    this.#deps.warnings?.targetFailed({ id: marks.id, route: this.#route, target, marks }, error);
  }
}

type State = 'unread' | 'flowing' | 'complete' | 'broken';

/**
 * Streams a client's body to an origin with back-pressure, keeping up to `keepMax` bytes from its start, so that the
 * request can go to the next target, or be asked again while it is held. A longer body can be sent once only.
 */
export class RequestBody implements BodySink {
  readonly #source: ClientBody;
  readonly #keepMax: number;
  #kept = new KeptBytes();
  #bytes = 0;
  /** Of a complete body: those that may be passed on. A body that is sent again, whole, has none. */
  trailers: RawHeaders = [];
  #state: State = 'unread';
  #overflowed = false;
  #stream: BodyStream | undefined;
  #whole: (() => void) | undefined;

  /** `keepMax` in bytes. */
  constructor(source: ClientBody, keepMax: number) {
    this.#source = source;
    this.#keepMax = keepMax;
  }

  /** Body bytes received so far. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Whether the body can still be given from its first byte. */
  get replayable(): boolean {
    return !this.#overflowed;
  }

  /** Whether the client broke off. */
  get broken(): boolean {
    return this.#state === 'broken';
  }

  /** Calls `then` when the body is ready to be opened: at once, or when a short one has arrived whole. */
  ready(then: () => void): void {
    const { length } = this.#source;
    if (this.#state === 'unread' && length !== undefined && length <= Math.min(WHOLE_BODY_MAX, this.#keepMax)) {
      this.#whole = then;
      this.#begin();
    } else then();
  }

  /**
   * The body from its first byte, for one request to an origin: a buffer when all of it is here, else a stream that
   * goes on as the client sends. Only while `replayable` may it be opened again; a stream opened before ends broken.
   */
  open(): Buffer | Readable {
    this.#stream?.destroy();
    this.#stream = undefined;
    if (this.#state === 'complete') return this.#kept.whole();
    const stream = new BodyStream(this.#source, () => this.#begin());
    this.#stream = stream;
    for (const chunk of this.#kept.pieces) stream.push(chunk);
    if (this.#state === 'broken') stream.destroy(brokenOff());
    return stream;
  }

  /** Reads what the origin has not waited for, so that a held request can be asked again. */
  readOn(): void {
    this.#stream?.destroy();
    this.#stream = undefined;
    this.#begin();
    if (this.#state === 'flowing') this.#source.resume();
  }

  /** Releases the kept bytes: the request will not be sent again. */
  release(): void {
    this.#kept = new KeptBytes();
    this.#overflowed = true;
  }

  onData(chunk: Buffer): void {
    this.#bytes += chunk.length;
    if (!this.#overflowed) this.#keep(chunk);
    if (this.#stream !== undefined && !this.#stream.push(chunk)) this.#source.pause();
  }

  onEnd(trailers: RawHeaders = []): void {
    this.trailers = passableTrailers(trailers);
    this.#state = 'complete';
    this.#stream?.push(null);
    this.#callWhole();
  }

  onAbort(): void {
    this.#state = 'broken';
    this.#stream?.destroy(brokenOff());
    this.#callWhole();
  }

  #keep(chunk: Buffer): void {
    if (this.#bytes > this.#keepMax) this.release();
    else this.#kept.add(chunk);
  }

  #begin(): void {
    if (this.#state !== 'unread') return;
    this.#state = 'flowing';
    this.#source.read(this);
  }

  #callWhole(): void {
    const then = this.#whole;
    this.#whole = undefined;
    if (then !== undefined && this.#state === 'complete') then();
  }
}

/** What a request to an origin ends with when its body does not come to an end. */
function brokenOff(): OriginError {
  return new OriginError('ERR_ORIGIN_REQUEST', 'the client broke off its request body', 'no');
}

/** The readable end that the origin client pulls from: the first pull starts the client's flow. */
class BodyStream extends Readable {
  readonly #source: ClientBody;
  readonly #begin: () => void;

  constructor(source: ClientBody, begin: () => void) {
    super();
    this.#source = source;
    this.#begin = begin;
    // A stream that is given up has no error to report.
    this.on('error', () => {});
  }

  override _read(): void {
    this.#begin();
    this.#source.resume();
  }
}
