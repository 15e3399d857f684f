/**
 * Answers that come whole in one read, as small ones do: read here, where undici copies each read into WebAssembly and is called
 * back for each field. The calls that its parser would make are made, so that all else stays undici's. What is in any way unusual
 * is left to its parser.
 */
import type { Socket } from 'node:net';

/** Bytes of a head, up to which it is read here. */
const HEAD_MAX = 16_384;

/** Digits of a length that is read here. */
const LENGTH_DIGITS = 5;

/**
 * A status line and fields, each with its CRLF: of a status with a body (RFC 9110 §6.4.1), with names that are tokens, with
 * values and a reason of HTAB, SP, VCHAR and obs-text, without folded lines. Linear: no character can continue two parts.
 */
const HEAD =
  /^HTTP\/1\.1 [2-5]\d\d [\t\x20-\x7e\x80-\xff]*\r\n(?:[!#$%&'*+\-.^_`|~0-9A-Za-z]+:[\t\x20-\x7e\x80-\xff]*\r\n)+$/;

/** Where the reason begins. */
const REASON_AT = 'HTTP/1.1 200 '.length;

const SP = 0x20;
const HTAB = 0x09;

/** What undici's parser has for each connection, as far as it is used here. */
export interface MessageParser {
  statusText: string;
  headers: (Buffer | string)[];
  headersSize: number;
  readonly headersMaxSize: number;
  contentLength: string;
  /** Values of Connection and Keep-Alive. */
  connection: string;
  keepAlive: string;
  readonly socket: Socket;
  /** Of the parser in WebAssembly; null once it is freed. */
  readonly ptr: number | null;
  /** Its reader takes no more. */
  paused: boolean;
  /** It has some of a message and not all; undefined where nothing is read here. */
  isWithin?: boolean;
  onMessageBegin: (this: MessageParser) => number;
  onHeadersComplete(status: number, upgrade: boolean, keepsAlive: boolean): number;
  onBody(part: Buffer): number;
  onMessageComplete: (this: MessageParser) => number;
  execute: (this: MessageParser, bytes: Buffer) => void;
}

/** What is in an answer. */
interface WholeAnswer {
  readonly status: number;
  readonly reason: string;
  /** Flat pairs; a character for each byte. */
  readonly headers: string[];
  /** Bytes of names and values. */
  readonly headersSize: number;
  readonly length: string;
  /** `keep-alive`, or empty where there is no such field. */
  readonly connection: string;
  readonly keepAlive: string;
  /** Where the body begins, which takes the rest. */
  readonly bodyAt: number;
}

/** Whether the end, the connection or the meaning of a message may depend on a field of this name. */
function isUnusual(name: string): boolean {
  switch (name.length) {
    case 7:
    case 16:
    case 17:
      return /^(?:upgrade|trailer|proxy-connection|transfer-encoding)$/i.test(name);
    default:
      return false;
  }
}

function isBlank(code: number): boolean {
  return code === SP || code === HTAB;
}

/** The bytes as one answer with a Content-Length, no more and no less; undefined where they are not, or not plainly. */
export function readWhole(bytes: Buffer): WholeAnswer | undefined {
  const end = bytes.indexOf('\r\n\r\n', 0, 'latin1');
  if (end < 0 || end > HEAD_MAX) return undefined;
  const text = bytes.toString('latin1', 0, end + 2);
  if (!HEAD.test(text)) return undefined;
  const status = Number(text.slice(REASON_AT - 4, REASON_AT - 1));
  if (status === 204 || status === 304) return undefined;
  const reasonEnd = text.indexOf('\r\n', REASON_AT);
  const headers: string[] = [];
  let headersSize = 0;
  let length: string | undefined;
  let connection: string | undefined;
  let keepAlive: string | undefined;
  for (let at = reasonEnd + 2; at < text.length; ) {
    const colon = text.indexOf(':', at);
    const lineEnd = text.indexOf('\r\n', colon);
    const name = text.slice(at, colon);
    let from = colon + 1;
    while (from < lineEnd && isBlank(text.charCodeAt(from))) from++;
    // undici's parser keeps blanks behind a value.
    if (from < lineEnd && isBlank(text.charCodeAt(lineEnd - 1))) return undefined;
    const value = text.slice(from, lineEnd);
    if (name.length === 14 && name.toLowerCase() === 'content-length') {
      if (length !== undefined) return undefined;
      length = value;
    } else if (name.length === 10) {
      // Most servers say in each answer that they keep the connection, and for how long.
      const lower = name.toLowerCase();
      if (lower === 'connection') {
        if (connection !== undefined || value.toLowerCase() !== 'keep-alive') return undefined;
        connection = value;
      } else if (lower === 'keep-alive') {
        if (keepAlive !== undefined) return undefined;
        keepAlive = value;
      }
    } else if (isUnusual(name)) return undefined;
    headers.push(name, value);
    headersSize += name.length + value.length;
    at = lineEnd + 2;
  }
  const bodyAt = end + 4;
  if (length === undefined || length.length > LENGTH_DIGITS || !/^\d+$/.test(length)) return undefined;
  if (bytes.length - bodyAt !== Number(length)) return undefined;
  const reason = text.slice(REASON_AT, reasonEnd);
  return {
    status,
    reason,
    headers,
    headersSize,
    length,
    connection: connection ?? '',
    keepAlive: keepAlive ?? '',
    bodyAt,
  };
}

/**
 * Takes the bytes as one whole answer; false, with nothing done, where they are not, or other bytes are awaited. `isKept`: the
 * bytes stay as they are; otherwise those of the body are copied.
 */
export function takeWhole(parser: MessageParser, bytes: Buffer, isKept: boolean): boolean {
  if (parser.isWithin !== false || parser.paused || parser.ptr === null) return false;
  const answer = readWhole(bytes);
  if (answer === undefined || answer.headersSize >= parser.headersMaxSize) return false;
  try {
    give(parser, answer, bytes, isKept);
  } catch (error) {
    parser.socket.destroy(error as Error);
  }
  return true;
}

/** Results of the parser's methods: it goes on; the connection is over. */
const GO_ON = 0;
const OVER = -1;

function give(parser: MessageParser, answer: WholeAnswer, bytes: Buffer, isKept: boolean): void {
  if (parser.onMessageBegin() !== GO_ON) return;
  parser.statusText = answer.reason;
  parser.headers = answer.headers;
  parser.headersSize = answer.headersSize;
  parser.contentLength = answer.length;
  parser.connection = answer.connection;
  parser.keepAlive = answer.keepAlive;
  const result = parser.onHeadersComplete(answer.status, false, true);
  if (result === OVER) return;
  const part = bytes.subarray(answer.bodyAt);
  const body = isKept ? part : Buffer.from(part);
  if (result === GO_ON) {
    // A reader that takes no more has had all there is.
    if (body.length > 0 && parser.onBody(body) === OVER) return;
    parser.onMessageComplete();
    return;
  }
  // The answer to HEAD: what follows its head is another message, as the parser sees it.
  parser.onMessageComplete();
  if (body.length > 0 && parser.ptr !== null && !parser.socket.destroyed) parser.execute(body);
}

/** Has a kind of parser read whole answers here. It must have been amended before; once. */
export function readingWholes(kind: MessageParser): void {
  const { execute, onMessageBegin, onHeadersComplete, onBody, onMessageComplete } = kind;
  const used: unknown[] = [execute, onMessageBegin, onHeadersComplete, onBody, onMessageComplete];
  if (!used.every((method) => typeof method === 'function')) return;
  kind.isWithin = false;
  kind.onMessageBegin = function () {
    this.isWithin = true;
    return onMessageBegin.call(this);
  };
  kind.onMessageComplete = function () {
    this.isWithin = false;
    return onMessageComplete.call(this);
  };
  kind.execute = function (bytes) {
    if (!takeWhole(this, bytes, true)) execute.call(this, bytes);
  };
}
