/** A deadline for what the control API asks of the backplane. */

import { ControlError } from '../errors.js';
import type { Clock } from './clock.js';

/**
 * As the promise, but rejects with the error of `late` when it takes longer than so many milliseconds; what comes of it
 * afterwards is ignored. Left out, the error is ERR_BACKPLANE_UNAVAILABLE.
 */
export async function within<T>(clock: Clock, ms: number, promise: Promise<T>, late = noAnswer): Promise<T> {
  let timer: unknown;
  const timeout = new Promise<never>((_, reject) => {
    timer = clock.after(ms, () => reject(late()));
  });
  try {
    return await Promise.race([promise, timeout]);
  } finally {
    clock.clear(timer);
  }
}

function noAnswer(): ControlError {
  return new ControlError('ERR_BACKPLANE_UNAVAILABLE', 'The backplane did not answer in time.');
}
