/** The end of one answer after a fault of Holdfast: what the client gets, on every edge. */
import type { Containment } from '@holdfast/control-api';
import type { ClientResponse, ResponseOwner } from './port.js';
import { answerText } from './refusal.js';

/** An answer as its edge sees it. */
export interface FaultyResponse extends ClientResponse {
  /** Whether some of the head may have gone out. */
  readonly headersSent: boolean;
  /** Complete or broken off, as far as its owner is concerned. */
  readonly over: boolean;
}

/**
 * Reports a fault in the code behind an answer, and ends the answer: by its owner, which knows what else to end; otherwise
 * with a 500, or a cut where the head has gone out. An owner that cannot end itself sees a client that has gone.
 */
export function endFaulty(
  response: FaultyResponse,
  owner: ResponseOwner | undefined,
  error: unknown,
  faults: Containment,
): void {
  faults.caught('client', error, owner);
  if (!response.over) faults.run('client', () => answer500(response));
  if (!response.over) response.abort(true);
  if (owner !== undefined && owner.fault === undefined) faults.run('client', () => owner.onGone());
}

function answer500(response: FaultyResponse): void {
  if (response.headersSent) response.abort(true);
  else answerText(response, 500, 'Internal error.\n', ['Connection', 'close']);
}
