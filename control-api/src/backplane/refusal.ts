/** Owns: how a backplane refuses that is not started yet, or closed, and how one that accepted a part. Does not own: its states. */
import { ControlError } from '../errors.js';
import type { Acceptance } from './backplane.js';

/** The error of whatever is asked of a backplane in this state. */
export function refusalOf(isClosed: boolean): ControlError {
  return isClosed
    ? new ControlError('ERR_BACKPLANE_CLOSED', 'The backplane is closed.')
    : new ControlError('ERR_BACKPLANE_UNAVAILABLE', 'The backplane is not started.');
}

/** A refusal of some messages of a publish: the others were accepted. Code, text and cause are those of the refusal. */
export class PartlyAccepted extends ControlError {
  /** Per message, in the order of the list; undefined for one that was not accepted, as far as is known. */
  readonly acceptances: readonly (Acceptance | undefined)[];

  constructor(refusal: ControlError, acceptances: readonly (Acceptance | undefined)[]) {
    super(refusal.code, refusal.message, { cause: refusal.cause });
    this.acceptances = acceptances;
  }
}

/** The refusal of a publish of which this was accepted: itself where that is nothing. */
export function refusalWith(refusal: ControlError, acceptances: readonly (Acceptance | undefined)[]): ControlError {
  return acceptances.some((acceptance) => acceptance !== undefined)
    ? new PartlyAccepted(refusal, acceptances)
    : refusal;
}
