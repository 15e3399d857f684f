/** Owns: what can go wrong in getting workers up. Does not own: what a worker itself complains of (its own errors). */
import { CodedError } from '../../runtime/coded-error.js';

/** Codes of `WorkerError`, for docs/errors.md. */
export const workerErrors = {
  ERR_WORKER_START: { side: 'internal', meaning: 'A worker process ended, or said nothing, before it served clients.' },
} as const;

/** A worker could not be brought up. The message is one line for the operator. */
export class WorkerError extends CodedError<typeof workerErrors> {
  constructor(code: keyof typeof workerErrors, message: string, options?: ErrorOptions) {
    super('WorkerError', workerErrors, code, message, options);
  }
}
