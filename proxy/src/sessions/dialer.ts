/** How a session's origin is spoken to: which kind of socket a target gets, and the header fields of its requests. */

import type { Containment } from '@holdfast/control-api';
import { headerValue, type RawHeaders } from '@holdfast/grip';
import type { Options } from '../config/table.js';
import { blockedError, noDescriptorError, type OriginError } from '../errors.js';
import { pathBehind } from '../http/request-path.js';
import { connectOptions, isBlocked } from '../origin/connect-options.js';
import { isGripField } from '../origin/headers.js';
import { INTERIM_MAX } from '../origin/http-call.js';
import type { OriginCall, OriginHandler } from '../origin/port.js';
import { type HttpTarget, type Target, withoutRoot } from '../routes/target.js';
import type { Clock } from '../runtime/clock.js';
import { dispatchTraced } from '../tracing/origin-traces.js';
import type { SocketSettings } from '../websocket/ws-library.js';
import { SubscribeSocket } from './in-process/subscribe-socket.js';
import { TestSocket } from './in-process/test-socket.js';
import type { OriginHandshakeOwner, OriginSocket } from './origin-socket.js';
import { HttpOrigin, type HttpOriginDeps } from './over-http/origin.js';
import { RecordedWsOrigin } from './recorded-ws-origin.js';
import { type Dial, type DialDeps, MAX_REFUSAL } from './session-deps.js';
import { WsOrigin } from './ws-origin.js';

/**
 * What a GRIP origin may add to a message of the greatest length, in bytes: the prefix that is taken off again. So a
 * message of an origin that does not speak GRIP may be longer by as much.
 */
const PREFIX_MARGIN = 1_024;

/** How long a handshake with an origin may take: to connect, and then to answer, without `originTimeout` for ever. */
export type DialTimeouts = Pick<Options, 'originConnectTimeout'> & Partial<Pick<Options, 'originTimeout'>>;

/** Makes origin sockets. */
export class SessionDialer {
  readonly #deps: DialDeps;
  readonly #settings: SocketSettings;
  readonly #timeouts: DialTimeouts;
  readonly #http: HttpDialDeps;
  readonly #admits: () => boolean;

  /** `admits` says whether another connection may be opened. */
  constructor(deps: DialDeps, settings: SocketSettings, timeouts: DialTimeouts, admits: () => boolean = () => true) {
    this.#admits = admits;
    this.#deps = deps;
    this.#settings = settings;
    this.#timeouts = timeouts;
    const { websocketMessageMax } = settings;
    this.#http = { ...deps, maxMessage: websocketMessageMax, maxGripMessage: websocketMessageMax + PREFIX_MARGIN };
  }

