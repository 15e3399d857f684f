/** The traces of clients' requests: continued where a client has one, else begun. */
import { ATTRIBUTE_CHARS, readTraceContext, type SpanAttributes, type Tracing } from '@holdfast/control-api';
import { headerValues, type RawHeaders } from '@holdfast/grip';
import type { ClientRequest } from '../edge/port.js';
import type { Route } from '../routes/route.js';

/** Methods that a span may be named for; the names of others come from clients, without a bound. */
const METHODS = new Set(['GET', 'HEAD', 'POST', 'PUT', 'DELETE', 'CONNECT', 'OPTIONS', 'TRACE', 'PATCH']);

/** Begins the span of each request. Only where traces are followed. */
export class RequestTraces {
  readonly #tracing: Tracing;

  constructor(tracing: Tracing) {
    this.#tracing = tracing;
  }

  /** The request with its span, which lasts until there is an answer's head, or a hold. */
  begin(request: ClientRequest, route: Route | undefined, scheme: string): ClientRequest {
    const { headers } = request;
    const parent = readTraceContext(headerValues(headers, 'traceparent'), headerValues(headers, 'tracestate'));
    const tracing = this.#tracing;
    const attributes = tracing.records ? attributesOf(request, route, scheme) : NONE;
    return { ...request, trace: tracing.start({ kind: 'server', name: spanName(request, route), parent, attributes }) };
  }
}

const NONE: SpanAttributes = {};

/** The name of a request's span: its method, and the route that the configuration names. */
export function spanName({ method }: Pick<ClientRequest, 'method'>, route: Route | undefined): string {
  const known = METHODS.has(method) ? method : 'HTTP';
  return route?.id === undefined ? known : `${known} ${route.id}`;
}

/** Without the query, which may hold secrets. */
function attributesOf(request: ClientRequest, route: Route | undefined, scheme: string): SpanAttributes {
  const { id, requestId, method, path, host, version } = request;
  return {
    'http.request.method': METHODS.has(method) ? method : '_OTHER',
    'http.route': route?.id,
    'url.scheme': scheme,
    'url.path': pathOf(path),
    'server.address': host.slice(0, ATTRIBUTE_CHARS),
    'network.protocol.version': version,
    'holdfast.request.id': id,
    'holdfast.request.name': requestId,
  };
}

/** How the span of a request ends, given the status that the client gets, 0 for none, and the code of what was wrong. */
export function outcomeOf(
  status: number,
  error: string | undefined,
  hold?: string,
): [attributes: SpanAttributes, error: string | undefined] {
  const attributes = { 'http.response.status_code': status === 0 ? undefined : status, 'holdfast.hold': hold };
  // What a client did wrong is no error of the server (semantic conventions for HTTP).
  const isFailed = status === 0 || status >= 500;
  return [attributes, isFailed ? (error ?? String(status)) : undefined];
}

/** A path without its query, as an attribute. */
export function pathOf(path: string): string {
  const mark = path.indexOf('?');
  return path.slice(0, mark === -1 ? ATTRIBUTE_CHARS : Math.min(mark, ATTRIBUTE_CHARS));
}

/**
 * Header fields of an answer without `Baggage`: what the parts of a site say to each other about a request is not for clients, and an
 * origin's library may repeat it.
 */
export function withoutBaggage(headers: RawHeaders): RawHeaders {
  const others: string[] = [];
  for (let i = 0; i < headers.length; i += 2) {
    if ((headers[i] as string).toLowerCase() !== 'baggage') others.push(headers[i] as string, headers[i + 1] as string);
  }
  return others.length === headers.length ? headers : others;
}
