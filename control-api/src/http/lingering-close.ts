/**
 * Refusing a request that has not been read to its end, so that the client gets to read the answer.
 *
 * A socket closed with unread bytes in its buffer sends RST, and that makes the client's kernel throw away an answer
 * it has not read yet (RFC 9112 §9.6). So the answer goes out first, complete and with `Connection: close`; what the
 * client still sends is read and thrown away for a while; then the connection is closed.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import { type Answer, encodeAnswer, rawAnswer } from './answer.js';
import type { Format } from './negotiate.js';

/**
 * Bytes read and thrown away after a refusal; enough for any body sent by mistake. Then the connection is cut.
 *
 * @limit {MiB} read and dropped after a refusal
 * @over connection cut
 */
export const LINGER_BYTES = 16 * 1024 * 1024;

/**
 * Milliseconds a refused connection stays open for the client to read the answer. Then it is cut.
 *
 * @limit {s} for a client to read a refusal
 * @over connection cut
 */
export const LINGER_MS = 2_000;

/** Refuses a request whose head has been parsed. The response must not have been begun. */
export function refuseUnread(
  request: IncomingMessage,
  response: ServerResponse,
  answer: Answer,
  format: Format,
  lingerMs: number,
): void {
  const { headers, body } = encodeAnswer(answer, format, true);
  response.writeHead(answer.status, headers).write(body);
  let swallowed = 0;
  const finish = () => {
    clearTimeout(timer);
    if (!response.writableEnded) response.end();
  };
  const timer = setTimeout(finish, lingerMs);
  request.on('data', (chunk: Buffer) => {
    swallowed += chunk.length;
    if (swallowed > LINGER_BYTES) finish();
  });
  request.on('end', finish);
  response.on('close', finish);
}

/** Refuses bytes that never became a request. Nothing may be waiting to be written on the socket. */
export function refuseRaw(socket: Duplex, answer: Answer, lingerMs: number): void {
  const timer = setTimeout(() => socket.destroy(), lingerMs);
  socket.on('close', () => clearTimeout(timer));
  socket.end(rawAnswer(answer));
}
