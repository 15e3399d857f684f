/** Owns: the answers that the edge gives by itself. Does not own: why a request is refused. */
import { STATUS_CODES } from 'node:http';
import type { Socket } from 'node:net';
import type { ClientResponse } from './edge.js';

/** How long a client has to take a refusal before its connection is cut, in ms. */
const REFUSAL_LINGER_MS = 2_000;

/** Answers a well-framed request with a line of plain text. */
export function answerText(response: ClientResponse, status: number, text: string): void {
  const body = Buffer.from(text);
  const headers = text === '' ? [] : ['Content-Type', 'text/plain'];
  response.writeHead({ status, reason: STATUS_CODES[status] ?? '', headers }, body.length);
  response.end(body);
}

/**
 * Answers bytes that could not be parsed, on the bare socket, and closes it: where one request ends is unknown. The
 * rest of what the client sends is read and dropped for a moment, for a reset would destroy the answer on its way
 * (RFC 9112 §9.6).
 */
export function answerMalformed(socket: Socket, status: number, text: string): void {
  socket.end(
    `HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\nContent-Type: text/plain\r\nConnection: close\r\n` +
      `Content-Length: ${Buffer.byteLength(text)}\r\n\r\n${text}`,
  );
  socket.resume();
  const timer = setTimeout(() => socket.destroy(), REFUSAL_LINGER_MS).unref();
  socket.once('close', () => clearTimeout(timer));
}
