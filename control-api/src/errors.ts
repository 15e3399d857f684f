/** The errors of the control API and the backplanes: what each code means, and how the control API answers it. */
import { CodedError, type ErrorSide } from '@holdfast/grip';
import type { Acceptance } from './backplane/backplane.js';

/** What is known of a code. */
interface ControlErrorRow {
  readonly side: ErrorSide;
  /** What it means to the reader of a log line, for docs/errors.md. */
  readonly meaning: string;
  /** Of the answer over HTTP; left out where no request can be answered with it. */
  readonly status?: number;
  /** Of that answer; left out where it depends on the case. Publishers know these texts: they do not change. */
  readonly text?: string;
  /** Seconds, for the field `Retry-After`. */
  readonly retryAfter?: number;
}

/**
 * Every code a {@link ControlError} may carry.
 * Codes are stable: scripts, alerts and the JSON error answers use them.
 */
export const controlErrors = {
  ERR_CONTROL_PORT_IN_USE: { side: 'internal', meaning: 'Another process already listens on the control port.' },
  ERR_CONTROL_PORT_DENIED: { side: 'internal', meaning: 'This process may not listen on the control port.' },
  ERR_CONTROL_ADDRESS: { side: 'internal', meaning: 'The control host is not an address of this machine.' },
  ERR_CONTROL_LISTEN: { side: 'internal', meaning: 'The control port could not be opened for another reason.' },
  ERR_CONTROL_INTERNAL: {
    side: 'internal',
    status: 500,
    text: 'Internal error.',
    meaning: 'A control request failed by a fault of Holdfast itself.',
  },
  ERR_CONTROL_NOT_FOUND: {
    side: 'client',
    status: 404,
    text: 'Not Found',
    meaning: 'The control API has nothing at this path.',
  },
  ERR_CONTROL_METHOD: {
    side: 'client',
    status: 405,
    meaning: 'The path does not take this method; Allow names those that it takes.',
  },
  ERR_CONTROL_ACCEPT: {
    side: 'client',
    status: 406,
    text: 'Not Acceptable. Supported formats are text/plain and application/json.',
    meaning: 'Accept allows neither text/plain nor application/json.',
  },
  ERR_CONTROL_LENGTH_REQUIRED: {
    side: 'client',
    status: 411,
    text: 'Request requires Content-Length.',
    meaning: 'A publish came with neither Content-Length nor a chunked body.',
  },
  ERR_CONTROL_BODY_TOO_LARGE: {
    side: 'client',
    status: 413,
    meaning: 'The request body exceeds the configured limit.',
  },
  ERR_CONTROL_ITEMS: {
    side: 'client',
    status: 413,
    meaning: 'A publish has more items than `ids_max` allows; nothing of it is published.',
  },
  ERR_CONTROL_CODING: {
    side: 'client',
    status: 415,
    meaning: 'The body of a publish has a Content-Encoding that is not taken, or is not encoded as that says.',
  },
  ERR_CONTROL_HEADER_TOO_LARGE: {
    side: 'client',
    status: 431,
    meaning: 'The request head exceeds the configured limit.',
  },
  ERR_CONTROL_MALFORMED: {
    side: 'client',
    status: 400,
    text: 'Malformed request.',
    meaning: 'The bytes received are not an HTTP/1 request.',
  },
  ERR_CONTROL_TIMEOUT: {
    side: 'client',
    status: 408,
    text: 'Request timed out.',
    meaning: 'The request did not arrive completely in time.',
  },
  ERR_CONTROL_NAME: {
    side: 'client',
    status: 400,
    text: 'Malformed name in the path.',
    meaning: 'The name in the path of a view is not percent-encoded UTF-8, or none that a channel may have.',
  },
  ERR_CONTROL_HISTORY: {
    side: 'client',
    status: 404,
    text: 'No history is kept.',
    meaning: 'No history is kept (404), or not all items after the position asked for are kept any more (410).',
  },
  ERR_CONTROL_CONNECTION: {
    side: 'client',
    status: 404,
    text: 'No such connection.',
    meaning: 'No node that answered has a connection with this id.',
  },
  ERR_CONTROL_USER: {
    side: 'client',
    status: 404,
    text: 'No connection of this user.',
    meaning: 'No node that answered has a connection of this user, or remembers one.',
  },
  ERR_CONTROL_GONE: {
    side: 'client',
    status: 410,
    text: 'The connection has ended.',
    meaning:
      'What was sent to a connection, or to a user, comes too late: it has ended a while ago, or the last one of the user has.',
  },
  ERR_CONTROL_SUBSCRIBE: {
    side: 'client',
    status: 409,
    meaning: 'A connection cannot be put on channels, for it is a long poll, or would have too many.',
  },
  ERR_CONTROL_ARGUMENT: {
    side: 'client',
    status: 400,
    meaning:
      'A parameter of the query, or a member of the body, is unknown or has a value that cannot be used. The text says which.',
  },
  ERR_CONTROL_STOPPING: {
    side: 'client',
    status: 503,
    text: 'This node is stopping, and nothing published to it would reach anybody. Publish again to a node that runs.',
    retryAfter: 5,
    meaning: 'The node is stopping and has no others beside it: what it took now would reach nobody.',
  },
  ERR_CONTROL_TAPS: {
    side: 'client',
    status: 503,
    text: 'This node is stopping.',
    retryAfter: 5,
    meaning: 'The node is stopping and takes no more taps.',
  },
  ERR_CONTROL_DRAIN: {
    side: 'client',
    status: 409,
    text: 'This node is stopping: its drain cannot be taken back.',
    meaning: 'A drain was to be taken back, but the node has got a signal to end.',
  },
  ERR_CONTROL_PAGE: {
    side: 'client',
    status: 403,
    text: 'Forbidden: Origin or Sec-Fetch-Site is that of a web page of another site. The option control_allowed_origins lists origins that may.',
    meaning:
      'Origin or Sec-Fetch-Site says that a web page of another site sent the request, and `control_allowed_origins` does not have it.',
  },
  ERR_CONTROL_HOST: {
    side: 'client',
    status: 403,
    text: 'Forbidden: this listener is not reached under the name in Host. The option control_hosts lists further names.',
    meaning: 'Host is a name under which this listener is not reached; `control_hosts` lists further ones.',
  },
  ERR_CONTROL_UNAUTHENTICATED: {
    side: 'client',
    status: 401,
    text: 'Unauthorized.',
    meaning:
      'The control API asks for a key, and the request has none that it knows, or a token that is expired, foreign or not signed by its key. The log says which.',
  },
  ERR_CONTROL_FORBIDDEN: {
    side: 'client',
    status: 403,
    text: 'Forbidden: the key does not allow this.',
    meaning: 'The key of the request, or its token, does not allow the action, or not on this channel.',
  },
  ERR_CONTROL_RATE: {
    side: 'client',
    status: 429,
    meaning:
      'The key has published as many items as its `rate` allows for now; Retry-After says when there may be more.',
  },
  ERR_CONTROL_JWKS: {
    side: 'internal',
    status: 503,
    text: 'The keys of the token issuer cannot be fetched at the moment.',
    retryAfter: 5,
    meaning: 'A token cannot be checked, as the `jwks` of its key cannot be fetched. The log says why.',
  },
  ERR_CONTROL_EXPECT: {
    side: 'client',
    status: 417,
    text: 'Expectation failed: only 100-continue is known.',
    meaning: 'Expect asks for something else than 100-continue.',
  },
  ERR_CONTROL_CONNECTIONS: {
    side: 'client',
    status: 503,
    text: 'Too many connections, and this request was the slowest.',
    retryAfter: 5,
    meaning: 'There were too many connections, or too much in memory for them, and this one was the slowest.',
  },
  ERR_CONTROL_VIEWS: {
    side: 'client',
    status: 503,
    text: 'Too many views at a time on this node.',
    retryAfter: 5,
    meaning: 'As many views are being gathered on this node as it allows.',
  },
  ERR_CALLBACK_REFUSED: {
    side: 'client',
    status: 400,
    meaning:
      'A callback was asked for that cannot be: its URL, secret, channels, filters or meta are not as they have to be.',
  },
  ERR_CALLBACK_UNKNOWN: {
    side: 'client',
    status: 404,
    text: 'No such subscription.',
    meaning: 'There is no callback with this id.',
  },
  ERR_CALLBACKS_FULL: {
    side: 'internal',
    status: 503,
    text: 'There are too many callbacks.',
    retryAfter: 60,
    meaning: 'There are as many callbacks as can be; see limits.md.',
  },
  ERR_CONTROL_REVOCATIONS: {
    side: 'client',
    status: 503,
    text: 'The tokens of too many users are revoked.',
    retryAfter: 60,
    meaning: 'As many revocations are kept as there may be, and none of them has ended.',
  },
  ERR_BACKPLANE_STARTED: { side: 'internal', status: 503, retryAfter: 1, meaning: 'A backplane was started twice.' },
  ERR_BACKPLANE_CLOSED: {
    side: 'internal',
    status: 503,
    retryAfter: 1,
    meaning: 'The backplane is closed because the node is stopping.',
  },
  ERR_BACKPLANE_UNAVAILABLE: {
    side: 'internal',
    status: 503,
    retryAfter: 1,
    meaning: 'The backplane cannot accept messages at the moment.',
  },
  ERR_BACKPLANE_URL: {
    side: 'internal',
    status: 503,
    retryAfter: 1,
    meaning: 'The URL or the prefix of the Redis backplane cannot be used.',
  },
  ERR_ZMQ_MISSING: {
    side: 'internal',
    meaning: 'A ZeroMQ socket is configured, but the optional package `zeromq` is not installed or cannot be loaded.',
  },
  ERR_ZMQ_SPEC: {
    side: 'internal',
    meaning: 'The spec of a ZeroMQ socket is neither `tcp://host:port` nor `ipc://path`.',
  },
  ERR_ZMQ_OPEN: { side: 'internal', meaning: 'A ZeroMQ socket cannot be bound or connected as its spec says.' },
  ERR_ZMQ_CURVE: {
    side: 'internal',
    meaning: 'CURVE is configured, but the build of ZeroMQ that is installed has none.',
  },
  ERR_ZMQ_SEND: { side: 'internal', meaning: 'Nobody took the item from the ZeroMQ socket in time.' },
  ERR_ZMQ_MESSAGE: { side: 'client', meaning: 'A ZeroMQ message does not have the parts that its socket expects.' },
} as const satisfies Record<string, ControlErrorRow>;

