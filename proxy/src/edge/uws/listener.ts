/**
 * Owns: one listener of the uws edge: its routes, its connections, and the way from a request to `EdgeHandler`. Does not own:
 * binding (`uws-edge`), or which requests are acceptable (`uws-check`, `request-check`, `handshake-check`).
 */
import { headerValue, headerValues, type RawHeaders } from '@holdfast/grip';
import { asksForWebSocket, checkHandshake } from '../handshake-check.js';
import type { ClientRequest, EdgeHandler } from '../port.js';
import { answerText } from '../refusal.js';
import { checkRequest, isRefusal, type Refusal, type Target } from '../request-check.js';
import type { UwsBacklog } from './backlog.js';
import { UwsBody } from './body.js';
import { checkUwsRequest } from './check.js';
import { UwsHandshake } from './handshake.js';
import type { UwsAnswer, UwsApp, UwsLibrary, UwsRequest } from './library.js';
import type { UwsEdgeOptions, UwsEdgeParts } from './options.js';
import { copyHead, type UwsHead } from './request.js';
import { type AnswerShape, type AnswerSurroundings, UwsResponse } from './response.js';
import type { UwsSocketData, UwsSocketParts } from './socket.js';

const CLOSE = /(?:^|,)[ \t]*close[ \t]*(?:,|$)/i;
const UPGRADE = /(?:^|,)[ \t]*upgrade[ \t]*(?:,|$)/i;

/** A header that the library takes for a wish to close, whatever it says. */
const CLOSE_LENGTH = 5;

/** What a listener shares with the others of its edge. */
export type ListenerParts = UwsEdgeParts &
  Pick<AnswerSurroundings, 'flushes' | 'pulse' | 'faults'> & { readonly backlog: UwsBacklog };

type Refused = Refusal & { readonly headers?: RawHeaders };

/** Serves the connections of one app. */
export class UwsListener implements AnswerSurroundings {
  readonly clock;
  readonly flushes;
  readonly pulse;
  readonly faults;
  readonly app: UwsApp;
  isStopping = false;
  /** Connections open now, WebSockets included. */
  connections = 0;
  readonly secure: boolean;
  readonly #library: UwsLibrary;
  readonly #handler: EdgeHandler;
  readonly #options: UwsEdgeOptions;
  readonly #parts: ListenerParts;
  readonly #sockets: UwsSocketParts;
  /** Answers under way, and WebSockets. */
  #busy = 0;

  constructor(
    app: UwsApp,
    secure: boolean,
    library: UwsLibrary,
    handler: EdgeHandler,
    options: UwsEdgeOptions,
    parts: ListenerParts,
  ) {
    this.app = app;
    this.clock = parts.clock;
    this.flushes = parts.flushes;
    this.pulse = parts.pulse;
    this.faults = parts.faults;
    this.secure = secure;
    this.#library = library;
    this.#handler = handler;
    this.#options = options;
    this.#parts = parts;
    this.#sockets = {
      clock: this.clock,
      flushes: this.flushes,
      compression: options.allowCompression,
      faults: this.faults,
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
      // What waits is counted by whoever sends.
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

  /** Lets no answer be followed by another, and closes all connections when nothing is under way any more. */
  stop(): void {
    this.isStopping = true;
    this.#closeIfIdle();
  }

  /** An idle connection cannot be closed by itself: the library has no list of them. All at once can. */
  #closeIfIdle(): void {
    if (!this.isStopping || this.#busy > 0) return;
    setImmediate(() => {
      if (this.#busy === 0) this.app.close();
    });
  }

  #changed(answer: UwsAnswer, change: number): void {
    this.connections += change;
    if (change < 0) return;
    const { events, descriptors } = this.#parts;
    if (this.connections > this.#options.clientMaxconn) events.connectionRefused();
    else if (descriptors.admits('client')) return;
    else events.descriptorsShort();
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
    const head = copyHead(request, answer);
    const { headers } = head;
    const connection = headerValues(headers, 'connection');
    const asks = connection.some((value) => UPGRADE.test(value)) && asksForWebSocket(headers);
    const target = this.#check(head, asks);
    const response = new UwsResponse(answer, shapeOf(head, connection, asks, 'status' in target), this);
    this.#busy++;
    try {
      this.#hand(head, target, response, asks ? context : undefined, answer);
    } catch (error) {
      response.faulted(error);
    }
  }

  /** Refuses the request, or gives it to the handler: as a handshake where there is a `context` for it. */
  #hand(head: UwsHead, target: Target | Refused, response: UwsResponse, context: unknown, answer: UwsAnswer): void {
    const { headers } = head;
    if ('status' in target) {
      this.#parts.events.requestRefused(target.text.trimEnd(), target.status, head.clientAddress);
      // At the end of the turn: if more follows in the same segment, the library cuts the connection, for this one is not
      // answered; answered at once, what follows would be served. What follows later comes too late: the connection is cut
      // with the answer.
      answerText(response, target.status, target.text, target.headers);
      return;
    }
    if (context !== undefined) {
      const offer = { headers, key: headerValue(headers, 'sec-websocket-key') ?? '', context };
      this.#handler.onWebSocket(this.#read(head, target, undefined), new UwsHandshake(response, offer, this.#sockets));
    } else {
      const body = this.#bodyOf(answer, headers, response);
      response.body = body;
      this.#handler.onRequest(this.#read(head, target, body), response);
    }
  }

  #check(head: UwsHead, asks: boolean): Target | Refused {
    const refusal = checkUwsRequest(head, this.#options.clientBufferSize);
    if (refusal !== undefined) return refusal;
    const { method, target, headers } = head;
    const outcome = checkRequest({ method, target, version: '1.1', headers });
    if (isRefusal(outcome) || !asks) return outcome;
    return checkHandshake({ method, version: '1.1', headers }) ?? outcome;
  }

  #bodyOf(answer: UwsAnswer, headers: RawHeaders, response: UwsResponse): UwsBody | undefined {
    const length = headerValue(headers, 'content-length');
    if (length === undefined || Number(length) === 0) return undefined;
    return new UwsBody(answer, Number(length), this.pulse, response, this.#parts.backlog);
  }

  #read(head: UwsHead, { path, host }: Target, body: UwsBody | undefined): ClientRequest {
    return {
      id: this.#parts.nextId(),
      method: head.method,
      path,
      host,
      version: '1.1',
      headers: head.headers,
      secure: this.secure,
      clientAddress: head.clientAddress,
      body,
    };
  }
}

function shapeOf({ method }: UwsHead, connection: readonly string[], asks: boolean, isRefusal: boolean): AnswerShape {
  // The library looks at the first field of the name only.
  const closesByItself = connection[0]?.length === CLOSE_LENGTH;
  const closes = asks || isRefusal || closesByItself || connection.some((value) => CLOSE.test(value));
  return { isHead: method === 'HEAD', closes, closesByItself, isRefusal };
}
