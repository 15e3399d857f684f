/**
 * One listener of the uws edge: its routes, its connections, and the path from a request or handshake to the `EdgeHandler`.
 */
import { headerValue, headerValues, type RawHeaders } from '@holdfast/grip';
import type { Options } from '../../config/table.js';
import { extensionsNamed, type MessageSocket } from '../../websocket/message-socket.js';
import { acceptedHeaders } from '../client-headers.js';
import { answerText } from '../edge-answers.js';
import type { ClientHandshake, ClientRequest, EdgeDeps, EdgeHandler, Listener } from '../port.js';
import {
  asksForWebSocket,
  checkHandshake,
  checkRequest,
  isRefusal,
  malformed,
  type Refusal,
  type Target,
} from '../request-check.js';
import type { TlsCertificates } from '../tls-certificates.js';
import { type UwsBacklog, UwsBody } from './body.js';
import { type AnswerShape, addressOf, checkUwsRequest, copyHead, headText, type UwsHead, writeLines } from './heads.js';
import type { UwsAnswer, UwsApp, UwsLibrary, UwsRequest } from './library.js';
import { CORK_MAX } from './output.js';
import { UwsResponse } from './response.js';
import type { UwsResponseDeps } from './response-deps.js';
import { UwsSocket, type UwsSocketData, type UwsSocketDeps } from './socket.js';
import type { HandshakeCork } from './whole-handshakes.js';

const CLOSE = /(?:^|,)[ \t]*close[ \t]*(?:,|$)/i;
const UPGRADE = /(?:^|,)[ \t]*upgrade[ \t]*(?:,|$)/i;

/** A first Connection field that the library takes for a wish to close, whatever it says. */
const CLOSE_LENGTH = 5;

/**
 * Bytes that the library adds to the answer to a handshake, at most: its Date, Upgrade, Connection, Sec-WebSocket-Accept and
 * Sec-WebSocket-Extensions.
 */
const ADDED_MAX = 1_000;

/**
 * How the uws edge treats its clients: longer heads are answered 431, connections beyond the limit are closed as soon as they
 * are accepted. Its time limits are the library's and cannot be changed; the library's own limit of a head is set when it is
 * loaded.
 */
export interface UwsEdgeOptions
  extends Pick<
    Options,
    'clientBufferSize' | 'clientMaxconn' | 'websocketMessageMax' | 'allowCompression' | 'writeTimeout'
  > {
  readonly certificates: TlsCertificates;
  /** Whether other processes listen on the same ports, and the kernel shares connections out (SO_REUSEPORT). */
  readonly sharesPorts: boolean;
}

/** The collaborators of the edge. */
export interface UwsEdgeDeps extends EdgeDeps {
  /** Left out: the kernel is not asked to probe silent connections. `failed` is called where it cannot be. */
  readonly probes?: { readonly failed: (why: string) => void };
}

/** The collaborators that the listeners of an edge share. */
export type ListenerDeps = UwsEdgeDeps &
  Pick<UwsResponseDeps, 'flushes' | 'ticker' | 'writes' | 'faults'> & {
    readonly backlog: UwsBacklog;
    /** Undefined where the answer to a handshake cannot leave in one write. */
    readonly handshakeCork: HandshakeCork | undefined;
  };

/** Serves the connections of one app. */
export class UwsListener implements UwsResponseDeps {
  readonly clock;
  readonly flushes;
  readonly ticker;
  readonly writes;
  readonly faults;
  readonly app: UwsApp;
  isStopping = false;
  closesAfterAnswers = false;
  /** Connections open now, WebSockets included. */
  connections = 0;
  readonly secure: boolean;
  readonly isLocal: boolean;
  readonly #library: UwsLibrary;
  readonly #handler: EdgeHandler;
  readonly #options: UwsEdgeOptions;
  readonly #deps: ListenerDeps;
  readonly #handshakes: HandshakeDeps;
  /** Answers under way, and WebSockets. */
  #busy = 0;

