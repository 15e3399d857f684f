/** What each edge hands its requests to: it refuses them, answers them itself, or finds the route and starts what serves them. */
import { headerValue, type RawHeaders, type SigKey, verifyGripSig } from '@holdfast/grip';
import { answerPlain, failureOf } from '../answers/answers.js';
import { ChangedHead, changedHandshake, type HeadChange } from '../clients/answer-heads.js';
import { compressed } from '../compression/compressed-response.js';
import { CorsResponse, mayLoad } from '../cross-origin/cors.js';
import { type JsonpCall, JsonpResponse, readJsonp } from '../cross-origin/jsonp.js';
import { withoutToken } from '../direct/token-source.js';
import type { ClientHandshake, ClientRequest, ClientResponse, EdgeHandler } from '../edge/port.js';
import { RequestError } from '../errors.js';
import { takeParameter } from '../http/request-path.js';
import type { ClientTrust } from '../origin/forwarder.js';
import { countsAsSecure } from '../origin/headers.js';
import { defaultJsonp, type Route } from '../routes/route.js';
import type { Clock } from '../runtime/clock.js';
import { Handshake } from '../sessions/handshake.js';
import { type SockJs, servesSockJs } from '../sockjs/sockjs.js';
import { withoutBaggage } from '../tracing/request-traces.js';
import { Exchange } from './exchange.js';
import { chooseSink } from './instruct.js';
import type { RequestDeps } from './request-deps.js';

const ABOUT = 'Holdfast. Copyright (c) Holdfast contributors. Licensed under the MIT License.';

/** The media types by which only a proxy speaks, as parsers find them that are lenient about white space. */
const EVENTS = /application\s*\/\s*(?:websocket-events|xmpp-stanza)/i;

/** Query parameter in the place of `Last-Event-ID`, which scripts cannot set. Neither origin nor log sees it. */
const LAST_EVENT_ID = 'holdfast-last-event-id';

/** Any character but printable ASCII. */
const UNUSUAL = /[^\x20-\x7e]/;

/** Characters of a path in a line of the log. */
const SHOWN_PATH = 100;

/** A request, and what is known of it before anything is done for it. */
interface Received {
  readonly request: ClientRequest;
  readonly trust: ClientTrust;
  readonly route: Route | undefined;
}

/** The request path's entry. */
export class RequestHandler implements EdgeHandler {
  readonly #deps: RequestDeps;
  readonly #sockjs: SockJs | undefined;

  /** Without `sockjs` the routes' property of that name has no effect. */
  constructor(deps: RequestDeps, sockjs?: SockJs) {
    this.#deps = deps;
    this.#sockjs = sockjs;
  }

