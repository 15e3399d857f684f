/** What comes before an exchange: requests that the proxy answers itself, the route, and whether the client is trusted. */
import { headerValue, type SigKey, verifyGripSig } from '@holdfast/grip';
import { answerPlain, failureOf } from '../answers/answers.js';
import { compressed } from '../compression/compressed-response.js';
import { applyCrossOrigin, JsonpRefusal } from '../cross-origin/cross-origin.js';
import { JsonpFault } from '../cross-origin/jsonp-request.js';
import type { ClientHandshake, ClientRequest, ClientResponse, EdgeHandler } from '../edge/port.js';
import { RequestError } from '../http/errors.js';
import type { ClientTrust } from '../origin/forwarder.js';
import { countsAsSecure } from '../origin/headers.js';
import { defaultJsonp, type Route } from '../routes/route.js';
import type { Clock } from '../runtime/clock.js';
import { Handshake } from '../sessions/handshake.js';
import { type SockJs, servesSockJs } from '../sockjs/sockjs.js';
import { Exchange } from './exchange.js';
import { chooseSink } from './instruct.js';
import { posesAsEvents } from './posed-events.js';
import type { RequestParts } from './request-parts.js';

const ABOUT = 'Holdfast. Copyright (c) Holdfast contributors. Licensed under the MIT License.';

/** The request path's entry: what every edge hands its requests to. */
export class RequestHandler implements EdgeHandler {
  readonly #parts: RequestParts;
  readonly #sockjs: SockJs | undefined;

  /** Without `sockjs` the routes' property of that name has no effect. */
  constructor(parts: RequestParts, sockjs?: SockJs) {
    this.#parts = parts;
    this.#sockjs = sockjs;
  }

  onRequest(request: ClientRequest, response: ClientResponse): void {
    if (headerValue(request.headers, 'pushpin-check') !== undefined) {
      answerPlain(response, 200, ABOUT);
      return;
    }
    const trust = this.#trust(request);
    const route = this.#route(request, trust.secure, 'http');
    const sockjs = this.#sockjs;
    if (sockjs !== undefined && servesSockJs(route, request.path)) {
      if (!this.#refusedEvents(request, response, trust, route)) {
        sockjs.onRequest(request, response, route, trust);
      }
      return;
    }
    // A proxy before us writes into streams itself, and compresses them for its own clients.
    const { compression } = this.#parts;
    const answer = compression === undefined || trust.trusted ? response : compressed(request, response, compression);
    if (!this.#parts.settings.autoCrossOrigin && route?.aco !== true) this.#take(request, answer, trust, route);
    else this.#takeOpenly(request, answer, trust, route);
  }

  /** A request that scripts of other origins may make, and may make as JSON-P. */
  #takeOpenly(request: ClientRequest, response: ClientResponse, trust: ClientTrust, route: Route | undefined): void {
    let opened: { request: ClientRequest; response: ClientResponse };
    try {
      const origins = route?.acoOrigins ?? this.#parts.settings.acoOrigins;
      opened = applyCrossOrigin(request, response, route?.jsonp ?? defaultJsonp, origins);
    } catch (error) {
      const isFault = error instanceof JsonpFault;
      if (!isFault && !(error instanceof JsonpRefusal)) throw error;
      const code = isFault ? 'ERR_REQUEST_JSONP' : 'ERR_REQUEST_CROSS_ORIGIN';
      this.#refuse(request, response, trust, route, new RequestError(code, error.message));
      return;
    }
    this.#take(opened.request, opened.response, trust, route);
  }

  #take(request: ClientRequest, response: ClientResponse, trust: ClientTrust, route: Route | undefined): void {
    if (route === undefined) this.#refuse(request, response, trust, undefined, noRoute(request));
    else if (!this.#refusedEvents(request, response, trust, route)) {
      new Exchange(request, response, route, trust, this.#parts, chooseSink).start();
    }
  }

  /**
   * Refuses a client that poses as a proxy of WebSockets over HTTP, on whatever route: it is the origin that reads the request,
   * and another route may lead to the same one.
   */
  #refusedEvents(request: ClientRequest, response: ClientResponse, trust: ClientTrust, route: Route): boolean {
    if (trust.trusted || !posesAsEvents(request.headers)) return false;
    const text = 'Client not allowed to send WebSocket events directly.';
    const error = new RequestError('ERR_REQUEST_EVENTS_FROM_CLIENT', text);
    this.#refuse(request, response, trust, route, error);
    return true;
  }

  onWebSocket(request: ClientRequest, handshake: ClientHandshake): void {
    const trust = this.#trust(request);
    const route = this.#route(request, trust.secure, 'ws');
    const sockjs = this.#sockjs;
    if (route === undefined) this.#refuse(request, handshake.response, trust, undefined, noRoute(request));
    else if (this.#refusedEvents(request, handshake.response, trust, route)) return;
    else if (sockjs !== undefined && servesSockJs(route, request.path)) {
      sockjs.onWebSocket(request, handshake, route, trust);
    } else new Handshake(request, handshake, route, trust, this.#parts.sessions).start();
  }

  #trust(request: ClientRequest): ClientTrust {
    const { settings, clock } = this.#parts;
    return {
      secure: countsAsSecure(request.headers, request.secure, settings.forward),
      trusted: isTrusted(request, settings.upstreamKey, clock),
    };
  }

  #route(request: ClientRequest, secure: boolean, proto: 'http' | 'ws'): Route | undefined {
    const { settings, routes } = this.#parts;
    const routeId = settings.acceptPushpinRoute ? headerValue(request.headers, 'pushpin-route') : undefined;
    return routes().match({
      proto,
      host: hostName(request.host),
      path: request.path,
      secure,
      routeId,
    });
  }

  #refuse(
    request: ClientRequest,
    response: ClientResponse,
    trust: ClientTrust,
    route: Route | undefined,
    error: RequestError,
  ): void {
    const { events, settings } = this.#parts;
    this.#parts.warnings?.failed({ id: request.id, route, target: undefined }, error);
    const failure = failureOf(error, settings.debug);
    answerPlain(response, failure.status, failure.text);
    events.requestEnded({
      request,
      secure: trust.secure,
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

function noRoute(request: ClientRequest): RequestError {
  return new RequestError('ERR_REQUEST_NO_ROUTE', `No route for host: ${hostName(request.host)}`);
}

function isTrusted(request: ClientRequest, key: SigKey | undefined, clock: Clock): boolean {
  if (key === undefined) return false;
  const signature = headerValue(request.headers, 'grip-sig');
  return signature !== undefined && verifyGripSig(signature, key, Math.floor(clock.wall() / 1000));
}
