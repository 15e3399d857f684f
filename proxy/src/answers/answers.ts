/**
 * The answers that the proxy gives by itself, and the one place that decides how errors are answered. The texts are Pushpin's;
 * on debug routes they say more.
 */
import { GripError, type RawHeaders, type ResponseHead, reasonPhrase } from '@holdfast/grip';
import type { ClientResponse } from '../edge/port.js';
import { EdgeError, errorRow, OriginError, RequestError } from '../errors.js';

/** What a client gets. `text` is without the newline that ends it on the wire. */
export interface Failure {
  readonly status: number;
  readonly text: string;
  /** The error's stable code: for the log. */
  readonly code: string;
  /** Fields of the answer beside the usual ones. */
  readonly headers: RawHeaders;
}

/** The text for an origin's failure, but on debug routes. */
const ORIGIN_FAILED = 'Error while proxying to origin.';

/** Says how an error is answered; `debug` is the route's or the global debug setting. */
export function failureOf(error: Error, debug: boolean): Failure {
  const code = (error as { code?: string }).code ?? 'ERR_INTERNAL';
  const { status = 502, text, isPublic } = errorRow(error) ?? {};
  const headers = error instanceof RequestError ? error.headers : [];
  if (isPublic) return { status, text: error.message, code, headers };
  return { status, text: text ?? (debug ? debugText(error, code) : ORIGIN_FAILED), code, headers };
}

function debugText(error: Error, code: string): string {
  if (error instanceof GripError) return `Failed to parse accept instructions: ${error.message}`;
  if (error instanceof RequestError) return error.message;
  if (error instanceof OriginError) {
    if (error.code === 'ERR_ORIGIN_CONNECT') return error.message;
    if (error.code === 'ERR_ORIGIN_BLOCKED') return `Error: ${error.message}`;
  }
  return `${ORIGIN_FAILED} ${code}: ${error.message}`;
}

/**
 * Fields of all answers that the proxy makes. They hold for one request only and are no content: no cache keeps them, and no
 * browser takes them for anything else.
 */
const OWN_FIELDS = ['Content-Type', 'text/plain', 'Cache-Control', 'no-store', 'X-Content-Type-Options', 'nosniff'];

/** Answers with plain text, as all answers of the proxy's own are. */
export function answerPlain(response: ClientResponse, status: number, text: string, fields: RawHeaders = []): void {
  const body = Buffer.from(`${text}\n`);
  response.writeHead(
    { status, reason: reasonPhrase(status), headers: fields.length === 0 ? OWN_FIELDS : [...OWN_FIELDS, ...fields] },
    body.length,
  );
  response.end(body);
}

/**
 * Gives an answer that is complete, where no other could follow: at a time-out, at a drain, for a refusal of an origin. A head
 * that cannot be put on the wire is answered 502 in its place, so that the client does not wait for ever: the failure is the
 * result.
 */
export function answerWhole(
  response: ClientResponse,
  head: ResponseHead,
  body: Buffer,
  debug: boolean,
): Failure | undefined {
  try {
    response.writeHead(head, body.length);
  } catch (error) {
    if (!(error instanceof EdgeError)) throw error;
    const failure = failureOf(error, debug);
    answerPlain(response, failure.status, failure.text);
    return failure;
  }
  response.end(body);
  return undefined;
}
