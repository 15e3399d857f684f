/** Owns: the answers that the edge gives by itself. Does not own: why a request is refused. */
import { STATUS_CODES } from 'node:http';
import type { Socket } from 'node:net';
import type { RawHeaders } from '@holdfast/grip';
import type { ClientResponse } from './port.js';

/** No cache may keep what one request was told for others. */
const UNCACHED = ['Cache-Control', 'no-store'];

/** Answers a well-framed request with a line of plain text. */
export function answerText(response: ClientResponse, status: number, text: string, extra: RawHeaders = []): void {
  const body = Buffer.from(text);
  const headers = [...(text === '' ? [] : ['Content-Type', 'text/plain']), ...UNCACHED, ...extra];
  response.writeHead({ status, reason: STATUS_CODES[status] ?? '', headers }, body.length);
  response.end(body);
}

/** Answers bytes that could not be parsed, on the bare socket, and ends it: where one request ends is unknown. */
export function answerMalformed(socket: Socket, status: number, text: string): void {
  socket.end(
    `HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\nContent-Type: text/plain\r\nCache-Control: no-store\r\nConnection: close\r\n` +
      `Content-Length: ${Buffer.byteLength(text)}\r\n\r\n${text}`,
  );
}
