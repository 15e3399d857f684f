/** Owns: the failures of `holdfast tap`. */
import { CodedError } from '../../runtime/coded-error.js';

/** Codes of `TapError`, for docs/errors.md. */
export const tapErrors = {
  ERR_TAP_ARGUMENT: { side: 'client', meaning: 'An argument of `holdfast tap` cannot be used.' },
  ERR_TAP_UNREACHABLE: { side: 'internal', meaning: '`holdfast tap` got no answer from the control API.' },
  ERR_TAP_UNSUPPORTED: {
    side: 'client',
    meaning: 'What `holdfast tap` asked is no control API of Holdfast, or of a version without taps.',
  },
  ERR_TAP_REFUSED: { side: 'client', meaning: 'The control API refused `holdfast tap`; its text is shown.' },
  ERR_TAP_ENDED: {
    side: 'internal',
    meaning: 'The node ended what `holdfast tap` showed, as its last line says, or the connection was lost.',
  },
} as const;

export type TapErrorCode = keyof typeof tapErrors;

/** Nothing more is shown. The message is for the user, without newline. */
export class TapError extends CodedError<typeof tapErrors> {
  constructor(code: TapErrorCode, message: string, options?: ErrorOptions) {
    super('TapError', tapErrors, code, message, options);
  }
}
