/** The `node` edge: node's HTTP servers, and the path from a parsed head to the `EdgeHandler`. */
import { createServer, type IncomingMessage, type Server, type ServerOptions, type ServerResponse } from 'node:http';
import { Server as NetServer, Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';
import { uncontained } from '@holdfast/control-api';
import type { Options } from '../../config/table.js';
import { saysTrailers } from '../../http/fields.js';
import type { Descriptors } from '../../runtime/descriptors.js';
import { FlushQueue } from '../../runtime/flush-queue.js';
import { isDetached } from '../../runtime/node-internals/http-socket.js';
import { setOnListener } from '../../runtime/node-internals/inherited-options.js';
import { DirectWrites, streamBinding } from '../../runtime/node-internals/socket-writes.js';
import type { WsAcceptor } from '../../websocket/ws-handshakes.js';
import { answerText } from '../edge-answers.js';
import { listenOn } from '../listening.js';
import type {
  BoundListener,
  ClientBody,
  ClientRequest,
  Edge,
  EdgeDeps,
  EdgeEvents,
  EdgeHandler,
  Listener,
} from '../port.js';
import {
  asksForWebSocket,
  checkHandshake,
  checkMethod,
  checkRequest,
  isRefusal,
  type Refusal,
  type Target,
} from '../request-check.js';
import type { TicketKeys } from '../ticket-keys.js';
import type { TlsCertificates } from '../tls-certificates.js';
import { createTlsServer } from '../tls-server.js';
import { answerMalformed } from './answer.js';
import { clientCertificate } from './client-certificate.js';
import { ignoreError, NodeConnection } from './connection.js';
import { ProxiedConnections } from './proxied-connections.js';
import { addressOf, headOf, NodeHandshake, parserRefusal, plainAddress, plainHead, readBody } from './request.js';
import { NodeResponse } from './response.js';
import type { NodeResponseDeps } from './response-deps.js';
import { SettledHeads } from './settled-answer.js';
import { watchSockets } from './slow-clients.js';

/**
 * How the node edge treats its clients: longer heads are answered 431, connections beyond the limit are closed as soon as
 * they are accepted, slow heads are answered 408; a TLS handshake has as much time for itself.
 */
export interface NodeEdgeOptions
  extends Pick<
    Options,
    | 'clientBufferSize'
    | 'clientMaxconn'
    | 'clientKeepAliveTimeout'
    | 'clientHeaderTimeout'
    | 'clientHalfCloseGrace'
    | 'writeTimeout'
  > {
  /**
   * Other processes have the same listeners: each its own on the same port where node can do that, else those that a primary opens for
   * all, as it does with unix sockets, whose files it prepares.
   */
  readonly isShared?: boolean;
  readonly certificates: TlsCertificates;
  /** Left out: sessions are resumed on the same listener only. */
  readonly tickets?: TicketKeys | undefined;
  readonly sockets: WsAcceptor;
}

/** The collaborators of the edge. */
export interface NodeEdgeDeps extends EdgeDeps {
  /** Left out: what this version of node offers. */
  readonly direct?: DirectWrites;
}

/** The default edge: strict, complete HTTP/1.x by node's own parser. */
export class NodeEdge implements Edge {
  readonly #handler: EdgeHandler;
  readonly #options: NodeEdgeOptions;
  readonly #deps: NodeEdgeDeps;
  readonly #servers = new Set<Server>();
  readonly #connections = new Set<NodeConnection>();
  /** Connections of TLS listeners, those included whose handshake is not done. */
  readonly #tlsSockets = new Set<Socket>();
  readonly #responseDeps: NodeResponseDeps;
  /** Of the listeners behind load balancers that speak the PROXY protocol. */
  readonly #proxied = new Set<ProxiedConnections>();

  constructor(handler: EdgeHandler, options: NodeEdgeOptions, deps: NodeEdgeDeps) {
    this.#handler = handler;
    this.#options = options;
    this.#deps = deps;
    const { clock, events, direct = new DirectWrites(streamBinding()), faults = uncontained } = deps;
    const writes = watchSockets(options.writeTimeout, { clock, faults, events });
    const shared = { flushes: new FlushQueue(), settled: new SettledHeads() };
    this.#responseDeps = { ...shared, direct, writes, faults, closesAfterAnswers: false };
  }

  get #asksClients(): boolean {
    return this.#options.certificates.policy.asksClients;
  }

  get connections(): number {
    return this.#connections.size;
  }

  async listen(listener: Listener): Promise<BoundListener> {
    const server = listener.tls ? this.#createTls() : createServer(serverOptions(this.#options));
    this.#prepare(server, listener);
    const bound = await listenOn(server, listener, this.#options.isShared ?? false);
    if (listener.path === undefined) setOnListener(server);
    this.#servers.add(server);
    return bound;
  }

  closeAfterAnswers(closes: boolean): void {
    this.#responseDeps.closesAfterAnswers = closes;
  }

  stopListening(): void {
    // An HTTP server's own `close` would close idle connections, of which one may be bringing a request.
    for (const server of this.#servers) NetServer.prototype.close.call(server);
  }

  stopAccepting(): void {
    for (const server of this.#servers) server.close();
    for (const connection of this.#connections) connection.finish();
  }

  async close(): Promise<void> {
    const closing = [...this.#servers].map(
      (server) => new Promise<void>((resolve) => void server.close(() => resolve())),
    );
    for (const connection of this.#connections) connection.cut();
    for (const socket of this.#tlsSockets) socket.destroy();
    for (const proxied of this.#proxied) proxied.close();
    await Promise.all(closing);
  }

  #createTls(): Server {
    const { faults } = this.#responseDeps;
    const { certificates, tickets, clientHeaderTimeout } = this.#options;
    return createTlsServer({
      options: { ...serverOptions(this.#options), handshakeTimeout: clientHeaderTimeout },
      certificates,
      // A route decides whether it needs a certificate.
      requiresClients: false,
      faults,
      tickets,
      onSocket: (socket) => {
        this.#tlsSockets.add(socket);
        socket.once('close', () => this.#tlsSockets.delete(socket));
      },
    });
  }

  #proxiedOf({ proxyProtocol }: Listener): ProxiedConnections | undefined {
    if (proxyProtocol === undefined) return undefined;
    const { clock, events } = this.#deps;
    const proxied = new ProxiedConnections(proxyProtocol, {
      clock,
      refused: (why, peer) => events.proxyRefused(why, peer),
    });
    this.#proxied.add(proxied);
    return proxied;
  }

  /** To be called before connections are guarded, so that clients are known by then. */
  #limitAddresses(server: Server, isLocal: boolean, proxied: ProxiedConnections | undefined): void {
    const { gate } = this.#deps;
    if (gate === undefined) return;
    server.prependListener('connection', (socket: Socket) => {
      if (socket.destroyed || NodeConnection.of(socket) !== undefined) return;
      const address = proxied?.clientOf(socket)?.address ?? plainAddress(socket.remoteAddress, isLocal);
      if (gate.mayConnect(address) && gate.enter(address)) socket.once('close', () => gate.leave(address));
      else socket.destroy();
    });
  }

  #prepare(server: Server, listener: Listener): void {
    server.maxHeadersCount = 0; // No silent loss of headers: `clientBufferSize` is the bound.
    server.timeout = 0;
    Object.assign(server, { httpAllowHalfOpen: true });
    const secure = listener.tls === true;
    const { clientHalfCloseGrace, clientKeepAliveTimeout } = this.#options;
    const { faults, writes } = this.#responseDeps;
    const closed = (connection: NodeConnection, socket: Socket) => {
      this.#connections.delete(connection);
      events.connectionClosed?.();
      writes.delete(socket);
    };
    const proxied = this.#proxiedOf(listener);
    const { clock, events } = this.#deps;
    const isLocal = listener.path !== undefined;
    const times = { clientHalfCloseGrace, clientKeepAliveTimeout };
    const rules = { isLocal, clock, ...times, server, secure, faults, proxied, closed };
    /** A fault before there is an answer, or in refusing one, costs the connection. */
    const on = <A extends unknown[]>(event: string, take: (...about: A) => void) => {
      server.on(event, (...about: unknown[]) => {
        try {
          take(...(about as A));
        } catch (error) {
          faults.caught('client', error);
          socketOf(about).destroy();
        }
      });
    };
    on(secure ? 'secureConnection' : 'connection', (socket: Socket) => {
      // A connection comes in here again after a hold, or a request that wanted another protocol than WebSocket.
      if (NodeConnection.of(socket) !== undefined) return;
      this.#connections.add(new NodeConnection(socket, rules));
      events.connectionOpened?.();
    });
    this.#limitAddresses(server, isLocal, proxied);
    proxied?.guard(server, secure);
    if (this.#options.isShared) limitConnections(server, this.#options.clientMaxconn, this.#deps.events);
    else server.maxConnections = this.#options.clientMaxconn;
    keepReserve(server, this.#deps.descriptors, this.#deps.events);
    server.on('drop', () => this.#deps.events.connectionRefused());
    on('request', (message: IncomingMessage, answer: ServerResponse) => this.#take(message, answer, secure, false));
    on('checkContinue', (message: IncomingMessage, answer: ServerResponse) =>
      this.#take(message, answer, secure, true),
    );
    // Newer versions of node ask first; older ones hand every request with an Upgrade field to the listener.
    Object.assign(server, {
      shouldUpgradeCallback: (message: IncomingMessage) => asksForWebSocket(message.rawHeaders),
    });
    on('upgrade', (message: IncomingMessage, socket: Socket, early: Buffer) => {
      if (isDetached(message)) return;
      socket.on('error', ignoreError);
      if (asksForWebSocket(message.rawHeaders)) this.#upgrade(message, socket, early, secure);
      else {
        NodeConnection.of(socket)?.after(() => {
          socket.off('error', ignoreError);
          socket.unshift(Buffer.concat([plainHead(message), early]));
          server.emit(secure ? 'secureConnection' : 'connection', socket);
          // It may have been paused while the answers before were awaited.
          socket.resume();
        });
      }
    });
    // By default node answers any other expectation with 417; ignoring it is allowed (RFC 9110 §10.1.1).
    on('checkExpectation', (message: IncomingMessage, answer: ServerResponse) =>
      this.#take(message, answer, secure, false),
    );
    on('connect', (message: IncomingMessage, socket: Socket) => {
      socket.on('error', ignoreError);
      const { status, text } = checkMethod(message.method as string) as Refusal;
      this.#deps.events.requestRefused('CONNECT', status, addressOf(socket));
      NodeConnection.of(socket)?.refuse(() => answerMalformed(socket, status, text));
    });
    on('clientError', (error: NodeJS.ErrnoException, socket: Socket) => this.#malformed(error, socket));
    server.on('tlsClientError', (_error, socket: TLSSocket) => socket.destroy());
  }

  #take(message: IncomingMessage, answer: ServerResponse, secure: boolean, expectsContinue: boolean): void {
    const version = message.httpVersion === '1.0' ? '1.0' : '1.1';
    const connection = NodeConnection.of(message.socket);
    if (connection === undefined) {
      answer.destroy();
      return;
    }
    const response = new NodeResponse(answer, version, connection, this.#responseDeps);
    const begin = () => {
      const target = checkRequest(headOf(message));
      if (isRefusal(target)) {
        this.#refused(target, message.socket);
        connection.last(true);
        answerText(response, target.status, target.text);
      } else if (target.path === '*') answerText(response, 200, '');
      else {
        const body = readBody(message, answer, response, expectsContinue);
        this.#handler.onRequest(this.#read(message, body, target, secure, version), response);
      }
    };
    connection.enter(response, begin);
  }

  #upgrade(message: IncomingMessage, socket: Socket, early: Buffer, secure: boolean): void {
    const connection = NodeConnection.of(socket);
    if (connection === undefined) {
      socket.destroy();
      return;
    }
    const handshake = new NodeHandshake(message, early, connection, this.#options.sockets, this.#responseDeps);
    const { response } = handshake;
    connection.enter(response, () => {
      handshake.begin();
      const head = headOf(message);
      const target = checkRequest(head);
      const refusal = isRefusal(target) ? target : checkHandshake(head);
      if (refusal !== undefined) {
        this.#refused(refusal, message.socket);
        answerText(response, refusal.status, refusal.text, refusal.headers);
      } else this.#handler.onWebSocket(this.#read(message, undefined, target as Target, secure, '1.1'), handshake);
    });
  }

  #read(
    message: IncomingMessage,
    body: ClientBody | undefined,
    target: Target,
    secure: boolean,
    version: string,
  ): ClientRequest {
    return {
      id: this.#deps.nextId(),
      method: message.method as string,
      path: target.path,
      host: target.host,
      version,
      headers: message.rawHeaders,
      secure: secure || NodeConnection.of(message.socket)?.proxiedClient?.secure === true,
      clientAddress: addressOf(message.socket),
      clientCertificate: this.#asksClients ? clientCertificate(message.socket) : undefined,
      body,
      takesTrailers: version === '1.1' && saysTrailers(message.rawHeaders),
    };
  }

  #malformed(error: NodeJS.ErrnoException, socket: Socket): void {
    const { code = '' } = error;
    // Any error but a parser's is a broken connection: nothing can be answered.
    if (!socket.writable || !(code.startsWith('HPE_') || code === 'ERR_HTTP_REQUEST_TIMEOUT')) socket.destroy();
    else {
      const { status, text } = parserRefusal(error, this.#options.clientBufferSize);
      const address = addressOf(socket);
      NodeConnection.of(socket)?.refuse(() => {
        // Bytes after a request that asked for a close are not a request.
        if (code === 'HPE_CLOSED_CONNECTION') return;
        this.#deps.events.requestRefused(code, status, address);
        answerMalformed(socket, status, text);
      });
    }
  }

  #refused({ text, status }: Refusal, socket: Socket): void {
    this.#deps.events.requestRefused(text.trimEnd(), status, addressOf(socket));
  }
}

/** The socket of an event of node's server, whose arguments hold it itself or its request. */
function socketOf([first, second]: readonly unknown[]): Socket {
  if (first instanceof Socket) return first;
  return second instanceof Socket ? second : (first as IncomingMessage).socket;
}

/** The limits that node itself keeps. */
function serverOptions(options: NodeEdgeOptions): ServerOptions {
  const { clientBufferSize, clientKeepAliveTimeout, clientHeaderTimeout } = options;
  return {
    maxHeaderSize: clientBufferSize,
    keepAliveTimeout: clientKeepAliveTimeout,
    headersTimeout: clientHeaderTimeout,
    // By default node checks its time limits every 30 s only.
    connectionsCheckingInterval: Math.min(5_000, Math.ceil(clientHeaderTimeout / 4)),
    // An upload may take as long as it moves; what bounds it is the origin's inactivity limit.
    requestTimeout: 0,
    // Node's own answer to a missing Host has no text: `request-check` gives one.
    requireHostHeader: false,
    insecureHTTPParser: false,
    noDelay: true,
    keepAlive: true,
    keepAliveInitialDelay: 30_000,
  };
}

/**
 * Closes connections beyond `max`, and counts them as refused. Not by node's own limit, which would hand a
 * connection from one full process to the next for ever. Call it before the edge makes its connections. A
 * connection that node takes once more, as after a hold, is not a new one.
 */
function limitConnections(server: Server, max: number, events: EdgeEvents): void {
  let open = 0;
  server.prependListener('connection', (socket: Socket) => {
    if (NodeConnection.of(socket) !== undefined) return;
    open++;
    socket.once('close', () => open--);
    if (open <= max) return;
    socket.destroy();
    events.connectionRefused();
  });
}

/** Turns new connections away where the file descriptors that are left are kept for other things. */
function keepReserve(server: Server, descriptors: Descriptors, events: EdgeEvents): void {
  server.prependListener('connection', (socket: Socket) => {
    if (socket.destroyed || NodeConnection.of(socket) !== undefined || descriptors.admits('client')) return;
    socket.destroy();
    events.descriptorsShort();
  });
}
