/** SockJS (protocol 0.3) for the routes that have it: finds the session of each request, and refuses requests without one. */
import type { Containment } from '@holdfast/control-api';
import type { RawHeaders } from '@holdfast/grip';
import { answerPlain } from '../answers/answers.js';
import type { AllowedOrigins } from '../config/types/allowed-origins.js';
import { mayAsk, mayLoad } from '../cross-origin/cors.js';
import type { ClientHandshake, ClientRequest, ClientResponse } from '../edge/port.js';
import { queryOf } from '../http/request-path.js';
import type { ClientTrust } from '../origin/forwarder.js';
import type { Route } from '../routes/route.js';
import type { Clock } from '../runtime/clock.js';
import { FramedHandshake } from './framed-socket.js';
import { MAX_BODY, PayloadFault, readMessages, readWhole, sentText } from './frames.js';
import { HttpHandshake, HttpSession, type SendOutcome } from './http-session.js';
import { jsonp, Receiver, type TransportForm, transportForm } from './receiver.js';
import {
  basePath,
  callbackFault,
  callbackOf,
  isSockJsPath,
  methodsOf,
  readPlace,
  type SendingTransport,
  type SockJsPlace,
} from './sockjs-path.js';
import { NO_UPGRADE, onlyGet, Pages, PLAIN, type ResponseEnd, SockJsResponse } from './sockjs-response.js';

/** A route that has `sockjs`. */
export type SockJsRoute = Route & { readonly sockjs: string };

/** One request that was answered here; those that open sessions are reported by the sessions. */
export interface SockJsEnd {
  readonly request: ClientRequest;
  readonly secure: boolean;
  readonly route: Route;
  /** Status sent to the client; 0 when it went away before. */
  readonly status: number;
  readonly error: string | undefined;
  readonly bytes: number;
  /** In ms. */
  readonly duration: number;
}

/** Collaborators and settings of the service. */
export interface SockJsDeps {
  readonly clock: Clock;
  readonly random: () => number;
  /** Left out: nothing is contained. */
  readonly faults?: Containment;
  /** Takes a handshake to the origin, as that of any WebSocket. */
  readonly open: (request: ClientRequest, handshake: ClientHandshake, route: Route, trust: ClientTrust) => void;
  readonly ended: (end: SockJsEnd) => void;
  /** Where the iframe page loads the client library from. */
  readonly sockjsUrl: string;
  /** Whose scripts may use routes that do not say so themselves. */
  readonly acoOrigins: AllowedOrigins;
  /** Whether there are sessions over HTTP: their requests come over any connections, so that all have to come here. */
  readonly overHttp: boolean;
  /**
   * Most sessions over HTTP at a time, those included that have just ended. They outlive their requests, so the limit of
   * connections does not bound them. Further ones are answered 503.
   *
   * @limit `client_maxconn` SockJS sessions over HTTP, ended ones that are remembered included
   * @over 503
   */
  readonly clientMaxconn: number;
}

/** A request to be answered. */
interface Asked {
  readonly request: ClientRequest;
  readonly response: ClientResponse;
  readonly route: SockJsRoute;
  readonly trust: ClientTrust;
  readonly since: number;
}

/** The same with its body. */
interface Call extends Asked {
  readonly body: Buffer;
}

type Receiving = SockJsPlace & { readonly kind: 'receive' };
type Sending = SockJsPlace & { readonly kind: 'send' };

/** Whether SockJS serves a request. */
export function servesSockJs(route: Route | undefined, path: string): route is SockJsRoute {
  return isSockJsPath(route?.sockjs, path);
}

/** Serves all routes of a node. */
export class SockJs {
  readonly #deps: SockJsDeps;
  readonly #pages: Pages;
  readonly #sessions = new Map<string, HttpSession>();

  constructor(deps: SockJsDeps) {
    this.#deps = deps;
    this.#pages = new Pages(deps.sockjsUrl);
  }

  /** Sessions over HTTP that are known, those included that have just ended. */
  get sessions(): number {
    return this.#sessions.size;
  }

