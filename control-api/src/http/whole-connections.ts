/**
 * The connections of a listener whose requests come whole and in a strict form: they are read here, past node's parser and its two
 * streams for each request, which cost several times what publishing an item does. What else comes goes to node's parser, with all
 * that follows on its connection.
 */
import type { Server } from 'node:http';
import type { Socket } from 'node:net';
import { WholeReader, type WholeRequest } from './whole-requests.js';

/**
 * Bytes of a request that is waited for here.
 *
 * @limit {KiB} of a publish that is read past the parser of node
 * @over it is read by that parser
 */
export const WHOLE_BYTES = 65_536;

/** In how many parts a request may come: mostly one, or its head and its body. More are for node's parser, which never reads one twice. */
const PARTS = 4;

/** Milliseconds for the next part; then node's parser, with its time limits, has what there is. */
const PART_MS = 1_000;

/**
 * Requests of one connection that wait for their answers.
 *
 * @limit {} publishes of one connection that wait for the backplane
 * @over the connection is not read until there are fewer; those that came in one piece with the last are published
 */
const AWAITED = 256;

/** An answer: its head without the fields that are the connection's (Date, Connection, Keep-Alive), and its body. */
export interface WholeAnswer {
  /** Status line and fields, each with its end. */
  readonly head: string;
  readonly body: string;
  /** It is the last one of its connection. */
  readonly closes: boolean;
}

/** What {@link WholeConnections} are made of. */
export interface WholeConnectionsOptions {
  /** The event by which the server has a connection that is ready for requests. */
  readonly event: 'connection' | 'secureConnection';
  /** The paths of requests that are read here. */
  readonly urls: readonly string[];
  /** Bytes of a request line and header fields; longer ones are for node's parser. */
  readonly maxHead: number;
  /** Milliseconds until the first byte, and from then on without a byte. */
  readonly firstMs: number;
  readonly idleMs: number;
  /**
   * Begins to work on a request, so that those of one connection keep their order; undefined, with nothing done, where node's parser
   * is to have it. The promise never rejects.
   */
  readonly serve: (request: WholeRequest, socket: Socket) => Promise<WholeAnswer> | undefined;
  /** A part of a request has come, of so many bytes. */
  readonly arriving: (socket: Socket, bytes: number) => void;
  /** All that there is to answer was written; so many bytes of it wait for the client, where that are more than a few. */
  readonly answered: (socket: Socket, waiting: number) => void;
  /** A callback of a connection has thrown. */
  readonly fault: (error: unknown, socket: Socket) => void;
}

/** Stands before node's own listener of connections. */
export class WholeConnections {
  readonly options: WholeConnectionsOptions;
  readonly reader: WholeReader;
  readonly #open = new Map<Socket, WholeConnection>();
  readonly #server: Server;
  readonly #next: (socket: Socket) => void;
  /** No request is the first of others from here on. */
  isClosing = false;

  /** Takes the place of node's listener: to be made before the server has others. */
  constructor(server: Server, options: WholeConnectionsOptions) {
    const [next] = server.listeners(options.event) as [(socket: Socket) => void];
    this.options = options;
    this.reader = new WholeReader(options.urls, options.maxHead, WHOLE_BYTES);
    this.#server = server;
    this.#next = next;
    server.off(options.event, next);
  }

  /** A new connection; it may have been refused already. */
  take(socket: Socket): void {
    if (!socket.destroyed) this.#open.set(socket, new WholeConnection(socket, this));
  }

  /** Whether a connection is read here, and not by node's parser. */
  has(socket: Socket): boolean {
    return this.#open.has(socket);
  }