/** One of the codes in {@link controlErrors}. */
export type ControlErrorCode = keyof typeof controlErrors;

/** The row of a code. */
export function errorRow(code: ControlErrorCode): ControlErrorRow {
  return controlErrors[code];
}

/** Any failure of this package. The message is a sentence that may name addresses or channels. */
export class ControlError extends CodedError<typeof controlErrors> {
  constructor(code: ControlErrorCode, message: string, options?: ErrorOptions) {
    super('ControlError', controlErrors, code, message, options);
  }
}

/** ERR_BACKPLANE_UNAVAILABLE, with why. */
export function unavailable(message: string, cause?: unknown): ControlError {
  return new ControlError('ERR_BACKPLANE_UNAVAILABLE', message, cause === undefined ? undefined : { cause });
}

/** The error of every call to a backplane that is closed, or else not started yet. */
export function refusalOf(isClosed: boolean): ControlError {
  return isClosed
    ? new ControlError('ERR_BACKPLANE_CLOSED', 'The backplane is closed.')
    : unavailable('The backplane is not started.');
}

/** The error of one callback too many. */
export function callbacksFull(): ControlError {
  return new ControlError('ERR_CALLBACKS_FULL', controlErrors.ERR_CALLBACKS_FULL.text);
}

/** The error of a second start of a backplane. */
export function startedTwice(): ControlError {
  return new ControlError('ERR_BACKPLANE_STARTED', 'The backplane is already started.');
}

/** A refusal of some messages of a publish: the others were accepted. Code, text and cause are those of the refusal. */
export class PartlyAccepted extends ControlError {
  /** Per message, in the order of the list; undefined for one that was not accepted, as far as is known. */
  readonly acceptances: readonly (Acceptance | undefined)[];

  constructor(refusal: ControlError, acceptances: readonly (Acceptance | undefined)[]) {
    super(refusal.code, refusal.message, { cause: refusal.cause });
    this.acceptances = acceptances;
  }
}

/** The refusal of a publish of which these messages were accepted: the same where none was. */
export function refusalWith(refusal: ControlError, acceptances: readonly (Acceptance | undefined)[]): ControlError {
  return acceptances.some((acceptance) => acceptance !== undefined)
    ? new PartlyAccepted(refusal, acceptances)
    : refusal;
}
