/** The failures of `holdfast publish` other than the control API's answers and those of ZeroMQ sockets. */
import { CodedError } from '../../runtime/coded-error.js';

/** Codes of `PublishError`, for docs/errors.md. */
export const publishErrors = {
  ERR_PUBLISH_ARGUMENT: { side: 'client', meaning: 'An argument of `holdfast publish` cannot be used.' },
  ERR_PUBLISH_FILE: { side: 'client', meaning: 'The content file of `holdfast publish` cannot be read.' },
  ERR_PUBLISH_UNREACHABLE: { side: 'internal', meaning: '`holdfast publish` got no answer from the control API.' },
  ERR_PUBLISH_REFUSED: {
    side: 'client',
    meaning: 'The control API refused what `holdfast publish` sent; its text is shown.',
  },
} as const;

export type PublishErrorCode = keyof typeof publishErrors;

/** The item was not published. The message is for the user, without newline. */
export class PublishError extends CodedError<typeof publishErrors> {
  constructor(code: PublishErrorCode, message: string, options?: ErrorOptions) {
    super('PublishError', publishErrors, code, message, options);
  }
}