  /** Closes those that are idle, and the others with their last answer. */
  close(): void {
    this.isClosing = true;
    for (const connection of this.#open.values()) connection.closeIfIdle();
  }

  /** Closes all. */
  cut(): void {
    for (const socket of this.#open.keys()) socket.destroy();
  }

  /**
   * Lets go of a connection that is ended by others: nothing that it sends is read here any more, and nothing is answered. True where
   * nothing waits for an answer, so that one more can be sent.
   */
  release(socket: Socket): boolean {
    return this.#open.get(socket)?.release() ?? false;
  }

  /** The connection is gone. */
  forget(socket: Socket): void {
    this.#open.delete(socket);
  }

  /** Node's parser has the connection from here on, and reads these bytes first. */
  handOver(socket: Socket, bytes: Buffer | undefined): void {
    if (bytes !== undefined) socket.unshift(bytes);
    this.#next.call(this.#server, socket);
    socket.resume();
  }
}

/** One of them. */
class WholeConnection {
  readonly #socket: Socket;
  readonly #all: WholeConnections;
  /** Of a request that has not come whole; or what is for node's parser, once what came before it is answered. */
  #rest: Buffer | undefined;
  #parts = 0;
  /** Answers in the order of their requests, from the first that has not been written; undefined where one is awaited. */
  readonly #answers: (WholeAnswer | undefined)[] = [];
  /** How many came before the first of them. */
  #written = 0;
  /**
   * `leaving` to node's parser; `ended` by the client, which still reads; `closing` with the answer that was written last, or by
   * others.
   */
  #state: 'open' | 'leaving' | 'ended' | 'closing' = 'open';

  constructor(socket: Socket, all: WholeConnections) {
    this.#socket = socket;
    this.#all = all;
    socket.setTimeout(all.options.firstMs);
    socket.on('data', this.#onData);
    socket.on('end', this.#onEnd);
    socket.on('timeout', this.#onTimeout);
    socket.on('drain', this.#onDrain);
    socket.on('error', ignore);
    socket.on('close', this.#onClose);
  }

  closeIfIdle(): void {
    if (this.#answers.length === 0 && this.#state === 'open') this.#socket.destroy();
  }

  readonly #onData = (chunk: Buffer): void => {
    try {
      if (this.#state === 'open') this.#read(chunk);
    } catch (error) {
      this.#all.options.fault(error, this.#socket);
    }
  };

  /** What is left of a request is none. */
  readonly #onEnd = (): void => {
    if (this.#state !== 'open') return;
    this.#state = 'ended';
    if (this.#answers.length === 0) this.#socket.destroySoon();
  };

  readonly #onTimeout = (): void => {
    if (this.#answers.length > 0 || this.#state !== 'open') return;
    if (this.#rest === undefined) this.#socket.destroy();
    else this.#leave(this.#rest);
  };

  readonly #onDrain = (): void => {
    if (this.#state !== 'open') return;
    if (this.#answers.length === 0) this.#all.options.answered(this.#socket, 0);
    this.#goOn();
  };

  readonly #onClose = (): void => this.#all.forget(this.#socket);

  #read(chunk: Buffer): void {
    const { options, reader } = this.#all;
    let bytes = this.#rest === undefined ? chunk : Buffer.concat([this.#rest, chunk]);
    this.#rest = undefined;
    while (bytes.length > 0) {
      const read = reader.read(bytes);
      if (read === 'partial' && ++this.#parts < PARTS) {
        this.#rest = bytes;
        options.arriving(this.#socket, bytes.length);
        break;
      }
      const work = typeof read === 'string' ? undefined : options.serve(read.request, this.#socket);
      if (work === undefined || typeof read === 'string') {
        this.#leave(bytes);
        return;
      }
      this.#parts = 0;
      this.#await(work);
      bytes = bytes.subarray(read.length);
    }
    this.#goOn();
  }

  /** Reads on, unless too much is under way. */
  #goOn(): void {
    const socket = this.#socket;
    // Less than that is not waited for: no event says that it has gone.
    const isBusy = this.#answers.length >= AWAITED || socket.writableNeedDrain;
    if (isBusy !== socket.isPaused()) {
      if (isBusy) socket.pause();
      else socket.resume();
    }
    const ms = this.#rest === undefined || isBusy ? this.#all.options.idleMs : PART_MS;
    // Each byte begins it anew by itself; to set it makes a timer.
    if (socket.timeout !== ms) socket.setTimeout(ms);
  }

  #await(work: Promise<WholeAnswer>): void {
    const at = this.#written + this.#answers.length;
    this.#answers.push(undefined);
    const fault = (error: unknown) => this.#all.options.fault(error, this.#socket);
    const answered = (answer: WholeAnswer) => {
      try {
        this.#answered(at, answer);
      } catch (error) {
        fault(error);
      }
    };
    work.then(answered, fault);
  }

  #answered(at: number, answer: WholeAnswer): void {
    this.#answers[at - this.#written] = answer;
    const text = this.#take();
    const socket = this.#socket;
    if (text === '' || socket.destroyed) return;
    socket.write(text);
    const waiting = socket.writableNeedDrain ? socket.writableLength : 0;
    if (this.#state === 'closing') {
      socket.destroySoon();
    } else if (this.#answers.length === 0) {
      if (this.#state === 'ended') socket.destroySoon();
      else if (this.#state === 'leaving') this.#gone();
      else this.#all.options.answered(socket, waiting);
    }
    if (this.#state === 'open') this.#goOn();
  }

  /** The answers whose turn it is, in one text. */
  #take(): string {
    let text = '';
    while (this.#answers[0] !== undefined && this.#state !== 'closing') {
      const { head, body, closes } = this.#answers.shift() as WholeAnswer;
      this.#written++;
      // Those after it are not answered: their clients have read that they must ask again.
      if (closes || (this.#all.isClosing && this.#answers.length === 0)) this.#state = 'closing';
      text += `${head}${connectionFields(this.#all.options.idleMs, this.#state === 'closing')}\r\n${body}`;
    }
    return text;
  }

  /** Node's parser has the rest, once what came before is answered. */
  #leave(bytes: Buffer): void {
    this.#state = 'leaving';
    this.#rest = bytes;
    this.#socket.pause();
    if (this.#answers.length === 0) this.#gone();
  }

  #gone(): void {
    this.#detach();
    this.#all.handOver(this.#socket, this.#rest);
  }

  release(): boolean {
    this.#state = 'closing';
    this.#detach();
    return this.#answers.length === 0;
  }

  #detach(): void {
    const socket = this.#socket;
    this.#all.forget(socket);
    socket.setTimeout(0);
    socket.off('data', this.#onData);
    socket.off('end', this.#onEnd);
    socket.off('timeout', this.#onTimeout);
    socket.off('drain', this.#onDrain);
    socket.off('error', ignore);
    socket.off('close', this.#onClose);
  }
}

/** The client has gone: there is nobody to report it to. */
const ignore = () => {};

let second = 0;
let date = '';

/** What node says in its own answers of a connection, and the date (RFC 9110 §6.6.1), to the second. */
function connectionFields(idleMs: number, closes: boolean): string {
  const now = Math.floor(Date.now() / 1_000);
  if (now !== second) {
    second = now;
    date = new Date(now * 1_000).toUTCString();
  }
  const rest = closes ? 'close' : `keep-alive\r\nKeep-Alive: timeout=${Math.floor(idleMs / 1_000)}`;
  return `Date: ${date}\r\nConnection: ${rest}\r\n`;
}