  /** Takes a request for which `servesSockJs` is true. */
  onRequest(request: ClientRequest, response: ClientResponse, route: SockJsRoute, trust: ClientTrust): void {
    const call = { request, response, route, trust, since: this.#deps.clock.monotonic() };
    readWhole(request.body, MAX_BODY, (body) => {
      if (body !== undefined) this.#answer({ ...call, body });
      else this.#respond({ ...call, body: Buffer.alloc(0) }).answer(400, PLAIN, 'Request too large.\n');
    });
  }

  /** Takes a WebSocket handshake for which `servesSockJs` is true. */
  onWebSocket(request: ClientRequest, handshake: ClientHandshake, route: SockJsRoute, trust: ClientTrust): void {
    const { clock, random, open } = this.#deps;
    const { kind } = readPlace(route.sockjs, request.path);
    const inner = { ...request, path: originPath(route, '/websocket', queryOf(request.path)) };
    const refuse = (status: number, text: string, error?: string) => {
      const { response } = handshake;
      answerPlain(response, status, text);
      this.#ended({ request, response, route, trust, since: clock.monotonic() }, status, error);
    };
    if (!mayAsk(request, this.#origins(route))) refuse(403, FOREIGN, 'ERR_REQUEST_CROSS_ORIGIN');
    else if (kind === 'raw-websocket') open(inner, handshake, route, trust);
    else if (kind === 'websocket') open(inner, new FramedHandshake(handshake, clock, random), route, trust);
    else refuse(404, 'Not Found');
  }

  #answer(call: Call): void {
    const { method, path, headers } = call.request;
    const place = readPlace(call.route.sockjs, path);
    const now = this.#deps.clock.wall();
    if (!this.#isFor(call, place)) this.#foreign(call);
    else if (method === 'OPTIONS') this.#pages.options(this.#respond(call), place, now);
    else if (place.kind === 'receive' && methodsOf(place.transport).includes(method)) this.#receive(call, place);
    else if (place.kind === 'send' && methodsOf(place.transport).includes(method)) this.#send(call, place);
    else if (place.kind === 'websocket' || place.kind === 'raw-websocket') this.#notUpgraded(call);
    else if (method !== 'GET' && method !== 'HEAD') this.#notFound(call);
    else if (place.kind === 'greeting') this.#pages.greeting(this.#respond(call));
    else if (place.kind === 'info') this.#pages.info(this.#respond(call));
    else if (place.kind === 'iframe') this.#pages.iframe(this.#respond(call), headers, now, this.#origins(call.route));
    else this.#notFound(call);
  }

  #receive(call: Call, { transport, session: id }: Receiving): void {
    const form = transportForm(transport, callbackOf(call.request.path));
    const key = keyOf(call.route, id);
    const session = this.#sessions.get(key);
    if (form === undefined) this.#respond(call).answer(500, PLAIN, `${callbackFault(call.request.path)}\n`);
    else if (session !== undefined) session.receive(new Receiver(this.#respond(call), form));
    else if (!this.#deps.overHttp) this.#respond(call).answer(503, PLAIN, 'Only WebSocket is served here\n');
    else if (this.#sessions.size >= this.#deps.clientMaxconn) {
      this.#respond(call).answer(503, PLAIN, 'Too many sessions\n');
    } else this.#open(call, form, key);
  }

  #open(call: Call, form: TransportForm, key: string): void {
    const { clock, random, faults, open } = this.#deps;
    const session = new HttpSession({ clock, random, faults, forget: () => this.#sessions.delete(key) });
    this.#sessions.set(key, session);
    const { request, route, trust } = call;
    const origins = this.#origins(route);
    const response = new SockJsResponse(call.response, request.headers, origins, () => session.notOpened());
    open(openingRequest(request, route), new HttpHandshake(response, form, session), route, trust);
  }

  #send(call: Call, { transport, session: id }: Sending): void {
    const session = this.#sessions.get(keyOf(call.route, id));
    const refusal: SendOutcome | undefined = session === undefined ? { kind: 'unknown' } : session.sendRefusal;
    if (session === undefined || refusal !== undefined) {
      this.#sent(call, transport, refusal ?? { kind: 'unknown' });
      return;
    }
    let messages: Buffer[];
    try {
      messages = readMessages(sentText(transport, call.request.path, call.body));
    } catch (error) {
      if (!(error instanceof PayloadFault)) throw error;
      this.#respond(call).answer(error.status, PLAIN, `${error.message}\n`);
      return;
    }
    session.take(messages, (outcome) => this.#sent(call, transport, outcome));
  }

  #sent(call: Call, transport: SendingTransport, outcome: SendOutcome): void {
    if (outcome.kind === 'taken') this.#taken(call, transport);
    else if (outcome.kind === 'closed') this.#answerSend(call, outcome.frame, '\n');
    else if (outcome.kind === 'busy') this.#respond(call).answer(400, PLAIN, 'Already sending\n');
    else if (outcome.kind === 'terminated') this.#respond(call).answer(410, PLAIN, 'Session terminated\n');
    else this.#notFound(call);
  }

  /** Forms are answered with a text: some browsers do odd things with a frame that gets none (protocol 0.3, "JsonPolling"). */
  #taken(call: Call, transport: SendingTransport): void {
    if (transport === 'jsonp_send') this.#answerSend(call, 'ok', '');
    else this.#respond(call).answer(204, PLAIN, '');
  }

  /** A script that sends by GET may want to be called back; where it is not, `end` follows the text. */
  #answerSend(call: Call, text: string, end: string): void {
    const callback = callbackOf(call.request.path);
    if (callback === undefined) this.#respond(call).answer(200, PLAIN, text + end);
    else {
      const form = jsonp(callback);
      this.#respond(call).answer(200, form.contentType, form.wrap(text));
    }
  }

  /** A plain request where WebSockets are. */
  #notUpgraded(call: Call): void {
    if (call.request.method === 'GET') this.#respond(call).answer(400, PLAIN, NO_UPGRADE);
    else onlyGet(this.#respond(call));
  }

  #notFound(call: Call): void {
    this.#respond(call).answer(404, PLAIN, 'Not Found\n');
  }

  #respond(call: Call): SockJsResponse {
    const onEnd: ResponseEnd = (status, end) =>
      this.#ended(call, status, end === 'gone' ? 'ERR_REQUEST_CLIENT_GONE' : undefined);
    return new SockJsResponse(call.response, call.request.headers, this.#origins(call.route), onEnd);
  }

  #origins(route: SockJsRoute): AllowedOrigins {
    return route.acoOrigins ?? this.#deps.acoOrigins;
  }

  /**
   * Whether the page that asks is of a site that may: the browser does not ask before it runs a script or shows a frame. The
   * iframe page says itself who may show it.
   */
  #isFor({ request, route }: Call, place: SockJsPlace): boolean {
    const origins = this.#origins(route);
    const isLoaded = 'transport' in place && LOADED.has(place.transport);
    return isLoaded ? mayLoad(request, origins) : mayAsk(request, origins);
  }

