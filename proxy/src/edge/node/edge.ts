/** The `node` edge: node's HTTP servers, and the path from a parsed head to the `EdgeHandler`. */
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import { Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';
import { type Containment, uncontained } from '@holdfast/control-api';
import { headerValue } from '@holdfast/grip';
import type { Options } from '../../config/table.js';
import { saysTrailers } from '../../http/trailers.js';
import type { Clock } from '../../runtime/clock.js';
import type { Descriptors } from '../../runtime/descriptors.js';
import { FlushQueue } from '../../runtime/flush-queue.js';
import { DirectWrites, streamBinding } from '../../runtime/node-internals/direct-writes.js';
import { isDetached } from '../../runtime/node-internals/http-socket.js';
import type { WsAcceptor } from '../../websocket/ws-acceptor.js';
import { answerMalformed, answerText } from '../edge-answers.js';
import { asksForWebSocket, checkHandshake, type HandshakeHead } from '../handshake-check.js';
import { applySocketOwner, listenError, prepareSocketFile } from '../listening.js';
import type { BoundListener, ClientRequest, Edge, EdgeEvents, EdgeHandler, Listener } from '../port.js';
import { checkMethod, checkMethodAt, checkRequest, isRefusal, type Refusal, type Target } from '../request-check.js';
import type { TlsCertificates } from '../tls-certificates.js';
import { NodeBody } from './body.js';
import { clientCertificate } from './client-certificate.js';
import { ignoreError, NodeConnection } from './connection.js';
import { NodeHandshake, plainHead } from './handshake.js';
import { NodeResponse, type NodeResponseDeps } from './response.js';
import { boundTo, createHttp, createTls, keepReserve, limitConnections } from './server.js';

/**
 * How the node edge treats its clients: longer heads are answered 431, connections beyond the limit are closed as soon as
 * they are accepted, slow heads are answered 408; a TLS handshake has as much time for itself.
 */
export interface NodeEdgeOptions
  extends Pick<
    Options,
    'clientBufferSize' | 'clientMaxconn' | 'clientKeepAliveTimeout' | 'clientHeaderTimeout' | 'clientHalfCloseGrace'
  > {
  /** Other processes have the same listeners, which a primary opens for all; it prepares their socket files. */
  readonly isShared?: boolean;
  readonly certificates: TlsCertificates;
  readonly sockets: WsAcceptor;
}

/** The collaborators of the edge. */
export interface NodeEdgeDeps {
  readonly clock: Clock;
  readonly events: EdgeEvents;
  /** Left out: nothing is contained. */
  readonly faults?: Containment;
  readonly descriptors: Descriptors;
  /** A new id for each request, unique within this node. */
  readonly nextId: () => string;
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

  constructor(handler: EdgeHandler, options: NodeEdgeOptions, deps: NodeEdgeDeps) {
    this.#handler = handler;
    this.#options = options;
    this.#deps = deps;
    this.#responseDeps = {
      flushes: new FlushQueue(),
      direct: deps.direct ?? new DirectWrites(streamBinding()),
      faults: deps.faults ?? uncontained,
    };
  }

  get #asksClients(): boolean {
    return this.#options.certificates.policy.asksClients;
  }

  get connections(): number {
    return this.#connections.size;
  }

  async listen(listener: Listener): Promise<BoundListener> {
    const server = listener.tls ? this.#createTls() : createHttp(this.#options);
    this.#prepare(server, listener);
    if (listener.path !== undefined && !this.#options.isShared) await prepareSocketFile(listener.path);
    await new Promise<void>((resolve, reject) => {
      server.on('error', (error: NodeJS.ErrnoException) => reject(listenError(error, listener)));
      const done = () => resolve();
      if (listener.path !== undefined) server.listen(listener.path, done);
      else server.listen({ host: listener.host ?? '0.0.0.0', port: listener.port ?? 0, backlog: 4096 }, done);
    });
    if (listener.path !== undefined) applySocketOwner(listener);
    this.#servers.add(server);
    return boundTo(listener, server);
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
    await Promise.all(closing);
  }

  #createTls(): Server {
    const { faults } = this.#responseDeps;
    return createTls(this.#options, this.#options.certificates, faults, (socket) => {
      this.#tlsSockets.add(socket);
      socket.once('close', () => this.#tlsSockets.delete(socket));
    });
  }

  #prepare(server: Server, listener: Listener): void {
    server.maxHeadersCount = 0; // No silent loss of headers: `clientBufferSize` is the bound.
    if (this.#options.isShared) limitConnections(server, this.#options.clientMaxconn, this.#deps.events);
    else server.maxConnections = this.#options.clientMaxconn;
    keepReserve(server, this.#deps.descriptors, this.#deps.events);
    server.timeout = 0;
    Object.assign(server, { httpAllowHalfOpen: true });
    const secure = listener.tls === true;
    const { clientHalfCloseGrace, clientKeepAliveTimeout } = this.#options;
    const closed = (connection: NodeConnection) => this.#connections.delete(connection);
    const { faults } = this.#responseDeps;
    const rules = {
      clock: this.#deps.clock,
      clientHalfCloseGrace,
      clientKeepAliveTimeout,
      server,
      secure,
      faults,
      closed,
    };
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
      if (NodeConnection.of(socket) === undefined) this.#connections.add(new NodeConnection(socket, rules));
    });
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
      this.#deps.events.requestRefused('CONNECT', status, plainAddress(socket.remoteAddress));
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
      const target = checkRequest({
        method: message.method as string,
        target: message.url as string,
        version: message.httpVersion,
        headers: message.rawHeaders,
      });
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
      const target = checkRequest({
        method: message.method as string,
        target: message.url as string,
        version: message.httpVersion,
        headers: message.rawHeaders,
      });
      const refusal = isRefusal(target) ? { ...target, headers: [] } : checkHandshake(headOf(message));
      if (refusal !== undefined) {
        this.#refused(refusal, message.socket);
        answerText(response, refusal.status, refusal.text, refusal.headers);
      } else this.#handler.onWebSocket(this.#read(message, undefined, target as Target, secure, '1.1'), handshake);
    });
  }

  #read(
    message: IncomingMessage,
    body: NodeBody | undefined,
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
      secure,
      clientAddress: plainAddress(message.socket.remoteAddress),
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
      const { status, text } = this.#refusal(error);
      const address = plainAddress(socket.remoteAddress);
      NodeConnection.of(socket)?.refuse(() => {
        // Bytes after a request that asked for a close are not a request.
        if (code === 'HPE_CLOSED_CONNECTION') return;
        this.#deps.events.requestRefused(code, status, address);
        answerMalformed(socket, status, text);
      });
    }
  }

  #refused({ text, status }: Refusal, { remoteAddress }: Socket): void {
    this.#deps.events.requestRefused(text.trimEnd(), status, plainAddress(remoteAddress));
  }

  #refusal(error: NodeJS.ErrnoException): Refusal {
    if (error.code === 'ERR_HTTP_REQUEST_TIMEOUT') return { status: 408, text: 'Request timed out.\n' };
    const { code, rawPacket, bytesParsed } = error as ParserError;
    if (code === 'HPE_INVALID_METHOD' && rawPacket !== undefined) {
      const refusal = checkMethodAt(rawPacket, bytesParsed ?? 0);
      if (refusal !== undefined) return refusal;
    }
    if (error.code !== 'HPE_HEADER_OVERFLOW') {
      return { status: 400, text: `Failed to parse request: ${describe(error)}\n` };
    }
    const limit = this.#options.clientBufferSize;
    return { status: 431, text: `Request header size exceeded limit of ${limit} bytes.\n` };
  }
}

