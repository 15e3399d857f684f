/**
 * Owns: what comes before an exchange: requests that the proxy answers itself, the route, and the client's standing.
 * Does not own: the exchange.
 */
import { headerValue, type SigKey, verifyGripSig } from '@holdfast/grip';
import type { Clock } from '../clock.js';
import type { ClientRequest, ClientResponse, EdgeHandler } from '../edge/edge.js';
import { countsAsSecure } from '../origin/headers.js';
import type { Route } from '../routes/route.js';
import { RequestError } from './errors.js';
import { type ClientStanding, Exchange } from './exchange.js';
import { answerPlain, failureOf } from './fail.js';
import type { RequestParts } from './request-parts.js';

const ABOUT = 'Holdfast. Copyright (c) Holdfast contributors. Licensed under the MIT License.';

/** The request path's entry: what every edge hands its requests to. */
export class RequestHandler implements EdgeHandler {
  readonly #parts: RequestParts;

  constructor(parts: RequestParts) {
    this.#parts = parts;
  }

  onRequest(request: ClientRequest, response: ClientResponse): void {
    const { settings, clock } = this.#parts;
    if (headerValue(request.headers, 'pushpin-check') !== undefined) {
      answerPlain(response, 200, ABOUT);
      return;
    }
    const secure = countsAsSecure(request.headers, request.secure, settings.forward);
    const websocket = isWebSocket(request);
    const route = this.#route(request, secure, websocket);
    if (route === undefined) {
      const text = `No route for host: ${hostName(request.host)}`;
      this.#refuse(request, response, secure, undefined, new RequestError('ERR_REQUEST_NO_ROUTE', text));
    } else if (websocket) {
      const text = 'WebSocket connections are not supported on this route.';
      this.#refuse(request, response, secure, route, new RequestError('ERR_REQUEST_WEBSOCKET', text));
    } else {
      const trusted = isTrusted(request, settings.upstreamKey, clock);
      const standing: ClientStanding = { secure, trusted };
      new Exchange(request, response, route, standing, this.#parts).start();
    }
  }

  #route(request: ClientRequest, secure: boolean, websocket: boolean): Route | undefined {
    const { settings, routes } = this.#parts;
    const routeId = settings.acceptRouteHeader ? headerValue(request.headers, 'pushpin-route') : undefined;
    return routes().match({
      proto: websocket ? 'ws' : 'http',
      host: hostName(request.host),
      path: request.path,
      secure,
      ...(routeId === undefined ? {} : { routeId }),
    });
  }

  #refuse(
    request: ClientRequest,
    response: ClientResponse,
    secure: boolean,
    route: Route | undefined,
    error: RequestError,
  ): void {
    const { events, settings } = this.#parts;
    const failure = failureOf(error, settings.debug);
    answerPlain(response, failure.status, failure.text);
    events.requestEnded({
      request,
      secure,
      route,
      target: undefined,
      status: failure.status,
      error: failure.code,
      hold: undefined,
      bytes: response.bodyBytes,
      duration: 0,
      retry: false,
    });
  }
}

/** The name in a Host value, in lower case: without the port, IPv6 addresses without brackets. */
function hostName(host: string): string {
  const lower = host.toLowerCase();
  if (lower.startsWith('[')) return lower.slice(1, lower.indexOf(']'));
  const colon = lower.indexOf(':');
  return colon < 0 ? lower : lower.slice(0, colon);
}

/** Whether a request opens a WebSocket (RFC 6455 §4.1); the value is compared without case. */
function isWebSocket(request: ClientRequest): boolean {
  return headerValue(request.headers, 'upgrade')?.toLowerCase() === 'websocket';
}

function isTrusted(request: ClientRequest, key: SigKey | undefined, clock: Clock): boolean {
  if (key === undefined) return false;
  const signature = headerValue(request.headers, 'grip-sig');
  return signature !== undefined && verifyGripSig(signature, key, Math.floor(clock.now() / 1000));
}