  onRequest(received: ClientRequest, client: ClientResponse): void {
    if (headerValue(received.headers, 'pushpin-check') !== undefined) {
      answerPlain(client, 200, ABOUT);
      return;
    }
    const { request, trust, route } = this.#received(received, 'http');
    const change = this.#headChange(request);
    const response = change === undefined ? client : new ChangedHead(client, change);
    if (this.#refusedStranger(request, response, trust, route)) return;
    const sockjs = this.#sockjs;
    if (sockjs !== undefined && servesSockJs(route, request.path)) {
      if (!this.#refused(request, response, trust, route)) {
        sockjs.onRequest(request, response, route, trust);
      }
      return;
    }
    // A proxy before us writes into streams itself, and compresses them for its own clients.
    const { compression } = this.#deps;
    const answer = compression === undefined || trust.trusted ? response : compressed(request, response, compression);
    if (!this.#deps.settings.autoCrossOrigin && route?.aco !== true) this.#take(request, answer, trust, route);
    else this.#takeOpenly(request, answer, trust, route, change);
  }

  /** A request that scripts of other origins may make, and may make as JSON-P. */
  #takeOpenly(
    request: ClientRequest,
    response: ClientResponse,
    trust: ClientTrust,
    route: Route | undefined,
    change: HeadChange | undefined,
  ): void {
    // Scripts are to see the head as it is changed too: it is named to them, or put into the body, before it goes out.
    const seen = (answer: ClientResponse) => (change === undefined ? answer : new ChangedHead(answer, change));
    const origins = route?.acoOrigins ?? this.#deps.settings.acoOrigins;
    let call: JsonpCall | undefined;
    try {
      call = readJsonp(request, route?.jsonp ?? defaultJsonp);
    } catch (error) {
      if (!(error instanceof RequestError)) throw error;
      this.#refuse(request, response, trust, route, error);
      return;
    }
    if (call === undefined) {
      this.#take(request, seen(new CorsResponse(response, request.headers, origins)), trust, route);
    } else if (mayLoad(request, origins)) {
      const answer = new JsonpResponse(response, { ...call, isRestricted: !origins.isAny });
      this.#take(call.request, seen(answer), trust, route);
    } else {
      const error = new RequestError('ERR_REQUEST_CROSS_ORIGIN', 'JSON-P is not for scripts of this site.');
      this.#refuse(request, response, trust, route, error);
    }
  }

  #take(request: ClientRequest, response: ClientResponse, trust: ClientTrust, route: Route | undefined): void {
    if (route === undefined) this.#refuse(request, response, trust, undefined, this.#noRoute(request, 'http'));
    else if (!this.#refused(request, response, trust, route)) {
      new Exchange(request, response, route, trust, this.#deps, chooseSink).start();
    }
  }

  /** Refuses what no client of this route may ask. A GRIP proxy before us speaks for many clients, and is limited there. */
  #refused(request: ClientRequest, response: ClientResponse, trust: ClientTrust, route: Route): boolean {
    if (trust.trusted) return false;
    try {
      checkEvents(request);
      this.#deps.limits?.admitRequest(request, route);
      return false;
    } catch (error) {
      if (!(error instanceof RequestError)) throw error;
      this.#refuse(request, response, trust, route, error);
      return true;
    }
  }

