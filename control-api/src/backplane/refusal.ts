/** Owns: how a backplane that is not started yet, or closed, refuses. Does not own: its states. */
import { ControlError } from '../errors.js';

/** The error of whatever is asked of a backplane in this state. */
export function refusalOf(isClosed: boolean): ControlError {
  return isClosed
    ? new ControlError('ERR_BACKPLANE_CLOSED', 'The backplane is closed.')
    : new ControlError('ERR_BACKPLANE_UNAVAILABLE', 'The backplane is not started.');
}
