/** Running a function that may fail with a GripError. */
import { GripError, type GripErrorCode } from '../dist/index.js';

/** The message of the GripError of this code that `run` throws; anything else it throws passes, a result fails. */
export function messageOf(code: GripErrorCode, run: () => unknown): string {
  try {
    run();
  } catch (error) {
    if (error instanceof GripError && error.code === code) return error.message;
    throw error;
  }
  throw new Error('nothing was thrown');
}

/** Runs a parser on arbitrary input: its value, or undefined if it refused with a GripError of this code. */
export function valueOrGripError<T>(code: GripErrorCode, run: () => T): T | undefined {
  try {
    return run();
  } catch (error) {
    if (error instanceof GripError && error.code === code && error.message !== '') return undefined;
    throw error;
  }
}
