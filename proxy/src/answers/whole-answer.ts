/** Gives an answer that is complete, where no other answer could follow: at a time-out, at a drain, for a refusal of an origin. */
import type { ResponseHead } from '@holdfast/grip';
import { EdgeError } from '../edge/errors.js';
import type { ClientResponse } from '../edge/port.js';
import { answerPlain, type Failure, failureOf } from './error-response.js';

/**
 * Answers, and completes the answer. A head that cannot be put on the wire is answered 502 in its place, so that the client
 * does not wait for ever: the failure is the result.
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
