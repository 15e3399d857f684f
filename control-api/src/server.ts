/**
 * The HTTP listener of the control API: connections, limits, the order of refusals, and one log line per request. What is behind
 * the paths is in routes.ts.
 *
 * Differences from Pushpin's control server, all of them additions or statuses: connections are kept alive, chunked
 * bodies are read, a POST to /recover/ needs no Content-Length, JSON receipts and JSON errors for clients that ask
 * for JSON, 413 and 431 in place of 400 for what is too large, compressed bodies, 503 when the backplane does not accept; the views.
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
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
  wholeAnswer,
} from './http/answer.js';
import { readBody } from './http/body.js';
import { certificateNames } from './http/client-certificate.js';
import { Handshakes } from './http/handshakes.js';
import { LINGER_MS, refuseRaw, refuseUnread } from './http/lingering-close.js';
import { type ListenAddress, listen } from './http/listen.js';
import { ListenerConnections, type Phase } from './http/listener-connections.js';
import { type Format, negotiate } from './http/negotiate.js';
import { PageGuard } from './http/page-guard.js';
import { type Principal, type RouteFound, Router } from './http/router.js';
import { type WholeAnswer, WholeConnections } from './http/whole-connections.js';
import type { WholeRequest } from './http/whole-requests.js';
import { describeRequest, type ReportedRequest, RequestReport } from './request-report.js';
import { type ControlRoute, controlRoutes, type WholeHandler } from './routes.js';
import { PacedLog } from './runtime/bounded-logs.js';
import { uncontained } from './runtime/faults.js';
import type { Log } from './runtime/log.js';
import { Turns, Waits } from './runtime/turns.js';
import {
  CLOSE_GRACE_MS,
  type ControlServerOptions,
  KEEP_ALIVE_MS,
  MAX_CONNECTIONS,
  MAX_HELD_BYTES,
  REQUEST_TIMEOUT_MS,
} from './server-options.js';

/** The row of a request with the names in its path, or the answer where there is none. */
type Target = RouteFound<ControlRoute> | Answer;

