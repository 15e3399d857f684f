/** The errors of requests to origins. What a client gets for them is in `answers/answers`. */
import { CodedError } from '../runtime/coded-error.js';

/** Codes of `OriginError`, for docs/errors.md. */
export const originErrors = {
  ERR_ORIGIN_CONNECT: {
    side: 'origin',
    meaning:
      'No connection to the target: refused, timed out, unreachable, name unknown or TLS failed. The next target is tried.',
  },
  ERR_ORIGIN_BLOCKED: {
    side: 'origin',
    meaning: 'The target is marked `untrusted` and its address is private.',
  },
  ERR_ORIGIN_CLOSED: { side: 'origin', meaning: 'The origin closed the connection before its answer was complete.' },
  ERR_ORIGIN_MALFORMED: {
    side: 'origin',
    meaning:
      'The origin answered with something that is not HTTP or breaks its own length, or breaks the WebSocket protocol, or a later answer of WebSocket-over-HTTP is none.',
  },
  ERR_ORIGIN_CODING: {
    side: 'origin',
    meaning:
      'An answer that Holdfast must read, such as a GRIP response, is in a Content-Encoding that it does not know, in more than three, or is not what the field says. Answered 502.',
  },
  ERR_ORIGIN_TIMEOUT: { side: 'origin', meaning: 'The origin was silent for longer than `origin_timeout`.' },
  ERR_ORIGIN_FAULT: {
    side: 'internal',
    meaning: 'Holdfast itself failed while it served the request; the log has the stack. Answered 500.',
  },
  ERR_ORIGIN_REQUEST: {
    side: 'client',
    meaning: 'The request cannot be put on the wire to the origin, or its body broke off.',
  },
} as const;

export type OriginErrorCode = keyof typeof originErrors;

/** A request to an origin failed. `cause` is the library's or the system's error. */
export class OriginError extends CodedError<typeof originErrors> {
  /**
   * Whether the same request may be sent again elsewhere: `connect` when nothing of it was sent, `stale` when it went
   * to a kept-alive connection that the origin had closed meanwhile, so that an idempotent one may be repeated
   * (RFC 9112 §9.3.1); `no` otherwise.
   */
  readonly repeat: 'connect' | 'stale' | 'no';

  constructor(code: OriginErrorCode, message: string, repeat: OriginError['repeat'], options?: ErrorOptions) {
    super('OriginError', originErrors, code, message, options);
    this.repeat = repeat;
  }
}

/** What is left of a request after a fault of ours. */
export function faultError(cause: unknown): OriginError {
  return new OriginError('ERR_ORIGIN_FAULT', 'Internal error.', 'no', { cause });
}

/** The error of a connection for which the process has no file descriptor to spare. */
export function noDescriptorError(): OriginError {
  return new OriginError('ERR_ORIGIN_CONNECT', 'No file descriptor is left for a connection to an origin.', 'connect');
}

/** The error of a target that must not be connected to. The next target is tried. */
export function blockedError(): OriginError {
  return new OriginError('ERR_ORIGIN_BLOCKED', 'Origin host/IP blocked.', 'connect');
}