  constructor(
    app: UwsApp,
    { tls, path }: Listener,
    library: UwsLibrary,
    handler: EdgeHandler,
    options: UwsEdgeOptions,
    deps: ListenerDeps,
  ) {
    this.app = app;
    this.clock = deps.clock;
    this.flushes = deps.flushes;
    this.ticker = deps.ticker;
    this.writes = deps.writes;
    this.faults = deps.faults;
    this.secure = tls === true;
    this.isLocal = path !== undefined;
    this.#library = library;
    this.#handler = handler;
    this.#options = options;
    this.#deps = deps;
    this.#handshakes = {
      clock: this.clock,
      flushes: this.flushes,
      compression: options.allowCompression,
      faults: this.faults,
      cork: deps.handshakeCork,
    };
    app.filter((answer, change) => this.faults.run('client', () => this.#changed(answer, change)));
    this.route();
  }

  /** Adds the routes; once for the app and once more for each server name. */
  route(): void {
    const { websocketMessageMax, allowCompression } = this.#options;
    const { DISABLED, SHARED_COMPRESSOR, SHARED_DECOMPRESSOR } = this.#library;
    this.app.ws<UwsSocketData>('/*', {
      compression: allowCompression ? SHARED_COMPRESSOR | SHARED_DECOMPRESSOR : DISABLED,
      maxPayloadLength: websocketMessageMax,
      // The sender accounts for buffered bytes.
      maxBackpressure: 0,
      idleTimeout: 0,
      sendPingsAutomatically: false,
      upgrade: (answer, request, context) => this.#take(answer, request, context),
      open: (socket) => {
        this.#busy++;
        socket.getUserData().socket.opened(socket);
      },
      message: (socket, data, isBinary) => socket.getUserData().socket.received(isBinary ? 'binary' : 'text', data),
      ping: (socket, data) => socket.getUserData().socket.received('ping', data),
      pong: (socket, data) => socket.getUserData().socket.received('pong', data),
      drain: (socket) => socket.getUserData().socket.drained(),
      close: (socket, code, reason) => {
        this.connections--;
        this.#deps.events.connectionClosed?.();
        this.faults.run('client', () => socket.getUserData().socket.closed(code, reason));
        this.answered();
      },
    });
    this.app.any('/*', (answer, request) => this.#take(answer, request, undefined));
  }

  answered(): void {
    this.#busy--;
    this.#closeIfIdle();
  }

  /** Makes each answer the last of its connection, and closes all connections once no answer is under way. */
  stop(): void {
    this.isStopping = true;
    this.closesAfterAnswers = true;
    this.#closeIfIdle();
  }

  /** The library has no list of connections: idle ones can be closed only all at once. */
  #closeIfIdle(): void {
    if (!this.isStopping || this.#busy > 0) return;
    setImmediate(() => {
      if (this.#busy === 0) this.app.close();
    });
  }

  #changed(answer: UwsAnswer, change: number): void {
    this.connections += change;
    const { events, descriptors, gate } = this.#deps;
    if (change < 0) {
      events.connectionClosed?.();
      return;
    }
    events.connectionOpened?.();
    if (this.connections > this.#options.clientMaxconn) events.connectionRefused();
    else if (!descriptors.admits('client')) events.descriptorsShort();
    else if (gate === undefined || gate.mayConnect(addressOf(answer.getRemoteAddress(), this.isLocal))) return;
    answer.close();
  }

  #take(answer: UwsAnswer, request: UwsRequest, context: unknown): void {
    try {
      this.#serve(answer, request, context);
    } catch (error) {
      // Before there is an answer that could be ended.
      this.faults.caught('client', error);
      answer.close();
    }
  }

  /** Everything is copied here, before anything is awaited. `context` is there where the library takes it for a handshake. */
  #serve(answer: UwsAnswer, request: UwsRequest, context: unknown): void {
    const head = copyHead(request, answer, this.isLocal);
    const { headers } = head;
    const connection = headerValues(headers, 'connection');
    const asks = connection.some((value) => UPGRADE.test(value)) && asksForWebSocket(headers);
    const target = this.#check(head, asks ? connection[0] : undefined);
    const response = new UwsResponse(answer, shapeOf(head, connection, asks, isRefusal(target)), this);
    this.#busy++;
    try {
      this.#hand(head, target, response, asks ? context : undefined, answer);
    } catch (error) {
      response.faulted(error);
    }
  }

  /** Refuses the request, or gives it to the handler: as a handshake where there is a `context` for it. */
  #hand(head: UwsHead, target: Target | Refusal, response: UwsResponse, context: unknown, answer: UwsAnswer): void {
    const { headers } = head;
    if (isRefusal(target)) {
      this.#deps.events.requestRefused(target.text.trimEnd(), target.status, head.clientAddress);
      // The answer goes out at the end of the turn. If more follows in the same segment, the library cuts the connection, since
      // this request is not answered yet; answered at once, the next one would be served. The connection is cut with the
      // answer, so that nothing is read later.
      answerText(response, target.status, target.text, target.headers);
      return;
    }
    if (context !== undefined) {
      const offer = { headers, key: headerValue(headers, 'sec-websocket-key') ?? '', context };
      this.#handler.onWebSocket(
        this.#read(head, target, undefined, answer),
        new UwsHandshake(response, offer, this.#handshakes),
      );
    } else {
      const body = this.#bodyOf(answer, headers, response);
      response.body = body;
      this.#handler.onRequest(this.#read(head, target, body, answer), response);
    }
  }

