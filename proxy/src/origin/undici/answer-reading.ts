/**
 * How undici reads answers, put right: reason phrases byte for byte, answers in order that undici takes for broken ones, and what an
 * origin has sent before it resets the connection.
 */
import type { Socket } from 'node:net';
import { MAX_REASON } from '@holdfast/grip';
import { type MessageParser, readingWholes } from './whole-answers.js';

/**
 * Most 100 Continue before one final answer; with more, the connection is closed as for any malformed answer. They are
 * swallowed, so that none of them is passed on, and none prolongs the time that an origin has for its final answer.
 *
 * @limit {} unrequested `100 Continue` answers before one answer
 * @over 502, connection to the origin closed
 */
export const CONTINUE_MAX = 100;

/** How undici's connectors are called. */
export type Connect<Options> = (
  options: Options,
  connected: (error: Error | null, socket?: object | null) => void,
) => void;

type Done = (error?: Error | null) => void;

/** How streams write. */
interface Writes {
  _write(chunk: unknown, encoding: BufferEncoding, done: Done): void;
  _writev(chunks: unknown, done: Done): void;
}

/** What a write fails with once the other side has reset the connection: whatever came before can still be read. */
const RESET: ReadonlySet<string | undefined> = new Set(['ECONNRESET', 'EPIPE']);

/** What undici has for each connection. */
interface AnswerParser {
  /** Of the message that is being read; from the end of its head on. */
  statusCode: number;
  /** The reason phrase so far, which comes in as many parts as there are segments; empty when an answer begins. */
  statusText: string;
  headers: Buffer[];
  headersSize: number;
  /** As sent; empty without one. With another number of bytes than this an answer counts as broken. */
  contentLength: string;
  keepAlive: string;
  connection: string;
  readonly socket: Socket;
  /** Of the parser in WebAssembly; null once it is freed. */
  readonly ptr: number | null;
  readonly llhttp: { llhttp_resume(ptr: number): void };
  /** Its reader takes no more. */
  paused: boolean;
  /** How many 100 Continue have come since the last final answer. */
  continues?: number;
  onStatus(part: Buffer): number;
  onHeadersComplete: HeadersComplete;
  onBody(part: Buffer): number;
  execute(bytes: Buffer): void;
  finish: Finish;
}

type Finish = (this: AnswerParser) => Error | null;

type HeadersComplete = (this: AnswerParser, status: number, upgrade: boolean, keepsAlive: boolean) => number;

/** The result for the parser after a head: there is no body. */
const NO_BODY = 1;

/** The result for the parser after a part of a body. */
const GO_ON = 0;

/** Marks what `amended` has made. */
const AMENDED = Symbol('amended');

/**
 * A connector whose connections read answers exactly. Where undici has changed, they are read as it does; tests show that it has
 * not. `parserFound` is called for each connection: whether there is a parser as expected.
 */
export function readingExactly<Options>(
  connect: Connect<Options>,
  parserFound: (isFound: boolean) => void,
): Connect<Options> {
  return (options, connected) =>
    connect(options, (error, socket) => {
      if (socket) readOn(socket as Socket & Writes);
      connected(error, socket);
      if (!socket) return;
      const kind = kindOf(socket) as AnswerParser | undefined;
      parserFound(kind !== undefined);
      if (kind !== undefined) amend(kind);
    });
}

/** The parser that undici has for a connection, from when it has taken it until it is closed. */
export function parserOf(socket: object): MessageParser | undefined {
  const name = Object.getOwnPropertySymbols(socket).find(({ description }) => description === 'parser');
  return ((name && (socket as Readonly<Record<symbol, object | null>>)[name]) ?? undefined) as
    | MessageParser
    | undefined;
}

/** The kind of a connection's parser: its prototype, the same for all connections. */
function kindOf(socket: object): object | undefined {
  const parser = parserOf(socket);
  return (parser && (Object.getPrototypeOf(parser) as object | null)) ?? undefined;
}

function amend(kind: AnswerParser): void {
  const { onStatus, onHeadersComplete, finish } = kind;
  if (typeof onStatus === 'function') kind.onStatus = latin1Status;
  if (typeof onHeadersComplete !== 'function' || AMENDED in onHeadersComplete) return;
  kind.onHeadersComplete = Object.assign(amended(onHeadersComplete), { [AMENDED]: true });
  if (typeof finish === 'function') kind.finish = finishing(finish);
  readingWholes(kind as unknown as MessageParser);
}