/** A request, and how it is to be answered. */
interface Exchange extends ReportedRequest {
  readonly request: IncomingMessage;
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
  readonly #bodies = new Turns<Socket>();
  /** For publishes that are handed over only when something is known. */
  readonly #waits = new Waits<Socket>();
  readonly #report: RequestReport;
  readonly #whole: WholeConnections;
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
    this.#whole = this.#readWhole(headersTimeout);
    // None may be left out unseen: the guard looks at them. Their bytes are limited.
    this.#server.maxHeadersCount = 0;
    this.#server.on('connection', (socket: Socket) => this.#opened(socket));
    this.#handshakes = options.tls && this.#watchHandshakes();
    this.#server.on(this.#whole.options.event, (socket: Socket) => this.#whole.take(socket));
    const { faults = uncontained } = options;
    this.#server.on('request', (request, response) => this.serve(request, response));
    this.#server.on('checkContinue', (request, response) => this.serve(request, response, 'continue'));
    this.#server.on('checkExpectation', (request, response) => this.serve(request, response, 'unknown'));
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
      const cut = setTimeout(() => {
        this.#server.closeAllConnections();
        this.#whole.cut();
      }, CLOSE_GRACE_MS);
      this.#server.close(() => {
        clearTimeout(cut);
        resolve();
      });
      this.#handshakes?.cut();
      this.#whole.close();
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
    if (phase === 'arriving' && this.#whole.has(socket)) {
      if (this.#whole.release(socket)) this.#refuseRaw(socket, tooSlow);
      else socket.destroy();
      return;
    }
    const exchange = this.#exchanges.get(socket);
    if (phase !== 'arriving' || exchange?.response.socket !== socket || exchange.response.headersSent) {
      socket.destroy();
      return;
    }
    send(exchange.response, tooSlow, exchange.format, true);
    this.#report.answered(exchange, tooSlow, undefined);
    socket.destroySoon();
  }

  #readWhole(firstMs: number): WholeConnections {
    const publish = this.#router.match('POST', '/publish/')?.first.whole as WholeHandler;
    const { tls, pushInHttpMaxHeadersSize: maxHead, faults = uncontained } = this.#options;
    return new WholeConnections(this.#server, {
      event: tls === undefined ? 'connection' : 'secureConnection',
      urls: ['/publish/', '/publish'],
      maxHead,
      firstMs,
      idleMs: KEEP_ALIVE_MS,
      serve: (request, socket) => this.#serveWhole(publish, request, socket),
      arriving: (socket, bytes) => {
        this.#connections.enter(socket, 'arriving');
        this.#connections.hold(socket, bytes);
      },
      answered: (socket, waiting) => {
        this.#connections.enter(socket, waiting > 0 ? 'sending' : 'idle');
        this.#connections.hold(socket, waiting);
      },
      fault: (error, socket) => faults.caught('control', error, { fault: () => void socket.destroy() }),
    });
  }

  /** A publish that is refused for its head is left to `#serve`. */
  #serveWhole(publish: WholeHandler, request: WholeRequest, socket: Socket): Promise<WholeAnswer> | undefined {
    const { url, headers, rawHeaders, body } = request;
    const { access, pushInHttpMaxBodySize } = this.#options;
    const format = negotiate(headers.accept);
    if (format === undefined || body.length > pushInHttpMaxBodySize || this.#guard.check(headers)) return undefined;
    const sender = { rawHeaders, certificateNames: () => certificateNames(socket), connection: socket };
    const caller = access?.identify(sender);
    if (caller instanceof Promise || (caller !== undefined && ('status' in caller || !caller.allows('publish'))))
      return undefined;
    this.#connections.enter(socket, 'working');
    const reported = {
      request: { method: 'POST', url, headers, socket },
      action: 'publish',
      principal: caller,
    } as const;
    return publish({ params: {}, principal: caller, headers, body, format }).then((answer) => {
      this.#report.answered(reported, answer, body.length);
      const { head, body: text } = wholeAnswer(answer, format);
      return { head, body: text, closes: answer.closes === true };
    });
  }

  /** Serves a request; also one that another listener of the node has taken, with the checks of pages and keys of this one. */
  serve(request: IncomingMessage, response: ServerResponse, expects: Expects = 'nothing'): void {
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

    const arrives = readBody(request, this.#options.pushInHttpMaxBodySize, (bytes) =>
      this.#connections.hold(socket, bytes),
    );
    // A chunked body ends some ticks after its last byte: the next request may have been read by then.
    const body = await this.#bodies.inTurn(socket, arrives, (bytes) => bytes);
    if (body === 'too-large') return this.#refuse(exchange, bodyTooLarge(this.#options.pushInHttpMaxBodySize));
    if (body === 'aborted') return this.#aborted(request);
    for (let wait = this.#waits.of(socket); wait !== undefined; wait = this.#waits.of(socket)) await wait;
    this.#advance(socket, exchange, 'working');
    const answer = 'row' in target ? await this.#run(target, body, exchange) : target;
    if (answer === undefined) return this.#report.begun(exchange);
    if (response.headersSent) return; // refused in the meantime; a throw here would end the process
    send(response, answer, format, this.#closed !== undefined || answer.closes === true);
    this.#advance(socket, exchange, 'sending');
    this.#connections.hold(socket, response.writableLength);
    this.#report.answered(exchange, answer, body.length);
  }

  /** The refusal of a caller that may not do this, or may not be known. On the path of every publish. */
  #admit(socket: Socket, exchange: Exchange): Answer | undefined | Promise<Answer | undefined> {
    const { access } = this.#options;
    if (access === undefined) return undefined;
    const { action, request } = exchange;
    const { rawHeaders } = request;
    const sender = { rawHeaders, certificateNames: () => certificateNames(socket), connection: socket };
    return this.#callers.inTurn(socket, action && access.identify(sender), (caller) => {
      if (caller === undefined || action === undefined) return undefined;
      if ('status' in caller) return caller;
      exchange.principal = caller;
      return caller.allows(action) ? undefined : forbidden;
    });
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
    { row, params, query }: Exclude<Target, Answer>,
    body: Buffer,
    exchange: Exchange,
  ): Promise<Answer | undefined> | Answer {
    const { request, response, principal, format } = exchange;
    const ended = (items: number) => this.#report.ended(exchange, items);
    const handsOverAfter = (until: Promise<unknown>) => this.#waits.add(request.socket, until);
    const { headers } = request;
    return row.handler({ params, query, principal, headers, body, format, response, ended, handsOverAfter });
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