  /** `asked` is the first Connection field of a handshake. */
  #check(head: UwsHead, asked: string | undefined): Target | Refusal {
    const refusal = checkUwsRequest(head, this.#options.clientBufferSize);
    if (refusal !== undefined) return refusal;
    const { method, target, headers } = head;
    const checked = { method, target, version: '1.1', headers };
    const outcome = checkRequest(checked);
    if (isRefusal(outcome) || asked === undefined) return outcome;
    // Written outside of a cork, its answer would close the connection, and then be upgraded: in memory that is freed soon.
    if (asked.length === CLOSE_LENGTH) return malformed('a handshake with a Connection field that asks for a close');
    return checkHandshake(checked) ?? outcome;
  }

  #bodyOf(answer: UwsAnswer, headers: RawHeaders, response: UwsResponse): UwsBody | undefined {
    const length = headerValue(headers, 'content-length');
    if (length === undefined || Number(length) === 0) return undefined;
    return new UwsBody(answer, Number(length), this.ticker, response, this.#deps.backlog);
  }

  #read(head: UwsHead, { path, host }: Target, body: UwsBody | undefined, answer: UwsAnswer): ClientRequest {
    const asks = this.secure && this.#options.certificates.policy.asksClients;
    return {
      id: this.#deps.nextId(),
      method: head.method,
      path,
      host,
      version: '1.1',
      headers: head.headers,
      secure: this.secure,
      clientAddress: head.clientAddress,
      clientCertificate: asks ? certificateOf(answer) : undefined,
      body,
    };
  }
}

/** The bytes of the certificate in base64: what stands between the lines of PEM. The library has verified it. */
function certificateOf(answer: UwsAnswer): string | undefined {
  const pem = answer.getX509Certificate?.() ?? '';
  return /^-----BEGIN CERTIFICATE-----([A-Za-z0-9+/=\s]+)-----END CERTIFICATE-----\s*$/
    .exec(pem)?.[1]
    ?.replace(/\s/g, '');
}

function shapeOf({ method }: UwsHead, connection: readonly string[], asks: boolean, isRefusal: boolean): AnswerShape {
  // The library looks at the first field of the name only.
  const closesByItself = connection[0]?.length === CLOSE_LENGTH;
  const closes = asks || isRefusal || closesByItself || connection.some((value) => CLOSE.test(value));
  return { isHead: method === 'HEAD', closes, closesByItself, isRefusal };
}

/** What the library needs for the 101: available within the request's handler only. */
interface UwsOffer {
  readonly headers: RawHeaders;
  readonly key: string;
  readonly context: unknown;
}

/** The collaborators of a handshake, and of the socket that it becomes. */
interface HandshakeDeps extends UwsSocketDeps {
  readonly cork: HandshakeCork | undefined;
}

/** A handshake that waits for its origin. */
class UwsHandshake implements ClientHandshake {
  readonly response: UwsResponse;
  readonly #offer: UwsOffer;
  readonly #deps: HandshakeDeps;

  constructor(response: UwsResponse, offer: UwsOffer, deps: HandshakeDeps) {
    this.response = response;
    this.#offer = offer;
    this.#deps = deps;
  }

  accept(headers: RawHeaders, extensions?: string): MessageSocket | undefined {
    if (this.response.over) return undefined;
    const kept = acceptedHeaders(headers);
    if (extensions !== undefined) kept.push('Sec-WebSocket-Extensions', extensions);
    const text = headText({ status: 101, reason: 'Switching Protocols', headers: kept }, 'switch');
    const deflate = this.#deps.compression
      ? extensionsNamed(headerValues(this.#offer.headers, 'sec-websocket-extensions'), 'permessage-deflate').join(', ')
      : '';
    const answer = this.response.release();
    if (answer === undefined) return undefined;
    const socket = new UwsSocket(this.#deps, deflate !== '');
    const data: UwsSocketData = { socket };
    // The subprotocol is among the origin's fields.
    const upgrade = () => answer.upgrade(data, this.#offer.key, '', deflate, this.#offer.context);
    const { cork } = this.#deps;
    if (cork !== undefined && text.length + ADDED_MAX <= CORK_MAX) {
      cork(answer, () => {
        writeLines(answer, text, false);
        upgrade();
      });
    } else {
      answer.cork(() => writeLines(answer, text, false));
      upgrade();
    }
    return socket;
  }
}