/** A character for each byte (RFC 9112 §4 has obs-text). What is longer than may be sent need not be kept. */
function latin1Status(this: AnswerParser, part: Buffer): number {
  if (this.statusText.length <= MAX_REASON) {
    this.statusText += part.toString('latin1', 0, MAX_REASON + 1 - this.statusText.length);
  }
  return 0;
}

/**
 * undici asserts that nobody has paused when a connection ends that delimits its answer, and so would end the process. What is
 * left is little, and goes to the reader, who has to keep it.
 */
function finishing(original: Finish): Finish {
  return function (this: AnswerParser) {
    if (!this.paused || this.ptr === null) return original.call(this);
    const { onBody } = this;
    this.onBody = (part) => {
      onBody.call(this, part);
      return GO_ON;
    };
    this.paused = false;
    this.llhttp.llhttp_resume(this.ptr);
    const rest = this.socket.read() as Buffer | null;
    if (rest !== null) this.execute(rest);
    // It may be complete by what was left.
    return this.paused || this.ptr === null ? null : original.call(this);
  };
}

/**
 * A 204 has no body whatever its head says (RFC 9112 §6.3), but after one that speaks of a body the connection is not used again:
 * its origin may have sent one. With a 304 the length is that of another answer (RFC 9110 §8.6).
 */
function amended(original: HeadersComplete): HeadersComplete {
  return function (this: AnswerParser, status, upgrade, keepsAlive) {
    if (status === 100) {
      this.continues = (this.continues ?? 0) + 1;
      if (this.continues > CONTINUE_MAX || upgrade || this.socket.destroyed) {
        return original.call(this, status, upgrade, keepsAlive);
      }
      // As undici goes on after another interim answer, without reporting it. The end of the message forgets the rest.
      this.statusCode = status;
      this.headers = [];
      this.headersSize = 0;
      return NO_BODY;
    }
    if (status < 200) return original.call(this, status, upgrade, keepsAlive);
    this.continues = 0;
    if (status !== 204 && status !== 304) return original.call(this, status, upgrade, keepsAlive);
    const speaksOfBody = status === 204 && this.contentLength !== '' && Number(this.contentLength) !== 0;
    this.contentLength = '';
    return original.call(this, status, upgrade, keepsAlive && !speaksOfBody);
  };
}

/**
 * An origin that refuses an upload answers, and closes with the rest unread: its kernel resets the connection. The answer is here
 * by then, but the next write fails with the reset first, and node discards a socket with all that it has received. A connection
 * that the other side has reset therefore takes no more, and ends when all that came has been read: with the error where that was
 * no whole answer. The same holds when the reset is read while bytes before it wait for their reader.
 */
function readOn(socket: Socket & Writes): void {
  const { _write, _writev } = socket;
  let done: Done | undefined;
  let noted: Done;
  // A stream has one callback for all its writes, so that there is one of ours.
  const noting = (callback: Done): Done => {
    if (callback !== done) {
      done = callback;
      noted = (error) => {
        if (!RESET.has((error as NodeJS.ErrnoException | null | undefined)?.code)) callback(error);
        // Nothing more is taken: the write never ends. Reading ends soon, for nothing more can come.
        else socket.prependOnceListener('end', () => socket.destroy(error as Error));
      };
    }
    return noted;
  };
  const { destroy } = socket;
  let isOver = false;
  socket.destroy = (error?: Error) => {
    const { code, syscall } = (error ?? {}) as NodeJS.ErrnoException;
    if (isOver || code !== 'ECONNRESET' || syscall !== 'read' || socket.readableLength === 0) {
      return destroy.call(socket, error) as typeof socket;
    }
    isOver = true;
    socket.prependOnceListener('end', () => socket.destroy(error));
    socket.push(null);
    return socket;
  };
  socket._write = (chunk, encoding, callback) => _write.call(socket, chunk, encoding, noting(callback));
  socket._writev = (chunks, callback) => _writev.call(socket, chunks, noting(callback));
}
