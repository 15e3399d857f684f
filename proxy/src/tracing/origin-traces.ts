/** The spans of what origins are asked: one for each request that is sent, from then until the head of its answer. */
import { SAMPLED, type Span, type Tracing } from '@holdfast/control-api';
import type { ResponseHead } from '@holdfast/grip';
import type { RequestMarks } from '../edge/port.js';
import type { OriginError } from '../errors.js';
import type { AnswerSink, Origin, OriginCall, OriginHandler, OriginRequest } from '../origin/port.js';
import type { Route } from '../routes/route.js';
import type { Target } from '../routes/target.js';
import { pathOf, spanName } from './request-traces.js';

/** What is to be sent, before its header fields are made. */
export interface OriginAsking {
  readonly method: string;
  readonly path: string;
  readonly route: Route;
  readonly target: Target;
  /** Of the client's request. Without a trace nothing is recorded. */
  readonly marks: RequestMarks;
  /**
   * The client's request has been answered, or is held: asking again, links, later requests of a session. These may go on for days, so
   * that each begins a trace, with a link to the client's.
   */
  readonly isLater: boolean;
}

/** Begins spans. Only where they are recorded. */
export class OriginTraces {
  readonly #tracing: Tracing;

  constructor(tracing: Tracing) {
    this.#tracing = tracing;
  }

  /** Begins the span of one request; undefined where the client's has none. */
  begin({ method, path, route, target, marks: { trace }, isLater }: OriginAsking): Span | undefined {
    if (trace === undefined) return undefined;
    const { context } = trace;
    const attributes = {
      'http.request.method': method,
      'http.route': route.id,
      'url.path': pathOf(path),
      'server.address': target.kind === 'http' ? target.host : target.kind,
      'server.port': target.kind === 'http' ? target.port : undefined,
    };
    const start = { kind: 'client', name: spanName({ method }, route), attributes } as const;
    // What is not recorded has nothing after it that is.
    const isApart = isLater && (context.flags & SAMPLED) !== 0;
    return this.#tracing.start(isApart ? { ...start, link: context } : { ...start, parent: context });
  }
}

/** Sends a request, and ends its span with the head of the answer, or without. */
export function dispatchTraced(span: Span, origin: Origin, request: OriginRequest, handler: OriginHandler): OriginCall {
  const traced = new TracedCall(span, handler);
  traced.call = origin.dispatch(request, traced);
  return traced;
}

/** Stands between an origin and its handler until there is a head. The body passes it by. */
class TracedCall implements OriginHandler, OriginCall {
  readonly #span: Span;
  readonly #handler: OriginHandler;
  call: OriginCall | undefined;

  constructor(span: Span, handler: OriginHandler) {
    this.#span = span;
    this.#handler = handler;
  }

  onInformation(head: ResponseHead): void {
    this.#handler.onInformation(head);
  }

  onHead(head: ResponseHead, length: number | undefined): AnswerSink {
    endByStatus(this.#span, head.status);
    return this.#handler.onHead(head, length);
  }

  onError(error: OriginError): void {
    this.#span.end({}, error.code);
    this.#handler.onError(error);
  }

  fault(error: unknown): void {
    this.#span.end({}, 'ERR_ORIGIN_FAULT');
    this.#handler.fault?.(error);
  }

  resume(): void {
    this.call?.resume();
  }

  abort(): void {
    this.#span.end({}, ABORTED);
    this.call?.abort();
  }
}

/** Given up before there was an answer: most often because the client has gone. */
export const ABORTED = 'aborted';

/** Ends the span of a request to an origin: statuses from 400 on are errors of it (semantic conventions for HTTP). */
export function endByStatus(span: Span, status: number): void {
  span.end({ 'http.response.status_code': status }, status >= 400 ? String(status) : undefined);
}
