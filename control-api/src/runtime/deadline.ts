/**
 * Owns: not waiting for the backplane longer than whoever asked the control API does. Does not own: how long that is.
 */

import { ControlError } from '../errors.js';
import type { Clock } from './clock.js';

/**
 * As the promise, but rejects with ERR_BACKPLANE_UNAVAILABLE when it takes longer than so many milliseconds; what comes
 * of it later is ignored.
 */
export async function within<T>(clock: Clock, ms: number, promise: Promise<T>): Promise<T> {
  let timer: unknown;
  const late = new Promise<never>((_, reject) => {
    timer = clock.after(ms, () =>
      reject(new ControlError('ERR_BACKPLANE_UNAVAILABLE', 'The backplane did not answer in time.')),
    );
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clock.clear(timer);
  }
}
