/** One client connection of the node edge: the order of pipelined requests, the meaning of the client's FIN, and the close. */
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import { Socket } from 'node:net';
import type { Containment } from '@holdfast/control-api';
import type { Options } from '../../config/table.js';
import type { Clock, Timer } from '../../runtime/clock.js';
import {
  attachHttp,
  detachHttp,
  holdReading,
  isReadingHeld,
  writeProgress,
} from '../../runtime/node-internals/http-socket.js';
import { EarlyBytes, LOOK_MS } from './early-bytes.js';
import type { ProxiedClient, ProxiedConnections } from './proxied-connections.js';
import type { NodeResponse } from './response.js';

/**
 * How long a client may go on sending once it has its last answer, before its connection is cut, in ms.
 *
 * @limit {s} for a client to stop sending after its last answer or a refusal
 * @over connection cut
 */
const LINGER_MS = 2_000;

/**
 * How many requests may wait behind the one under way before nothing more is read: a client that sends without end gets
 * no more of our memory. What has been read already, 64 KiB at most, is still parsed.
 *
 * @limit {} requests that wait behind an answer on one connection
 * @over nothing more is read from the client
 */
const MAX_WAITING = 4;

/**
 * How many requests may wait in all: so many are in what has been read only if they are shorter than 512 bytes, and each of
 * them takes some kilobytes. Those behind them are not taken, and the last that is taken is the last of its connection.
 *
 * @limit {} requests that wait, where one read had so many
 * @over later ones are not served: the last of the 128 says `Connection: close`
 */
export const PIPELINE_MAX = 128;

const key = Symbol('connection');

interface Tagged {
  [key]?: NodeConnection;
}

/** The clock and the rules of a connection's edge. */
export interface ConnectionRules extends Pick<Options, 'clientHalfCloseGrace' | 'clientKeepAliveTimeout'> {
  readonly clock: Clock;
  /** The server whose parser reads the connection. */
  readonly server: Server;
  readonly secure: boolean;
  /** The listener is a unix socket. */
  readonly isLocal: boolean;
  readonly faults: Containment;
  /** Left out: no load balancer speaks for the listener's clients. */
  readonly proxied?: ProxiedConnections | undefined;
  /** The socket is closed. */
  readonly closed: (connection: NodeConnection, socket: Socket) => void;
}

/** A request that waits for the answers before it; without a response it is a refusal. */
interface Turn {
  readonly response: NodeResponse | undefined;
  readonly begin: () => void;
}

/**
 * Serialises the requests of one socket and passes the socket's events on to the response whose turn it is.
 *
 * A FIN from the client may be a half-close (it still reads) or the first half of a close (it is gone): TCP shows which only
 * when something is sent, by a reset. So an answer under way goes on as long as some of it moves, without a reset,
 * every `clientHalfCloseGrace`; a connection that is silent for longer counts as gone.
 */
export class NodeConnection {
  readonly #socket: Socket;
  readonly rules: ConnectionRules;
  #current: NodeResponse | undefined;
  #waiting: Turn[] | undefined;
  #timer: Timer | undefined;
  /** The next answer is to be the last. */
  #stopping = false;
  /** No further request is taken. */
  #closing = false;
  /** The client has sent, or may be sending, what will not be taken. */
  #unread = false;
  /** Nothing is parsed: the answer under way is held, or no bytes have come since. */
  #isDetached = false;
  /** Bytes that have arrived meanwhile. */
  #early: EarlyBytes | undefined;

