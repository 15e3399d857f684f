/**
 * Owns: answers that are in order, and that undici takes for broken ones: a 100 Continue that nobody has asked for, a length in
 * the head of an answer that has no body, and a body that ends with its connection while its reader has paused. Does not own:
 * what is done with an answer. The only file that knows that part of undici.
 */
import type { Socket } from 'node:net';
import { type Connect, withParserKind } from './parser.js';

/**
 * Most 100 Continue before one final answer; with more, the connection is closed as for any malformed answer. They are
 * swallowed, so that none of them is passed on, and none prolongs the time that an origin has for its final answer.
 *
 * @limit {} unrequested `100 Continue` answers before one answer
 * @over 502, connection to the origin closed
 */
export const CONTINUE_MAX = 100;

/** What undici has for each connection. */
interface HeadParser {
  /** Of the message that is being read; from the end of its head on. */
  statusCode: number;
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
  onHeadersComplete: HeadersComplete;
  onBody(part: Buffer): number;
  execute(bytes: Buffer): void;
  finish: Finish;
}

type Finish = (this: HeadParser) => Error | null;

type HeadersComplete = (this: HeadParser, status: number, upgrade: boolean, keepsAlive: boolean) => number;

/** The result for the parser after a head: there is no body. */
const NO_BODY = 1;

/** The result for the parser after a part of a body. */
const GO_ON = 0;

/** Marks what `amended` has made. */
const AMENDED = Symbol('amended');

/**
 * A connector whose connections take such answers. A 204 has no body whatever its head says (RFC 9112 §6.3), but after one
 * that speaks of a body the connection is not used again: its origin may have sent one. With a 304 the length is that of
 * another answer (RFC 9110 §8.6). Where undici has changed, they report them as it does; tests show that it has not.
 */
export function withAnswerFraming<Options>(connect: Connect<Options>): Connect<Options> {
  return withParserKind(connect, (found) => {
    const kind = found as HeadParser;
    const { onHeadersComplete, finish } = kind;
    if (typeof onHeadersComplete !== 'function' || AMENDED in onHeadersComplete) return;
    kind.onHeadersComplete = Object.assign(amended(onHeadersComplete), { [AMENDED]: true });
    if (typeof finish === 'function') kind.finish = finishing(finish);
  });
}

/**
 * undici asserts that nobody has paused when a connection ends that delimits its answer, and so would end the process. What is
 * left is little, and goes to the reader, who has to keep it.
 */
function finishing(original: Finish): Finish {
  return function (this: HeadParser) {
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

function amended(original: HeadersComplete): HeadersComplete {
  return function (this: HeadParser, status, upgrade, keepsAlive) {
    if (status === 100) {
      this.continues = (this.continues ?? 0) + 1;
      if (this.continues > CONTINUE_MAX || upgrade || this.socket.destroyed) {
        return original.call(this, status, upgrade, keepsAlive);
      }
      // As undici goes on after another interim answer, but for telling of it. The end of the message forgets the rest.
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