/** The error of node's parser for bytes that it rejects. */
interface ParserError extends NodeJS.ErrnoException {
  /** What was being parsed. */
  readonly rawPacket?: Buffer;
  /** How far it came. */
  readonly bytesParsed?: number;
}

/** The socket of an event of node's server, whose arguments hold it itself or its request. */
function socketOf([first, second]: readonly unknown[]): Socket {
  if (first instanceof Socket) return first;
  return second instanceof Socket ? second : (first as IncomingMessage).socket;
}

function readBody(
  message: IncomingMessage,
  answer: ServerResponse,
  response: NodeResponse,
  expectsContinue: boolean,
): NodeBody | undefined {
  const length = headerValue(message.rawHeaders, 'content-length');
  const chunked = headerValue(message.rawHeaders, 'transfer-encoding') !== undefined;
  if (!chunked && (length === undefined || Number(length) === 0)) return undefined;
  const onRead = expectsContinue ? continuation(answer, response) : undefined;
  const body = new NodeBody(message, chunked ? undefined : Number(length), (error) => response.faulted(error), onRead);
  response.body = body;
  answer.once('finish', () => body.drop());
  return body;
}

/** Sends 100 Continue when called: once the body is read. */
function continuation(answer: ServerResponse, response: NodeResponse): () => void {
  const { shouldKeepAlive } = answer;
  // Before the 100 the client may send its next request or the body: only a close keeps them apart.
  answer.shouldKeepAlive = false;
  return () => {
    if (answer.headersSent || response.over) return;
    answer.shouldKeepAlive = shouldKeepAlive;
    answer.writeContinue();
  };
}

/** The parts of a message that `checkHandshake` reads. */
function headOf(message: IncomingMessage): HandshakeHead {
  return { method: message.method as string, version: message.httpVersion, headers: message.rawHeaders };
}

function describe(error: NodeJS.ErrnoException): string {
  const text = error.message.replace(/^Parse Error: /, '');
  return text.charAt(0).toLowerCase() + text.slice(1);
}

/** The address as an operator writes it: IPv4 without the IPv6 mapping. */
function plainAddress(address: string | undefined): string {
  if (address === undefined) return '';
  return address.startsWith('::ffff:') ? address.slice(7) : address;
}
