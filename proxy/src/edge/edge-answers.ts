/** The answers that an edge gives by itself: to a refused request, to malformed bytes, and after a fault of Holdfast. */
import { STATUS_CODES } from 'node:http';
import type { Socket } from 'node:net';
import type { Containment } from '@holdfast/control-api';
import type { RawHeaders } from '@holdfast/grip';
import type { ClientResponse, ResponseHandler } from './port.js';

/** An answer to one request must not be stored by a cache and given to others. */
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

/** An answer as its edge sees it. */
export interface FaultyResponse extends ClientResponse {
  /** Whether some of the head may have gone out. */
  readonly headersSent: boolean;
  /** Complete or broken off, as far as its handler is concerned. */
  readonly over: boolean;
}

/**
 * Reports a fault in the code behind an answer, and ends the answer: by its handler, which knows what else to end; otherwise
 * with a 500, or a cut where the head has gone out. An handler without `fault` sees a client that has gone.
 */
export function endFaulty(
  response: FaultyResponse,
  handler: ResponseHandler | undefined,
  error: unknown,
  faults: Containment,
): void {
  faults.caught('client', error, handler);
  if (!response.over) faults.run('client', () => answer500(response));
  if (!response.over) response.abort(true);
  if (handler !== undefined && handler.fault === undefined) faults.run('client', () => handler.onGone());
}

function answer500(response: FaultyResponse): void {
  if (response.headersSent) response.abort(true);
  else answerText(response, 500, 'Internal error.\n', ['Connection', 'close']);
}