  /** Starts the handshake with one target. */
  readonly dial = (dial: Dial, target: Target, owner: OriginHandshakeOwner): OriginSocket => {
    if (target.kind === 'test') {
      return new TestSocket(pathBehind(dial.route.pathBeg, dial.request.path), target, owner, this.#deps.faults);
    }
    if (target.kind === 'subscribe') {
      const place = this.#deps.placeOf(target, dial.route);
      return new SubscribeSocket(dial, place, this.#deps.clock, owner, this.#deps.faults);
    }
    return target.overHttp ? this.#overHttp(dial, target, owner) : this.#websocket(dial, target, owner);
  };

  #overHttp(dial: Dial, target: HttpTarget, owner: OriginHandshakeOwner): OriginSocket {
    const origin = new HttpOrigin(new HttpDial(dial, target, this.#http), owner);
    origin.start();
    return origin;
  }

  #websocket(dial: Dial, target: HttpTarget, owner: OriginHandshakeOwner): OriginSocket {
    const { request: asked, route } = dial;
    const about = { method: asked.method, path: asked.path, route, target, marks: asked, isLater: false };
    const span = this.#deps.originTraces?.begin(about);
    const forwardable = { ...asked, trace: span ?? asked.trace, websocket: true };
    const { host, path, headers } = this.#deps.forwarder.forward(forwardable, dial.route, dial.trust, target);
    const request = {
      secure: target.ssl,
      host: target.host,
      port: target.port,
      path,
      headers,
      extension: dial.extension,
      connect: { ...(target.ssl ? { servername: serverName(host) } : {}), ...connectOptions(target) },
      ...this.#timeouts,
      maxBody: MAX_REFUSAL,
      maxInterim: INTERIM_MAX,
    };
    const rest = [request, this.#socketSettings(dial), owner, this.#refusalOf(target), this.#deps.faults] as const;
    return span === undefined ? new WsOrigin(...rest) : new RecordedWsOrigin(span, ...rest);
  }

  #refusalOf(target: HttpTarget): OriginError | undefined {
    if (isBlocked(target)) return blockedError();
    return this.#admits() ? undefined : noDescriptorError();
  }

  #socketSettings({ extension }: Dial): SocketSettings {
    const { websocketMessageMax } = this.#settings;
    return extension === ''
      ? this.#settings
      : { ...this.#settings, websocketMessageMax: websocketMessageMax + PREFIX_MARGIN };
  }
}

/** The name for TLS in a Host value: without the port and the dot of the root; empty for an address. */
function serverName(host: string): string {
  const name = withoutRoot(host.replace(/:\d+$/, ''));
  return /^[\d.]+$|^\[/.test(name) ? '' : name;
}

/** What the requests of all sessions have in common. */
interface HttpDialDeps extends DialDeps {
  /** Longest message in bytes of a session whose origin speaks GRIP, and of any other. */
  readonly maxGripMessage: number;
  readonly maxMessage: number;
}

/** One session and the target that it goes to. */
class HttpDial implements HttpOriginDeps {
  readonly #dial: Dial;
  readonly #target: HttpTarget;
  readonly #deps: HttpDialDeps;
  /** A request has been sent. */
  #isLater = false;

  constructor(dial: Dial, target: HttpTarget, deps: HttpDialDeps) {
    this.#dial = dial;
    this.#target = target;
    this.#deps = deps;
  }

  get clock(): Clock {
    return this.#deps.clock;
  }

  get faults(): Containment | undefined {
    return this.#deps.faults;
  }

  get random(): () => number {
    return this.#deps.random;
  }

  get connectionId(): string {
    return this.#dial.connectionId;
  }

  get offersGrip(): boolean {
    return this.#dial.extension !== '';
  }

  get oneEvent(): boolean {
    return this.#target.oneEvent;
  }

  get maxMessage(): number {
    return this.offersGrip ? this.#deps.maxGripMessage : this.#deps.maxMessage;
  }

  dispatch(extra: RawHeaders, body: Buffer | null, handler: OriginHandler): OriginCall {
    const { request, route, trust } = this.#dial;
    const { forwarder, originOf, originTraces } = this.#deps;
    const { path, host: asked, clientAddress, clientCertificate, hops, requestId } = request;
    const isLater = this.#isLater;
    this.#isLater = true;
    const call = { method: 'POST', path, route, target: this.#target, marks: request, isLater };
    const span = originTraces?.begin(call);
    const trace = span ?? request.trace;
    const asClient = withoutEventsFields(request.headers);
    const about = { clientAddress, clientCertificate, hops, requestId, trace, websocket: true };
    const own = { path, host: asked, headers: asClient, ...about };
    const { host, path: asPath, headers } = forwarder.forward(own, route, trust, this.#target);
    headers.push(...extra);
    if (headerValue(headers, 'accept-encoding') === undefined) headers.push('Accept-Encoding', 'identity');
    const origin = originOf(this.#target, route, host);
    const sent = { method: 'POST', path: asPath, headers, body };
    return span === undefined ? origin.dispatch(sent, handler) : dispatchTraced(span, origin, sent, handler);
  }
}

/**
 * A client's handshake fields that mean something else in WebSocket-over-HTTP: they are the proxy's to set, so that no
 * client can pass for another session or set its own meta.
 */
const EVENTS_FIELDS = new Set([
  'accept',
  'accept-encoding',
  'content-length',
  'content-type',
  'sec-websocket-extensions',
]);

function withoutEventsFields(headers: RawHeaders): string[] {
  const kept: string[] = [];
  for (let i = 0; i < headers.length; i += 2) {
    const lower = (headers[i] as string).toLowerCase();
    if (!EVENTS_FIELDS.has(lower) && !isGripField(lower)) kept.push(headers[i] as string, headers[i + 1] as string);
  }
  return kept;
}
