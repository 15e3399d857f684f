/** The failures of `holdfast token`. */
import { CodedError } from '../../runtime/coded-error.js';

/** Codes of `TokenError`, for docs/errors.md. */
export const tokenErrors = {
  ERR_TOKEN_ARGUMENT: { side: 'client', meaning: 'An argument of `holdfast token` cannot be used, or is missing.' },
  ERR_TOKEN_KEY: { side: 'client', meaning: 'The key of `holdfast token` cannot be read, or cannot sign.' },
} as const;

export type TokenErrorCode = keyof typeof tokenErrors;

/** No token was made. The message is for the user, without newline, and holds no key. */
export class TokenError extends CodedError<typeof tokenErrors> {
  constructor(code: TokenErrorCode, message: string, options?: ErrorOptions) {
    super('TokenError', tokenErrors, code, message, options);
  }
}
