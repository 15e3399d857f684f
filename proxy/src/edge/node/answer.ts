/** Single operations on node's `ServerResponse` and its socket: chunks, interim heads, trailers, the end, breaking off. */
import { type IncomingMessage, ServerResponse, STATUS_CODES } from 'node:http';
import type { Socket } from 'node:net';
import { headerValues, type ResponseHead } from '@holdfast/grip';
import { passableNames, saysTrailers } from '../../http/fields.js';
import { headLines } from '../client-headers.js';

/**
 * How long an answer that was broken off may take to drain to its client before the connection is cut, in ms.
 *
 * @limit {s} for what was written before an answer broke off
 * @over connection cut
 */
const ABORT_DRAIN_MS = 5_000;

/**
 * Longest body, in bytes, that goes out as one string with its head.
 *
 * @limit {} bytes
 * @over no limit: a longer body is a write of its own
 */
const JOIN_MAX = 16_384;

const CRLF = Buffer.from('\r\n');

/** Ends a chunked body (RFC 9112 §7.1). */
const LAST_CHUNK = Buffer.from('0\r\n\r\n');

/** Body bytes as one chunk (RFC 9112 §7.1). Not for none: an empty chunk would end the body. */
export function chunkOf(payload: Buffer): Buffer {
  return Buffer.concat([Buffer.from(`${payload.length.toString(16)}\r\n`, 'latin1'), payload, CRLF]);
}

/** The request of an answer that is made anew, as far as node reads it. */
const PLAIN = { method: 'GET', httpVersionMajor: 1, httpVersionMinor: 1, headers: {} } as IncomingMessage;

/** An answer to an HTTP/1.1 request that node has forgotten, other than HEAD, on a socket that has none. */
export function newAnswer(socket: Socket, keepsAlive: boolean): ServerResponse {
  const response = new ServerResponse(PLAIN);
  response.sendDate = false;
  response.shouldKeepAlive = keepsAlive;
  response.assignSocket(socket);
  return response;
}

/** An interim answer (RFC 9110 §15.2), as Latin-1. Throws when it cannot be put on the wire. */
export function interimHead(head: ResponseHead): string {
  return `${headLines(head, 'interim')}\r\n\r\n`;
}

/** Adds to the fields of a chunked answer which trailers it says will follow, for a client that takes them (RFC 9110 §6.6.2). */
export function announceTrailers(head: ResponseHead, response: ServerResponse, fields: string[]): void {
  const names = headerValues(head.headers, 'trailer');
  if (names.length === 0 || !saysTrailers(response.req.rawHeaders)) return;
  const passed = passableNames(names.join(','));
  if (passed !== undefined) fields.push('Trailer', passed);
}

/** Adds trailers, which node writes after the last chunk. */
export function addTrailers(response: ServerResponse, trailers: readonly string[]): void {
  const pairs: [string, string][] = [];
  for (let i = 0; i < trailers.length; i += 2) pairs.push([trailers[i] as string, trailers[i + 1] as string]);
  if (pairs.length > 0) response.addTrailers(pairs);
}

/**
 * Writes body bytes, or none, which sends the head alone. They go out with all else that is written in this turn. The socket is
 * corked here, and not left to node: from 24.22 on node would keep the bytes back in the answer until the turn is over, where what
 * is written to the socket itself would overtake them, and where they are lost when the answer is taken off its socket.
 */
export function writeBody(response: ServerResponse, chunk: Buffer | ''): boolean {
  const { socket } = response;
  if (socket && socket.writableCorked === 0) {
    socket.cork();
    process.nextTick(uncork, socket);
  }
  return typeof chunk === 'string' ? response.write(chunk, 'latin1') : response.write(chunk);
}

function uncork(socket: Socket): void {
  socket.uncork();
}

/** Ends an answer; `joins`: its head is still to go out. */
export function endAnswer(response: ServerResponse, chunk: Buffer | undefined, joins: boolean): void {
  if (chunk === undefined || chunk.length === 0) response.end();
  // Node joins a string to the head, where a buffer would be a write of its own.
  else if (joins && chunk.length <= JOIN_MAX) endAtOnce(response, chunk.toString('latin1'));
  else response.end(chunk);
}

/**
 * Writes head and body, and ends then: given the body, `end` writes an empty part behind it, so that both leave by `writev`, which
 * puts them together once more. Not where other bytes are collected for the socket already.
 */
function endAtOnce(response: ServerResponse, body: string): void {
  const { socket } = response;
  if (!socket || socket.writableCorked > 0 || response.chunkedEncoding) {
    response.end(body, 'latin1');
    return;
  }
  socket.cork();
  response.write(body, 'latin1');
  socket.uncork();
  response.end();
}

/** Ends a chunked body whose head node has written and forgotten; `done` is called when all is with the kernel. */
export function endChunked(socket: Socket, chunk: Buffer | undefined, done: () => void): void {
  socket.cork();
  if (chunk !== undefined && chunk.length > 0) socket.write(chunkOf(chunk));
  socket.write(LAST_CHUNK, done);
  socket.uncork();
}

/** Answers bytes that could not be parsed, on the bare socket, and ends it: where one request ends is unknown. */
export function answerMalformed(socket: Socket, status: number, text: string): void {
  socket.end(
    `HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\nContent-Type: text/plain\r\nCache-Control: no-store\r\nConnection: close\r\n` +
      `Content-Length: ${Buffer.byteLength(text)}\r\n\r\n${text}`,
  );
}

/** Ends a connection in the middle of a body. A body that ends with the connection needs a reset to be seen as incomplete. */
export function cutAnswer(socket: Socket, untilClose: boolean): void {
  if (untilClose) {
    try {
      socket.resetAndDestroy();
    } catch {
      // Only TCP has a reset. On TLS the missing close_notify has the same meaning; a unix socket has no way to signal it.
      socket.destroy();
    }
    return;
  }
  socket.destroySoon();
  const timer = setTimeout(() => socket.destroy(), ABORT_DRAIN_MS).unref();
  socket.once('close', () => clearTimeout(timer));
}
