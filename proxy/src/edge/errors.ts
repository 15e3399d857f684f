/** Errors in opening a listener, and for an answer that cannot be written. Malformed requests are answered, not thrown. */
import { CodedError } from '../runtime/coded-error.js';

/** Codes of `EdgeError`, for docs/errors.md. */
export const edgeErrors = {
  ERR_EDGE_PORT_IN_USE: { side: 'internal', meaning: 'A client port or unix socket is taken by another process.' },
  ERR_EDGE_LISTEN: {
    side: 'internal',
    meaning: 'A client listener could not be bound: no permission, or no such address.',
  },
  ERR_EDGE_CERTIFICATE: {
    side: 'internal',
    meaning: 'A certificate or key file of a TLS listener cannot be read or used.',
  },
  ERR_EDGE_HEAD: {
    side: 'origin',
    meaning:
      'An answer has a status, reason phrase or header field that HTTP cannot carry. It is answered 502, with nothing of it sent.',
  },
  ERR_EDGE_UNAVAILABLE: { side: 'internal', meaning: 'The edge asked for by `edge` cannot be loaded on this machine.' },
} as const;

export type EdgeErrorCode = keyof typeof edgeErrors;

/** A listener could not be brought up, or a head not be written. The message is one line for the operator. */
export class EdgeError extends CodedError<typeof edgeErrors> {
  constructor(code: EdgeErrorCode, message: string, options?: ErrorOptions) {
    super('EdgeError', edgeErrors, code, message, options);
  }
}