  /** Refuses a client without a certificate where the route asks for one, however it asks, before anything is done for it. */
  #refusedStranger(
    request: ClientRequest,
    response: ClientResponse,
    trust: ClientTrust,
    route: Route | undefined,
  ): boolean {
    if (route?.clientCert !== true || request.clientCertificate !== undefined) return false;
    const error = new RequestError('ERR_REQUEST_CLIENT_CERT', 'Client certificate required.');
    this.#refuse(request, response, trust, route, error);
    return true;
  }

  onWebSocket(received: ClientRequest, client: ClientHandshake): void {
    const { request, trust, route } = this.#received(received, 'ws');
    const change = this.#headChange(request);
    const handshake = change === undefined ? client : changedHandshake(client, change);
    if (this.#refusedStranger(request, handshake.response, trust, route)) return;
    const sockjs = this.#sockjs;
    if (route === undefined) this.#refuse(request, handshake.response, trust, undefined, this.#noRoute(request, 'ws'));
    else if (this.#refused(request, handshake.response, trust, route)) return;
    else if (sockjs !== undefined && servesSockJs(route, request.path)) {
      sockjs.onWebSocket(request, handshake, route, trust);
    } else new Handshake(request, handshake, route, trust, this.#deps.sessions).start();
  }

  /** The request as its client is known, with what names it beyond this node. */
  #received(received: ClientRequest, proto: 'http' | 'ws'): Received {
    const { trustedProxies, requestIds, traces } = this.#deps;
    const known = trustedProxies?.identify(received) ?? received;
    const trust = this.#trust(known);
    const named = requestIds?.identify(known, trust.trusted) ?? known;
    const route = this.#route(named, trust.secure, proto);
    const plain = withoutToken(this.#withoutLastId(named, trust, route), route?.tokenParameter);
    const request = traces?.begin(plain, route, trust.secure ? `${proto}s` : proto) ?? plain;
    return { request, trust, route };
  }

  /** The request without the parameter, where a history serves the route. A GRIP proxy before us takes it for its own clients. */
  #withoutLastId(request: ClientRequest, trust: ClientTrust, route: Route | undefined): ClientRequest {
    if (route === undefined || trust.trusted || this.#deps.holds.replay?.isOn(route) !== true) return request;
    const taken = takeParameter(request.path, LAST_EVENT_ID);
    return taken === undefined ? request : { ...request, path: taken.path, lastEventId: taken.value || undefined };
  }

  /** What is done to the head of the client's answer; nothing, unless options ask for it. */
  #headChange(request: ClientRequest): HeadChange | undefined {
    const { requestIds, traces } = this.#deps;
    const naming = requestIds?.naming(request);
    if (traces === undefined) return naming;
    return naming === undefined ? withoutBaggage : (headers) => naming(withoutBaggage(headers));
  }

  #trust(request: ClientRequest): ClientTrust {
    const { settings, clock } = this.#deps;
    return {
      secure: countsAsSecure(request.headers, request.secure, settings.forward),
      trusted: isTrusted(request, settings.upstreamKey, clock),
    };
  }

  #route(request: ClientRequest, secure: boolean, proto: 'http' | 'ws'): Route | undefined {
    const { settings, routes } = this.#deps;
    const routeId = settings.acceptPushpinRoute ? headerValue(request.headers, 'pushpin-route') : undefined;
    return routes().match({
      proto,
      host: hostName(request.host),
      path: request.path,
      secure,
      routeId,
    });
  }

  #noRoute(request: ClientRequest, proto: 'http' | 'ws'): RequestError {
    const host = hostName(request.host);
    const [path = ''] = request.path.split('?', 1);
    const advice = this.#deps.routes().serves(host)
      ? `routes take this domain, and none of them this path, protocol or TLS: ${proto} ${path.slice(0, SHOWN_PATH)}`
      : undefined;
    return new RequestError('ERR_REQUEST_NO_ROUTE', `No route for host: ${host}`, { advice });
  }

  #refuse(
    request: ClientRequest,
    response: ClientResponse,
    trust: ClientTrust,
    route: Route | undefined,
    error: RequestError,
  ): void {
    const { events, settings } = this.#deps;
    this.#deps.warnings?.failed({ id: request.id, route, target: undefined, marks: request }, error);
    const failure = failureOf(error, settings.debug);
    answerPlain(response, failure.status, failure.text, failure.headers);
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

/**
 * Refuses a client that poses as a proxy of WebSockets over HTTP, or of XMPP stanzas, on whatever route: it is the origin that reads
 * the request, and another route may lead to the same one.
 */
function checkEvents({ headers }: ClientRequest): void {
  if (!posesAsEvents(headers)) return;
  throw new RequestError('ERR_REQUEST_EVENTS_FROM_CLIENT', 'Client not allowed to send WebSocket events directly.');
}

function isTrusted(request: ClientRequest, key: SigKey | undefined, clock: Clock): boolean {
  if (key === undefined) return false;
  const signature = headerValue(request.headers, 'grip-sig');
  return signature !== undefined && verifyGripSig(signature, key, Math.floor(clock.wall() / 1000));
}

/**
 * Whether an origin could read the media type of events, or of stanzas, from a request: from any Content-Type or Accept field, for servers
 * differ in which of several counts; in any part of it, for they differ in where a value ends; in any case, and with
 * characters that they drop or fold. Accept alone is enough for some GRIP libraries.
 */
export function posesAsEvents(headers: RawHeaders): boolean {
  for (let i = 0; i < headers.length; i += 2) {
    const name = headers[i] as string;
    if (name.length !== 12 && name.length !== 6) continue;
    const lower = name.toLowerCase();
    if ((lower === 'content-type' || lower === 'accept') && namesEvents(headers[i + 1] as string)) return true;
  }
  return false;
}

/** `value` has one character for each byte. */
function namesEvents(value: string): boolean {
  if (EVENTS.test(value)) return true;
  if (!UNUSUAL.test(value)) return false;
  const text = Buffer.from(value, 'latin1').toString('utf8');
  return EVENTS.test(usual(value)) || EVENTS.test(usual(text.normalize('NFKC').toUpperCase()));
}

function usual(text: string): string {
  return text.replace(/[^\x20-\x7e]/g, '');
}