  #foreign(call: Call): void {
    const end: ResponseEnd = (status) => this.#ended(call, status, 'ERR_REQUEST_CROSS_ORIGIN');
    const response = new SockJsResponse(call.response, call.request.headers, this.#origins(call.route), end);
    response.answer(403, PLAIN, `${FOREIGN}\n`);
  }

  #ended({ request, response, route, trust, since }: Asked, status: number, error: string | undefined): void {
    const duration = this.#deps.clock.monotonic() - since;
    this.#deps.ended({ request, secure: trust.secure, route, status, error, bytes: response.bodyBytes, duration });
  }
}

/** The answer to a page of a site that is not in the list. */
const FOREIGN = 'This is not for pages of this site.';

/** Transports that a page loads as scripts or frames. */
const LOADED: ReadonlySet<string> = new Set(['jsonp', 'jsonp_send', 'htmlfile']);

/** Sessions of different services are different, even with the same id. */
function keyOf(route: SockJsRoute, session: string): string {
  return `${route.key}\n${route.sockjs}\n${session}`;
}

/** The path of the request to the origin: the route's `sockjs_as_path`, or that of the service with an addition. */
function originPath(route: SockJsRoute, added: string, query: string): string {
  const path = route.sockjsAsPath ?? basePath(route.sockjs) + added;
  return `${path.startsWith('/') ? '' : '/'}${path}${query === '' ? '' : `?${query}`}`;
}

/** Fields that belong to the request's own body and callback, or to a WebSocket handshake, which it is not. */
const NOT_OPENING = /^(content-.*|transfer-encoding|sec-websocket-.*)$/i;

/** The handshake that a request over HTTP stands for. */
function openingRequest(request: ClientRequest, route: SockJsRoute): ClientRequest {
  const headers = withoutFields(request.headers, NOT_OPENING);
  const query = queryOf(request.path)
    .split('&')
    .filter((part) => !/^(c|callback)=/.test(part));
  return { ...request, method: 'GET', path: originPath(route, '', query.join('&')), headers, body: undefined };
}

function withoutFields(headers: RawHeaders, unwanted: RegExp): string[] {
  const kept: string[] = [];
  for (let i = 0; i < headers.length; i += 2) {
    if (!unwanted.test(headers[i] as string)) kept.push(headers[i] as string, headers[i + 1] as string);
  }
  return kept;
}