  /** Called once for each accepted socket. */
  constructor(socket: Socket, rules: ConnectionRules) {
    this.#socket = socket;
    this.rules = rules;
    (socket as Tagged)[key] = this;
    socket.destroySoon = closeSoon;
    socket.on('drain', NodeConnection.#onDrain);
    socket.on('end', NodeConnection.#onEnd);
    socket.on('close', NodeConnection.#onClose);
  }

  /** The connection of a socket that an edge accepted. */
  static of(socket: Socket): NodeConnection | undefined {
    return (socket as Tagged)[key];
  }

  /** The client that a load balancer has named. */
  get proxiedClient(): ProxiedClient | undefined {
    return this.rules.proxied?.clientOf(this.#socket);
  }

  /** Runs `begin` when the answers before `response` are complete: at once on all but pipelined connections. */
  enter(response: NodeResponse, begin: () => void): void {
    if (this.#closing) {
      this.#unread = true;
      response.discardRequest();
      return;
    }
    const last = this.#waiting?.length === PIPELINE_MAX ? this.#waiting.at(-1) : undefined;
    if (last !== undefined) {
      if (last.response !== undefined) last.response.shouldKeepAlive = false;
      this.#closing = true;
      this.#unread = true;
      response.discardRequest();
      return;
    }
    if (this.#stopping) response.shouldKeepAlive = false;
    this.#add({ response, begin });
  }

  /**
   * Makes the response under way the last of its connection. With `unread`, what the client sent after its request
   * cannot be trusted.
   */
  last(unread = false): void {
    this.#closing = true;
    this.#unread ||= unread || this.#waiting !== undefined;
    this.#waiting = undefined;
    if (this.#current !== undefined) this.#current.shouldKeepAlive = false;
  }

  /**
   * The client has sent something that cannot be parsed: runs `answer`, which is to end the connection, once the
   * requests before are answered. A request whose own body is malformed is not answered otherwise.
   */
  refuse(answer: () => void): void {
    this.#unread = true;
    if (this.#closing) return;
    this.#closing = true;
    const refusal: Turn = {
      response: undefined,
      begin: () => {
        if (this.#socket.writable) answer();
        this.#linger();
      },
    };
    const waiting = this.#waiting?.at(-1)?.response;
    if (waiting !== undefined && !waiting.isRequestComplete) this.#waiting?.pop();
    const current = this.#current;
    if (waiting === undefined && current !== undefined && this.#busy && !current.isRequestComplete) {
      if (current.headersSent) this.#socket.destroy();
      else {
        current.gone();
        refusal.begin();
      }
    } else this.#add(refusal);
  }

  /** Runs `then` when the answers before are complete: for anything but a request of this connection. */
  after(then: () => void): void {
    if (!this.#closing) this.#add({ response: undefined, begin: then });
  }

  /** Closes when the answer under way is complete, or at once when nothing has been asked yet. */
  finish(): void {
    if (this.#closing) return;
    this.#stopping = true;
    if (this.#busy && this.#current !== undefined) {
      this.last();
      if (this.#current.headersSent) this.#current.whenFinished(() => this.close());
      // Node itself closes other connections that wait for a request.
    } else if (this.#isDetached || this.#socket.bytesRead === 0) this.#socket.destroy();
  }

  /** The answer under way is held: until `answered` what arrives is kept, and read then. False where requests wait, or it is to close. */
  detach(message: IncomingMessage, answer: ServerResponse): boolean {
    const socket = this.#socket;
    if (this.#closing || this.#waiting?.length || socket.readableEnded || !detachHttp(message, answer)) return false;
    this.#isDetached = true;
    socket.on('data', NodeConnection.#onData);
    // `close` follows, and is all that counts.
    socket.on('error', ignoreError);
    return true;
  }

  /** The answer for which `detach` was called is complete, and has been written out. */
  answered(keepsAlive: boolean): void {
    const socket = this.#socket;
    if (!this.#isDetached || socket.destroyed) return;
    if (!keepsAlive) this.#closing = true;
    if (this.#closing) this.close();
    else if (this.#early !== undefined) this.#attach();
    else if (socket.readableEnded) this.close();
    else this.#timer = this.rules.clock.after(this.rules.clientKeepAliveTimeout, () => socket.destroy(), this);
  }

  /** Lets go of the socket: it is a WebSocket from here on, which handles the socket's events itself. */
  handOver(): void {
    this.rules.clock.clear(this.#timer);
    this.#current = undefined;
    this.#waiting = undefined;
    this.#closing = true;
    this.#socket.destroySoon = Socket.prototype.destroySoon;
    this.#socket.off('drain', NodeConnection.#onDrain);
    this.#socket.off('end', NodeConnection.#onEnd);
  }

  /** Called after a fault in code that serves the connection itself. */
  fault(): void {
    this.#socket.destroy();
  }

  /** Reports what was thrown in an event of the socket, and cuts the connection. */
  faulted(error: unknown): void {
    this.rules.faults.caught('client', error, this);
  }

  /** Cuts the connection. */
  cut(): void {
    this.#socket.destroy();
  }

  /** Closes after what has been written, as node asks for after a last answer. */
  close(): void {
    // Unread bytes of the client's would turn the close into a reset, which may destroy the answer on its way.
    if (this.#unread || this.#early !== undefined || this.#current?.isRequestComplete === false) this.#linger();
    else Socket.prototype.destroySoon.call(this.#socket);
  }

  get #busy(): boolean {
    return this.#current !== undefined && !this.#current.isFinished;
  }

  #add(turn: Turn): void {
    if (!this.#busy && !this.#waiting?.length) this.#begin(turn);
    else {
      this.#waiting ??= [];
      const waiting = this.#waiting.push(turn);
      if (waiting === 1) this.#followUp();
      if (waiting === MAX_WAITING) holdReading(this.#socket, true);
    }
  }

  #begin(turn: Turn): void {
    if (turn.response !== undefined) this.#current = turn.response;
    try {
      turn.begin();
    } catch (error) {
      if (turn.response !== undefined) turn.response.faulted(error);
      else this.rules.faults.caught('client', error, this);
    }
  }

  /** Waits for node's own bookkeeping, which comes first among the listeners: it hands the socket to the next response. */
  #followUp(): void {
    this.#current?.whenFinished(() => {
      const turn = this.#waiting?.shift();
      if (turn === undefined) return;
      if (this.#waiting?.length === MAX_WAITING - 1 && !this.#closing) holdReading(this.#socket, false);
      this.#begin(turn);
      if ((this.#waiting?.length ?? 0) > 0) this.#followUp();
    });
  }

  /** Sends FIN and reads on until the client's, for a while (RFC 9112 §9.6). */
  #linger(): void {
    const socket = this.#socket;
    const { clock } = this.rules;
    const closeNow = () => Socket.prototype.destroySoon.call(socket);
    if (socket.readableEnded || socket.destroyed) {
      closeNow();
      return;
    }
    socket.end();
    if (isReadingHeld(socket)) holdReading(socket, false);
    socket.resume();
    socket.once('end', closeNow);
    const limit = () => {
      clock.clear(this.#timer);
      this.#timer = clock.after(LINGER_MS, () => socket.destroy());
    };
    if (socket.writableFinished) limit();
    else socket.once('finish', limit);
  }

  #halfClosed(): void {
    if (!this.#busy || this.#current === undefined) {
      if (this.#isDetached) this.close();
      return;
    }
    // The bytes before the FIN may be requests: the last of their answers is the last of the connection.
    if (this.#early === undefined) (this.#waiting?.at(-1)?.response ?? this.#current).shouldKeepAlive = false;
    this.#watch();
  }

  /** Bytes have come while nothing is parsed. */
  #received(chunk: Buffer): void {
    if (this.#closing) {
      this.#unread = true;
      return;
    }
    this.#early ??= new EarlyBytes(chunk);
    const early = this.#early;
    early.add(chunk);
    if (!this.#busy) this.#attach();
    else if (early.isTooMuch) this.cut();
    else if (early.isMuch) {
      this.#socket.pause();
      this.rules.clock.clear(this.#timer);
      this.#timer = this.rules.clock.after(LOOK_MS, () => this.#look());
    }
  }

  /** Reads once more, to notice a client that has gone after sending so much. */
  #look(): void {
    if (!this.#isDetached || this.#early === undefined) return;
    if (this.#early.isLast) this.cut();
    else this.#socket.resume();
  }

  /** Lets node parse again, since part of the next request has arrived. */
  #attach(): void {
    const socket = this.#socket;
    const { clock, server, secure } = this.rules;
    clock.clear(this.#timer);
    socket.off('data', NodeConnection.#onData);
    socket.off('error', ignoreError);
    const early = Buffer.concat(this.#early?.kept ?? []);
    this.#early = undefined;
    this.#isDetached = false;
    attachHttp(server, socket, secure, early);
    socket.resume();
    if (!socket.readableEnded || socket.destroyed) return;
    if (this.#busy) this.#halfClosed();
    else this.close();
  }

  #watch(): void {
    const before = writeProgress(this.#socket);
    this.#timer = this.rules.clock.after(this.rules.clientHalfCloseGrace, () => {
      if (writeProgress(this.#socket) !== before) this.#watch();
      else this.#socket.destroy();
    });
  }

  #closed(): void {
    this.rules.clock.clear(this.#timer);
    this.#waiting = undefined;
    this.#early = undefined;
    this.#current?.gone();
    this.#current = undefined;
    this.rules.closed(this, this.#socket);
  }

  // Shared by all connections, of which there may be very many.

  static readonly #onDrain = listener((connection) => connection.#current?.writable());
  static readonly #onEnd = listener((connection) => connection.#halfClosed());
  static readonly #onClose = listener((connection) => connection.#closed());
  static readonly #onData = listener((connection, chunk) => connection.#received(chunk));
}

/** A listener on a socket that calls its connection. */
function listener(take: (connection: NodeConnection, chunk: Buffer) => void) {
  return function (this: Socket, chunk: Buffer): void {
    const connection = NodeConnection.of(this);
    if (connection === undefined) return;
    try {
      take(connection, chunk);
    } catch (error) {
      connection.faulted(error);
    }
  };
}

/**
 * Listens to errors of a socket from which node has taken its own listener, as it does at each change of protocols: an error
 * without a listener would end the process. `close` follows, and is all that counts.
 */
export function ignoreError(): void {}

/** Stands in for `socket.destroySoon`, by which node closes a connection after its last answer. */
function closeSoon(this: Socket): void {
  NodeConnection.of(this)?.close();
}
