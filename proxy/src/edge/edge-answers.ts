/** The answers that an edge gives by itself: to a refused request, and after a fault of Holdfast. */
import { STATUS_CODES } from 'node:http';
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

/** An answer as its edge sees it. */
export interface FaultyResponse extends ClientResponse {
  /** Whether some of the head may have gone out. */
  readonly headersSent: boolean;
  /** Complete or broken off, as far as its handler is concerned. */
  readonly over: boolean;
}

/**
 * Reports a fault in the code behind an answer, and ends the answer: by its handler, which knows what else to end; otherwise
 * with a 500, or a cut where the head has gone out. A handler without `fault` sees a client that has gone.
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

/** Says to the handler of an answer that its client has gone. */
export function callGone(handler: ResponseHandler, faults: Containment): void {
  try {
    handler.onGone();
  } catch (error) {
    faults.caught('client', error, handler);
  }
}
