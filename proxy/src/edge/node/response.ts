/** The answer to one request on the node edge, from head to last byte, and the direct path of stream pieces to the socket. */
import type { ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { RawHeaders, ResponseHead } from '@holdfast/grip';
import { passableTrailers, saysTrailers } from '../../http/fields.js';
import type { Flushable } from '../../runtime/flush-queue.js';
import { flushBodiless } from '../../runtime/node-internals/http-socket.js';
import {
  type DirectHandle,
  type DirectWriter,
  queuedWrites,
  WRITE_BYTES,
} from '../../runtime/node-internals/socket-writes.js';
import { checkedHeaders } from '../client-headers.js';
import { callGone, endFaulty, type FaultyResponse } from '../edge-answers.js';
import type { ResponseHandler, StreamPiece } from '../port.js';
import {
  addTrailers,
  announceTrailers,
  chunkOf,
  cutAnswer,
  endAnswer,
  endChunked,
  interimHead,
  newAnswer,
  writeBody,
} from './answer.js';
import type { AnswerConnection, NodeResponseDeps } from './response-deps.js';
import { caughtUp, isBehind, type SettledHead, writeWhole } from './settled-answer.js';

/**
 * A client response carried by node's `ServerResponse`, which writes the head and frames `write` and `end`. Pieces of a
 * held stream go past it to the socket, and where they can past the stream of the socket too.
 */
export class NodeResponse implements FaultyResponse, Flushable, DirectWriter {
  bodyBytes = 0;
  /** The body of the request, while it may be read: `break` says that the rest will not come. */
  body: { break(): void } | undefined;
  /** Node's own object; undefined while the answer is held without it. */
  #response: ServerResponse | undefined;
  /** Where the answer goes while it is held without node's object. */
  #socket: Socket | undefined;
  readonly #connection: AnswerConnection;
  readonly #deps: NodeResponseDeps;
  readonly #chunkable: boolean;
  #keepsAlive = true;
  #handler: ResponseHandler | undefined;
  /** What was pushed in this turn: mostly one piece, which takes no list. */
  #piece: StreamPiece | undefined;
  #morePieces: StreamPiece[] | undefined;
  #pieceBytes = 0;
  #over = false;
  /** The client went before the answer was complete. */
  #gone = false;
  /** Answers to HEAD, 204 and 304 have no body, whatever is written. */
  #bodiless = false;
  #starved = false;
  #unbounded = false;
  #bodyBegun = false;
  /** Of an answer that was held without node's object to its end. */
  #isWritten = false;
  /** The head of such an answer, until it goes out with its body. */
  #settled: SettledHead | undefined;
  /** Where pieces go while the answer is held, if that is possible. */
  #handle: DirectHandle | undefined;
  /** Bytes that were written there and have not been taken yet. */
  #behind = 0;
  /** Something may wait in the stream of the socket. */
  #mayWait = true;

  constructor(response: ServerResponse, version: string, connection: AnswerConnection, deps: NodeResponseDeps) {
    this.#response = response;
    this.#connection = connection;
    this.#deps = deps;
    this.#chunkable = version === '1.1';
    response.sendDate = false;
  }

  /** The head has been given to the client's connection, or will be at the end of this turn. */
  get headersSent(): boolean {
    return this.#response?.headersSent ?? (this.#bodyBegun || this.#settled !== undefined);
  }

  /**
   * All of the answer has been given to the kernel, and node has let its response go of the socket. The second comes in a
   * later tick than the first; a socket that is given to the next answer between them makes node throw.
   */
  get isFinished(): boolean {
    const response = this.#response;
    return response === undefined ? this.#isWritten : response.writableFinished && response.socket === null;
  }

  /** Calls `then` when all of the answer has been given to the kernel; not while it is held. */
  whenFinished(then: () => void): void {
    this.#response?.once('finish', then);
  }

  /** The body of the request, if it has one, has been read. */
  get isRequestComplete(): boolean {
    return this.#response?.req.complete ?? true;
  }

  /** The request will not be answered. */
  discardRequest(): void {
    this.#response?.req.resume();
  }

  /** False when the connection is to close after this answer, which its head says if it is still to go out. */
  set shouldKeepAlive(value: boolean) {
    this.#keepsAlive = value;
    if (this.#response !== undefined) this.#response.shouldKeepAlive = value;
  }

  setHandler(handler: ResponseHandler): void {
    if (this.#gone) queueMicrotask(() => callGone(handler, this.#deps.faults));
    if (this.#over) return;
    this.#handler = handler;
    if (this.#isDestroyed) queueMicrotask(() => this.gone());
  }

  writeHead(head: ResponseHead, length: number | undefined, flush = false): void {
    if (this.#over || this.#isDestroyed) return;
    if (this.#response === undefined && length !== undefined && !flush) {
      this.#settled = this.#deps.settled.of(head, length);
      if (this.#deps.closesAfterAnswers) this.#connection.finish();
      this.#deps.flushes.add(this);
      return;
    }
    const headers = checkedHeaders(head, 'final');
    if (this.#deps.closesAfterAnswers) this.#connection.finish();
    const response = this.#response ?? this.#renew();
    this.#unbounded = length === undefined;
    this.#bodiless = response.req.method === 'HEAD' || head.status === 204 || head.status === 304;
    if (length !== undefined && head.status !== 204) headers.push('Content-Length', String(length));
    if (this.#unbounded && this.#chunkable && !this.#bodiless) announceTrailers(head, response, headers);
    // An HTTP/1.1 connection that stays open says nothing of it; closing ones and HTTP/1.0 are node's to announce.
    if (this.#chunkable && response.shouldKeepAlive) response.removeHeader('connection');
    response.writeHead(head.status, head.reason, headers);
    // A head whose body is slow to come goes out by itself at the end of this turn: most bodies come with their head, and
    // leave with it in one write.
    if (flush) this.#flushHead();
    else this.#deps.flushes.add(this);
  }

  writeInformation(head: ResponseHead): void {
    if (this.#over || !this.#chunkable || this.headersSent) return;
    (this.#socket ?? this.#response?.socket)?.write(interimHead(head), 'latin1');
  }

  write(chunk: Buffer): boolean {
    this.#unsettle();
    if (this.#over || this.#bodiless || this.#isDestroyed || chunk.length === 0) return true;
    this.#flushPieces();
    this.#bodyBegun = true;
    this.bodyBytes += chunk.length;
    this.#mayWait = true;
    const response = this.#response;
    const taken = response ? writeBody(response, chunk) : (this.#socket?.write(chunkOf(chunk)) ?? true);
    if (!taken) {
      this.#starved = true;
      this.#watch();
    }
    return taken;
  }

  end(chunk?: Buffer, trailers?: RawHeaders): void {
    if (this.#over) return;
    if (this.#settled?.takes(chunk) === false) this.#unsettle();
    if (trailers !== undefined && trailers.length > 0) this.#addTrailers(trailers);
    this.#flushPieces();
    // One whose head went out before has not said so.
    if (this.#deps.closesAfterAnswers) this.#connection.finish();
    this.#over = true;
    this.#handler = undefined;
    if (this.#isDestroyed) return;
    this.bodyBytes += chunk?.length ?? 0;
    if (this.#response !== undefined) endAnswer(this.#response, chunk, !this.#bodyBegun);
    else if (this.#socket !== undefined) this.#endIdle(this.#socket, chunk);
    this.#watch();
  }

  /** What waits from here on the client has to take in time. */
  #watch(): void {
    const socket = this.#socket ?? this.#response?.socket;
    if (socket && socket.writableLength > 0) this.#deps.writes.add(socket);
  }

  closeAfter(rest: 'none' | 'bounded' | 'unbounded'): void {
    if (rest === 'none') this.#connection.finish();
    else this.#connection.last(true);
  }

  #addTrailers(trailers: RawHeaders): void {
    const response = this.#response;
    if (response === undefined || !response.chunkedEncoding || !saysTrailers(response.req.rawHeaders)) return;
    addTrailers(response, passableTrailers(trailers));
  }

  abort(discard = false): void {
    if (this.#over) return;
    const response = this.#response;
    const socket = response === undefined ? (this.#socket as Socket) : response.socket;
    if (!discard) this.#flushPieces();
    this.#over = true;
    this.#handler = undefined;
    this.#dropPieces();
    if (socket === null) response?.destroy();
    else if (discard || !this.headersSent) socket.destroy();
    else cutAnswer(socket, this.#unbounded && response?.chunkedEncoding === false);
  }

  push(piece: StreamPiece): void {
    this.#unsettle();
    if (this.#over || this.#bodiless || piece.payload.length === 0) return;
    if (this.#piece === undefined) {
      this.#piece = piece;
      this.#deps.flushes.addSoon(this);
    } else {
      this.#morePieces ??= [];
      this.#morePieces.push(piece);
    }
    this.#pieceBytes += piece.payload.length;
    this.bodyBytes += piece.payload.length;
  }

  get waiting(): number {
    const waiting = this.#pieceBytes + this.#behind;
    if (!this.#mayWait) return waiting;
    const socket = this.#socket ?? this.#response?.socket;
    if (!socket) return waiting + (this.#response?.writableLength ?? 0);
    const { writableLength } = socket;
    return writableLength === 0 ? waiting : waiting + writableLength + WRITE_BYTES * queuedWrites(socket);
  }

  goIdle(): void {
    const response = this.#response;
    const held = this.#socket ?? response?.socket;
    if (held) this.#deps.writes.delete(held);
    if (response === undefined || this.#over || !this.#chunkable || response.req.method === 'HEAD') return;
    this.flush();
    if (response.headersSent && !response.chunkedEncoding) return;
    const { socket, shouldKeepAlive } = response;
    if (socket === null || !this.#connection.detach(response.req, response)) return;
    this.#socket = socket;
    this.#handle = this.#deps.direct.handleOf(socket);
    this.#keepsAlive = shouldKeepAlive;
    this.#response = undefined;
    this.body = undefined;
  }

  /** Writes what this turn has collected: the head, and the pieces pushed so far. */
  flush(): void {
    try {
      this.#unsettle();
      this.#flushPieces();
      if (this.#response !== undefined && !this.#over && this.headersSent && !this.#isDestroyed) this.#flushHead();
    } catch (error) {
      this.faulted(error);
    }
  }

  #flushPieces(): void {
    const first = this.#piece;
    const more = this.#morePieces;
    if (first === undefined) return;
    this.#dropPieces();
    if (this.#over || (more === undefined && this.#writeDirectly(first)) || this.#isDestroyed) return;
    const pieces = more === undefined ? [first] : [first, ...more];
    const response = this.#response;
    const socket = this.#socket ?? response?.socket;
    this.#mayWait = true;
    // A response that is not at the head of its connection has no socket yet: node keeps the bytes until it has.
    if (!socket || !this.headersSent) {
      if (response) for (const piece of pieces) writeBody(response, piece.payload);
    } else {
      socket.cork();
      this.#flushHead();
      for (const piece of pieces) socket.write(this.#encode(piece));
      socket.uncork();
    }
  }

  #dropPieces(): void {
    this.#piece = undefined;
    this.#morePieces = undefined;
    this.#pieceBytes = 0;
  }

  /** False, with nothing written, where earlier bytes wait or the socket has no handle. */
  #writeDirectly(piece: StreamPiece): boolean {
    if (this.#handle === undefined || this.#behind > 0) return false;
    if (this.#mayWait && (this.#socket?.writableLength ?? 1) > 0) return false;
    const left = this.#deps.direct.write(this.#handle, piece.framed(chunkOf), this);
    this.#mayWait = left < 0;
    if (left > 0) this.#behind = left;
    return left >= 0;
  }

  directlyWritten(isBroken: boolean): void {
    this.#behind = 0;
    if (isBroken) this.#socket?.destroy();
    else if (this.#socket !== undefined && isBehind(this.#socket)) this.written();
  }

  /** All of an answer that was held without node's object to its end has been given to the kernel. */
  written(): void {
    this.#isWritten = true;
    if (this.#socket !== undefined) caughtUp(this.#socket);
    this.#connection.answered(this.#keepsAlive);
  }

  /** The socket has room again. */
  writable(): void {
    if (!this.#starved) return;
    this.#starved = false;
    try {
      this.#handler?.onWritable();
    } catch (error) {
      this.faulted(error);
    }
  }

  /** The connection is gone; calls the handler unless the answer was complete. */
  gone(): void {
    if (this.#over) return;
    this.#over = true;
    this.#gone = true;
    const handler = this.#handler;
    this.#handler = undefined;
    this.#dropPieces();
    this.body?.break();
    if (handler !== undefined) callGone(handler, this.#deps.faults);
  }

  /** Reports an error of the code behind the answer, and ends the answer. */
  faulted(error: unknown): void {
    endFaulty(this, this.#handler, error, this.#deps.faults);
  }

  /** Whether the answer is complete or broken off, as far as its handler is concerned. */
  get over(): boolean {
    return this.#over;
  }

  /** Node keeps the head back for the first body bytes, of which it does not see those that are pushed. */
  #flushHead(): void {
    const response = this.#response;
    if (this.#bodyBegun || response === undefined) return;
    this.#bodyBegun = true;
    // Not by node's flushHeaders, which writes the head as UTF-8: that would change bytes above 0x7f, and heads are Latin-1.
    if (this.#bodiless) flushBodiless(response);
    else writeBody(response, '');
  }

  #encode(piece: StreamPiece): Buffer {
    return this.#response?.chunkedEncoding === false ? piece.payload : piece.framed(chunkOf);
  }

  get #isDestroyed(): boolean {
    return (this.#response ?? this.#socket)?.destroyed === true;
  }

  /** The answer that was held without node's object is to be written now, from its head on. */
  #renew(): ServerResponse {
    const socket = this.#socket as Socket;
    const response = newAnswer(socket, this.#keepsAlive);
    response.once('finish', () => {
      response.detachSocket(socket);
      this.#connection.answered(response.shouldKeepAlive);
    });
    this.#response = response;
    this.#socket = undefined;
    this.#handle = undefined;
    this.#mayWait = true;
    return response;
  }

  /** Writes head and body as one, or ends a body whose head node has written, and its framing with it. */
  #endIdle(socket: Socket, chunk: Buffer | undefined): void {
    this.#mayWait = true;
    const bytes = this.#settled?.bytes(chunk, this.#keepsAlive);
    // An idle connection must not keep what its last answer was.
    this.#settled = undefined;
    this.#bodyBegun = true;
    if (bytes === undefined) endChunked(socket, chunk, () => this.written());
    else this.#behind = writeWhole(socket, this.#behind > 0 ? undefined : this.#handle, bytes, this, this.#deps);
  }

  /** The body does not come with its head, or is not as long as that says: node writes both. */
  #unsettle(): void {
    const settled = this.#settled;
    if (settled === undefined || this.#over) return;
    this.#settled = undefined;
    const { head, length } = settled;
    this.#renew();
    this.writeHead(head, length);
  }
}
