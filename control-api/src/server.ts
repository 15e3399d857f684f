/**
 * The HTTP listener of the control API: connections, limits, the order of refusals, and one log line per request. What is behind
 * the paths is in routes.ts.
 *
 * Differences from Pushpin's control server, all of them additions or statuses: connections are kept alive, chunked
 * bodies are read, a POST to /recover/ needs no Content-Length, JSON receipts and JSON errors for clients that ask
 * for JSON, 413 and 431 in place of 400 for what is too large, compressed bodies, 503 when the backplane does not accept; the views.
 */
import { createServer, type IncomingMessage, type Server, type ServerOptions, type ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { Admission, ControlAccess } from './auth/access.js';
import {
  type Answer,
  answerTo,
  answerToParserError,
  bodyTooLarge,
  expectationFailed,
  forbidden,
  methodNotAllowed,
  notAcceptable,
  notFound,
  send,
  tooSlow,
} from './http/answer.js';
import { readBody } from './http/body.js';
import { certificateNames } from './http/client-certificate.js';
import { Handshakes } from './http/handshakes.js';
import { LINGER_MS, refuseRaw, refuseUnread } from './http/lingering-close.js';
import { type ListenAddress, listen } from './http/listen.js';
import { ListenerConnections, type Phase } from './http/listener-connections.js';
import { type Format, negotiate } from './http/negotiate.js';
import { type OriginList, PageGuard } from './http/page-guard.js';
import { type Principal, Router } from './http/router.js';
import type { PublishEvents } from './publisher.js';
import { describeRequest, type ReportedRequest, RequestReport } from './request-report.js';
import { type ControlRoute, type ControlRoutesOptions, controlRoutes } from './routes.js';
import { PacedLog } from './runtime/bounded-logs.js';
import type { Clock } from './runtime/clock.js';
import { type Containment, uncontained } from './runtime/faults.js';
import type { Log } from './runtime/log.js';
import { Turns } from './runtime/turns.js';

/**
 * Connections at a time. One more takes the place of the one that is of least use; see `ListenerConnections`.
 *
 * @limit {} connections to the control API, or `publishers` if that is less; half of it on each of two ports
 * @over another connection is closed: refused ones first, then unused ones, then the one that has been idle, sending
 *   or not reading for longest. If all have requests under way, the new one is closed
 */
export const MAX_CONNECTIONS = 1024;

/**
 * Bytes of bodies that are arriving and of answers that are not read, over all connections; at least four of the longest bodies.
 * Over: the answers, then the bodies, that have lasted longest are given up.
 *
 * @limit {MiB} of bodies that are arriving and answers that are not read, or four of the longest bodies
 * @over the answers, then the longest-lasting bodies are abandoned, 503
 */
export const MAX_HELD_BYTES = 64 * 1024 * 1024;

/**
 * Milliseconds a connection may be idle; longer than usual client pools keep theirs, so that they close first.
 *
 * @limit {s} idle
 * @over connection closed
 */
export const KEEP_ALIVE_MS = 75_000;

/**
 * Milliseconds a request may take to arrive unless configured; the head a third of it, and a TLS handshake before it too. Over: 408.
 *
 * @limit {s} for a request, a third of it for its head, and as long for a TLS handshake
 * @over 408
 */
export const REQUEST_TIMEOUT_MS = 30_000;

/**
 * Milliseconds `close` waits for requests under way. Then their connections are cut.
 *
 * @limit {s} for control requests when the node stops
 * @over connection cut
 */
export const CLOSE_GRACE_MS = 5_000;

/** What a {@link ControlServer} is made of. */
export interface ControlServerOptions extends ControlRoutesOptions {
  /** Address or host name to listen on. */
  readonly host: string;
  /** 0 lets the system choose. */
  readonly port: number;
  /** Request line and header fields, in bytes. Over: 431. */
  readonly pushInHttpMaxHeadersSize: number;
  /** Makes the server under it, with certificates, where it is one with TLS; a handshake counts as a part of a head. */
  readonly tls?: (options: ServerOptions & { readonly handshakeTimeout: number }) => Server;
  /** Connections at a time, where that are to be fewer than {@link MAX_CONNECTIONS}. */
  readonly maxConnections?: number;
  /** Milliseconds for a request to arrive completely; {@link REQUEST_TIMEOUT_MS} if not given. */
  readonly requestTimeoutMs?: number;
  /** Further names under which it is reached; see `PageGuard`. */
  readonly controlHosts?: readonly string[];
  /** Pages that may use it; left out, only its own. */
  readonly allowedOrigins?: OriginList;
  /** The keys that callers need; left out, everybody who reaches the port may do everything. */
  readonly access?: ControlAccess | undefined;
  readonly events: PublishEvents;
  readonly log: Log;
  /** Paces the log. */
  readonly clock: Clock;
  /** Left out: nothing is contained. */
  readonly faults?: Containment;
}

/** The row of a request with the names in its path, or the answer where there is none. */
type Target = { readonly row: ControlRoute; readonly params: Readonly<Record<string, string>> } | Answer;

/** A request, and how it is to be answered. */
interface Exchange extends ReportedRequest {
  readonly response: ServerResponse;
  readonly format: Format;
  principal: Principal | undefined;
}

/** What the client waits for before it sends its body. */
type Expects = 'nothing' | 'continue' | 'unknown';

/**
 * Serves the routes of the control API. Requests of one connection are published in the order of their arrival,
 * pipelined ones too. Nothing of a request is published unless all of it is valid, and success is answered only
 * after the backplane accepted.
 */
export class ControlServer {
  readonly #options: ControlServerOptions;
  readonly #log: Log;
  readonly #server: Server;
  readonly #lingerMs: number;
  readonly #router: Router<ControlRoute>;
  readonly #connections: ListenerConnections;
  /** The latest request of each connection that has sent one. */
  readonly #exchanges = new WeakMap<Socket, Exchange>();
  /** Undefined without TLS. */
  readonly #handshakes: Handshakes | undefined;
  readonly #callers = new Turns<Socket>();
  readonly #report: RequestReport;
  #guard: PageGuard;
  #closed: Promise<void> | undefined;

  constructor(options: ControlServerOptions) {
    const requestTimeout = options.requestTimeoutMs ?? REQUEST_TIMEOUT_MS;
    this.#options = options;
    this.#log = new PacedLog(options.log, options.clock);
    this.#report = new RequestReport(options.events, this.#log);
    this.#router = new Router(controlRoutes(options));
    this.#lingerMs = Math.min(LINGER_MS, requestTimeout);
    this.#guard = new PageGuard(options.host, options.controlHosts ?? [], options.host, options.allowedOrigins);
    this.#connections = new ListenerConnections({
      max: Math.min(MAX_CONNECTIONS, options.maxConnections ?? MAX_CONNECTIONS),
      maxBytes: Math.max(MAX_HELD_BYTES, 4 * options.pushInHttpMaxBodySize),
      end: (socket, phase) => this.#giveUp(socket, phase),
    });
    const headersTimeout = Math.ceil(requestTimeout / 3);
    const settings = {
      maxHeaderSize: options.pushInHttpMaxHeadersSize,
      keepAliveTimeout: KEEP_ALIVE_MS,
      requestTimeout,
      headersTimeout,
      connectionsCheckingInterval: Math.ceil(requestTimeout / 6),
      // Pushpin asks for no Host, and hand-written publishers send none; pages always do.
      requireHostHeader: false,
    };
    this.#server = options.tls?.({ ...settings, handshakeTimeout: headersTimeout }) ?? createServer(settings);
    // None may be left out unseen: the guard looks at them. Their bytes are limited.
    this.#server.maxHeadersCount = 0;
    this.#server.on('connection', (socket: Socket) => this.#opened(socket));
    this.#handshakes = options.tls && this.#watchHandshakes();
    const { faults = uncontained } = options;
    this.#server.on('request', (request, response) => this.#contain(request, response, 'nothing'));
    this.#server.on('checkContinue', (request, response) => this.#contain(request, response, 'continue'));
    this.#server.on('checkExpectation', (request, response) => this.#contain(request, response, 'unknown'));
    /** A fault in refusing costs the connection. */
    const refuse = (socket: Socket, act: () => void) =>
      faults.run('control', act, { fault: () => void socket.destroy() });
    this.#server.on('connect', (_, socket) =>
      refuse(socket as Socket, () => this.#refuseRaw(socket as Socket, methodNotAllowed('CONNECT'))),
    );
    this.#server.on('clientError', (error, socket) =>
      refuse(socket as Socket, () => this.#failed(error, socket as Socket)),
    );
  }

  /** Opens the port; resolves with where. Rejects with `ControlError`, see `listen`. To be called once. */
  async listen(): Promise<ListenAddress> {
    const { host, port, controlHosts = [], allowedOrigins } = this.#options;
    const where = await listen(this.#server, host, port);
    this.#guard = new PageGuard(where.address, controlHosts, host, allowedOrigins);
    // From here on: accept() failing, for example for lack of file descriptors. The server goes on listening.
    this.#server.on('error', (error) => this.#log.error({ err: error }, 'control server error'));
    return where;
  }

  /**
   * Stops accepting, lets requests under way finish for at most {@link CLOSE_GRACE_MS}, closes all connections.
   * Resolves when that is done, at once if the server never listened; may be called again.
   */
  close(): Promise<void> {
    this.#options.views?.taps.close();
    this.#closed ??= new Promise((resolve) => {
      const cut = setTimeout(() => this.#server.closeAllConnections(), CLOSE_GRACE_MS);
      this.#server.close(() => {
        clearTimeout(cut);
        resolve();
      });
      this.#handshakes?.cut();
      // Node counts a connection that has sent nothing yet as busy and would wait for it.
      for (const socket of this.#connections.new) if (socket.bytesRead === 0) socket.destroy();
    });
    return this.#closed;
  }

  #opened(socket: Socket): void {
    if (this.#connections.open(socket)) return;
    socket.destroy();
    this.#options.events.rejected('ERR_CONTROL_CONNECTIONS');
    this.#log.warn({ client: socket.remoteAddress }, 'too many control connections');
  }

  #watchHandshakes(): Handshakes {
    return new Handshakes(this.#server, {
      done: (raw, secure) => this.#connections.become(raw, secure),
      failed: (client, reason) => {
        // A probe of a load balancer, or a client that has gone.
        if (reason === 'ECONNRESET') this.#log.debug({ client }, 'TLS handshake of a control connection broken off');
        else this.#log.warn({ client, reason }, 'TLS handshake of a control connection failed');
      },
    });
  }

  /** Others need the room. */
  #giveUp(socket: Socket, phase: Phase): void {
    this.#log.warn({ client: socket.remoteAddress, phase }, 'control connection closed to make room');
    const exchange = this.#exchanges.get(socket);
    if (phase !== 'arriving' || exchange?.response.socket !== socket || exchange.response.headersSent) {
      socket.destroy();
      return;
    }
    send(exchange.response, tooSlow, exchange.format, true);
    this.#report.answered(exchange, tooSlow, undefined);
    socket.destroySoon();
  }

  #contain(request: IncomingMessage, response: ServerResponse, expects: Expects): void {
    const { faults = uncontained } = this.#options;
    const fault = (error: unknown) => {
      if (response.headersSent) response.destroy();
      else send(response, answerTo(error), 'text', true);
    };
    faults.watch('control', this.#serve(request, response, expects), { fault });
  }

  async #serve(request: IncomingMessage, response: ServerResponse, expects: Expects): Promise<void> {
    const { method = '', url = '', headers, socket } = request;
    const match = this.#router.match(method, url);
    const negotiated = match?.first.format ?? negotiate(headers.accept);
    const format = negotiated ?? 'text';
    const found = negotiated === undefined ? notAcceptable : (match?.found ?? notFound);
    const action = 'row' in found && found.row.scope !== 'none' ? found.row.scope : undefined;
    const exchange: Exchange = { request, response, format, action, principal: undefined };
    this.#connections.enter(socket, 'arriving');
    this.#exchanges.set(socket, exchange);
    response.on('error', () => {}); // the client has gone: there is nobody to report it to
    response.on('finish', () => this.#finished(socket, exchange));

    const foreign = this.#guard.check(headers);
    if (foreign) return this.#refuse(exchange, foreign);
    this.#guard.admit(headers, response);
    const granted = this.#guard.preflight(request, response);
    const admitted = this.#admit(socket, exchange);
    const stranger = admitted instanceof Promise ? await admitted : admitted;
    // It may have gone, or been refused, in the meantime.
    if (response.headersSent) return;
    if (socket.destroyed) return this.#aborted(request);
    if (stranger) return this.#refuse(exchange, stranger);
    const refusal = 'row' in found ? found.row.check?.(headers) : undefined;
    const target = granted ?? refusal ?? found;
    const early = this.#earlyRefusal(request, target, refusal, expects);
    if (early) return this.#refuse(exchange, early);
    if (expects === 'continue') response.writeContinue();

    const body = await readBody(request, this.#options.pushInHttpMaxBodySize, (bytes) =>
      this.#connections.hold(socket, bytes),
    );
    if (body === 'too-large') return this.#refuse(exchange, bodyTooLarge(this.#options.pushInHttpMaxBodySize));
    if (body === 'aborted') return this.#aborted(request);
    this.#advance(socket, exchange, 'working');
    const answer = 'row' in target ? await this.#run(target, body, exchange) : target;
    if (answer === undefined) return this.#report.begun(exchange);
    if (response.headersSent) return; // refused in the meantime; a throw here would end the process
    send(response, answer, format, this.#closed !== undefined || answer.closes === true);
    this.#advance(socket, exchange, 'sending');
    this.#connections.hold(socket, response.writableLength);
    this.#report.answered(exchange, answer, body.length);
  }

  /** The refusal of a caller that may not do this, or may not be known. */
  #admit(socket: Socket, exchange: Exchange): Answer | undefined | Promise<Answer | undefined> {
    const { action, request } = exchange;
    const settle = (caller: Admission | undefined) => {
      if (caller === undefined || action === undefined) return undefined;
      if ('status' in caller) return caller;
      exchange.principal = caller;
      return caller.allows(action) ? undefined : forbidden;
    };
    const sender = { rawHeaders: request.rawHeaders, certificateNames: certificateNames(socket), connection: socket };
    const caller = action && this.#options.access?.identify(sender);
    return this.#callers.inTurn(socket, caller, settle);
  }

  /** What is refused before the body has been read. `refusal` is that of the head alone. */
  #earlyRefusal(
    request: IncomingMessage,
    target: Target,
    refusal: Answer | undefined,
    expects: Expects,
  ): Answer | undefined {
    if (Number(request.headers['content-length'] ?? 0) > this.#options.pushInHttpMaxBodySize) {
      return bodyTooLarge(this.#options.pushInHttpMaxBodySize);
    }
    if (expects === 'unknown') return expectationFailed;
    if (expects === 'continue') return 'code' in target ? target : undefined;
    const { 'content-length': length, 'transfer-encoding': coding } = request.headers;
    return (length ?? coding) === undefined ? undefined : refusal;
  }

  /** A pipelined request that came after this one decides the connection's phase. */
  #advance(socket: Socket, exchange: Exchange, phase: Phase): void {
    if (this.#exchanges.get(socket) === exchange) this.#connections.enter(socket, phase);
  }

  #finished(socket: Socket, exchange: Exchange): void {
    this.#advance(socket, exchange, exchange.response.shouldKeepAlive ? 'idle' : 'leaving');
  }

  /** No `await` before the handler is called, so that pipelined requests keep their order. */
  #run(
    { row, params }: Exclude<Target, Answer>,
    body: Buffer,
    exchange: Exchange,
  ): Promise<Answer | undefined> | Answer {
    const { request, response, principal } = exchange;
    const ended = (items: number) => this.#report.ended(exchange, items);
    return row.handler({ params, principal, headers: request.headers, body, response, ended });
  }

  #refuse(exchange: Exchange, answer: Answer): void {
    const { request, response, format } = exchange;
    if (response.headersSent) return;
    refuseUnread(request, response, answer, format, this.#lingerMs);
    this.#connections.enter(request.socket, 'leaving');
    this.#report.answered(exchange, answer, undefined);
  }

  /** For bytes that became no request with an answer of its own. */
  #refuseRaw(socket: Socket, answer: Answer, cause?: Error): void {
    refuseRaw(socket, answer, this.#lingerMs);
    this.#connections.enter(socket, 'leaving');
    this.#options.events.rejected(answer.code ?? 'ERR_CONTROL_MALFORMED');
    this.#log.warn(
      { status: answer.status, code: answer.code, client: socket.remoteAddress, err: cause },
      'control request refused',
    );
  }

  #aborted(request: IncomingMessage): void {
    if (this.#log.isDebug()) this.#log.debug(describeRequest(request), 'control request aborted by the client');
  }

  /** The parser or a timeout gave up on the connection. Called again for whatever the client sends afterwards. */
  #failed(error: NodeJS.ErrnoException, socket: Socket): void {
    const answer = answerToParserError(error, this.#options);
    // A connection that timed out without a byte was opened in advance by some pool: nothing has been refused.
    if (answer === undefined || socket.bytesRead === 0) return void socket.destroy();
    if (!socket.writable) return; // already refused, lingering
    const exchange = this.#exchanges.get(socket);
    if (exchange && !exchange.response.writableFinished) {
      const { request, response } = exchange;
      // The request is complete, hence what followed it is bad: its answer comes first, and is the last.
      if (request.complete && !response.headersSent) response.shouldKeepAlive = false;
      else this.#refuse(exchange, answer);
      return;
    }
    this.#refuseRaw(socket, answer, error);
  }
}
