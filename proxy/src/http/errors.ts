/** The failures of a client's request that come neither from the origin connection nor from GRIP. */
import { CodedError } from '../runtime/coded-error.js';

/** Codes of `RequestError`, for docs/errors.md. */
export const requestErrors = {
  ERR_REQUEST_NO_ROUTE: { side: 'client', meaning: 'No route matches the host and path of the request. Answered 502.' },
  ERR_REQUEST_TOO_LARGE_TO_HOLD: {
    side: 'client',
    meaning:
      'The origin answered with a GRIP instruct, but the request body is longer than `request_body_max`. Answered 400.',
  },
  ERR_REQUEST_INSTRUCT_TOO_LARGE: {
    side: 'origin',
    meaning: 'The body of a GRIP response is longer than `instruct_body_max`. Answered 502.',
  },
  ERR_REQUEST_CLIENT_GONE: {
    side: 'client',
    meaning: 'The client closed its connection before its answer was complete. In the log only.',
  },
  ERR_REQUEST_SHUTDOWN: {
    side: 'internal',
    meaning:
      'The node went down, and cut the connection when the request had not ended within `shutdown_requests`. In the log only.',
  },
  ERR_REQUEST_JSONP: { side: 'client', meaning: 'A JSON-P call has a parameter that cannot be used. Answered 400.' },
  ERR_REQUEST_CROSS_ORIGIN: {
    side: 'client',
    meaning: 'A page of a site that `aco_origins` does not name calls by JSON-P, or uses SockJS. Answered 403.',
  },
  ERR_REQUEST_EVENTS_FROM_CLIENT: {
    side: 'client',
    meaning:
      'A client spoke of application/websocket-events in Content-Type or Accept, as only a GRIP proxy does. Answered 403.',
  },
} as const;

export type RequestErrorCode = keyof typeof requestErrors;

/** A request cannot be served. The message is the text of the answer on a debug route, without the newline. */
export class RequestError extends CodedError<typeof requestErrors> {
  constructor(code: RequestErrorCode, message: string, options?: ErrorOptions) {
    super('RequestError', requestErrors, code, message, options);
  }
}
