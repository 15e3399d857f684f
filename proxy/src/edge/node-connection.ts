/**
 * Owns: one client connection of the node edge: whose turn it is when requests are pipelined, and what the client's
 * FIN means. Does not own: parsing, or the answers themselves.
 */
import type { Socket } from 'node:net';
import type { Clock, Timer } from '../clock.js';
import type { NodeResponse } from './node-response.js';

const key = Symbol('connection');

interface Tagged {
  [key]?: NodeConnection;
}

/** How a connection learns of time and of its edge's rules. */
export interface ConnectionRules {
  readonly clock: Clock;
  /** How long after the client's FIN an answer may stay silent before the client counts as gone, in ms. */
  readonly halfCloseGrace: number;
}

interface Turn {
  readonly response: NodeResponse;
  readonly begin: () => void;
}

/**
 * Serialises the requests of one socket and passes the socket's events on to the response whose turn it is.
 *
 * A FIN from the client may be a half-close (it still reads) or the first half of a close (it is gone): TCP tells only
 * when something is sent, by a reset. So an answer under way goes on as long as something is written to it, without a
 * reset, every `halfCloseGrace`; a connection that is silent for longer counts as gone.
 */
export class NodeConnection {
  readonly #socket: Socket;
  readonly #rules: ConnectionRules;
  #current: NodeResponse | undefined;
  #waiting: Turn[] | undefined;
  #grace: Timer | undefined;
  #refused = false;

  /** Takes a socket under its care; called once when it is accepted. */
  constructor(socket: Socket, rules: ConnectionRules) {
    this.#socket = socket;
    this.#rules = rules;
    (socket as Tagged)[key] = this;
    socket.on('drain', () => this.#current?.writable());
    socket.on('end', () => this.#halfClosed());
    socket.on('close', () => this.#closed());
  }

  /** The connection of a socket that an edge accepted. */
  static of(socket: Socket): NodeConnection | undefined {
    return (socket as Tagged)[key];
  }

  /** The response under way, if any. */
  get current(): NodeResponse | undefined {
    return this.#current;
  }

  /** Runs `begin` when the answers before `response` are complete: at once on all but pipelined connections. */
  enter(response: NodeResponse, begin: () => void): void {
    const busy = this.#current !== undefined && !this.#current.response.writableFinished;
    if (!busy) {
      this.#current = response;
      begin();
      return;
    }
    this.#waiting ??= [];
    if (this.#waiting.push({ response, begin }) === 1) this.#followUp();
  }

  /**
   * What came last cannot be parsed: runs `answer`, once, when its turn comes. When the body of the request under way is
   * what is malformed, that is now if nothing of an answer is out yet; otherwise the connection is cut.
   */
  refuse(answer: () => void): void {
    if (this.#refused) return;
    this.#refused = true;
    const current = this.#current;
    if (current === undefined || current.response.writableFinished) answer();
    else if (current.response.req.complete) current.response.once('finish', answer);
    else if (current.response.headersSent) this.#socket.destroy();
    else {
      current.gone();
      answer();
    }
  }

  /** Waits for node's own bookkeeping, which comes first among the listeners: it hands the socket to the next response. */
  #followUp(): void {
    this.#current?.response.once('finish', () => {
      const turn = this.#waiting?.shift();
      if (turn === undefined) return;
      this.#current = turn.response;
      if ((this.#waiting?.length ?? 0) > 0) this.#followUp();
      turn.begin();
    });
  }

  #halfClosed(): void {
    if (this.#current === undefined || this.#current.response.writableFinished) return;
    const written = this.#socket.bytesWritten;
    this.#grace = this.#rules.clock.after(this.#rules.halfCloseGrace, () => {
      if (this.#socket.bytesWritten > written) this.#halfClosed();
      else this.#socket.destroy();
    });
  }

  #closed(): void {
    this.#rules.clock.clear(this.#grace);
    this.#waiting = undefined;
    this.#current?.gone();
    this.#current = undefined;
  }
}
