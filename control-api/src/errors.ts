/**
 * The errors of the control API and the backplanes.
 *
 * Owns: the class and the list of codes. Does not own: errors about the content of items (`GripError` of
 * @holdfast/grip), nor the HTTP answers that errors become (answer.ts).
 */

/** Who has to act: the publisher (`client`), the customer's application (`origin`) or whoever runs the node. */
export type ErrorSide = 'client' | 'origin' | 'internal';

/**
 * Every code a {@link ControlError} may carry, with its side and what it means to the reader of a log line.
 * Codes are stable: scripts, alerts and the JSON error answers use them.
 */
export const controlErrors = {
  ERR_CONTROL_PORT_IN_USE: { side: 'internal', meaning: 'Another process already listens on the control port.' },
  ERR_CONTROL_PORT_DENIED: { side: 'internal', meaning: 'This process may not listen on the control port.' },
  ERR_CONTROL_ADDRESS: { side: 'internal', meaning: 'The control host is not an address of this machine.' },
  ERR_CONTROL_LISTEN: { side: 'internal', meaning: 'The control port could not be opened for another reason.' },
  ERR_CONTROL_INTERNAL: { side: 'internal', meaning: 'A control request failed by a fault of Holdfast itself.' },
  ERR_CONTROL_NOT_FOUND: { side: 'client', meaning: 'The control API has nothing at this path.' },
  ERR_CONTROL_METHOD: {
    side: 'client',
    meaning: 'The path does not take this method; Allow names those that it takes.',
  },
  ERR_CONTROL_ACCEPT: { side: 'client', meaning: 'Accept allows neither text/plain nor application/json.' },
  ERR_CONTROL_LENGTH_REQUIRED: {
    side: 'client',
    meaning: 'A publish came with neither Content-Length nor a chunked body.',
  },
  ERR_CONTROL_BODY_TOO_LARGE: { side: 'client', meaning: 'The request body exceeds the configured limit.' },
  ERR_CONTROL_CODING: {
    side: 'client',
    meaning: 'The body of a publish has a Content-Encoding that is not taken, or is not encoded as that says.',
  },
  ERR_CONTROL_HEADER_TOO_LARGE: { side: 'client', meaning: 'The request head exceeds the configured limit.' },
  ERR_CONTROL_MALFORMED: { side: 'client', meaning: 'The bytes received are not an HTTP/1 request.' },
  ERR_CONTROL_TIMEOUT: { side: 'client', meaning: 'The request did not arrive completely in time.' },
  ERR_CONTROL_NAME: {
    side: 'client',
    meaning: 'The name in the path of a view is not percent-encoded UTF-8, or longer than a name may be.',
  },
  ERR_CONTROL_CONNECTION: { side: 'client', meaning: 'No node that answered has a connection with this id.' },
  ERR_CONTROL_STOPPING: {
    side: 'client',
    meaning: 'The node is stopping and has no others beside it: what it took now would reach nobody.',
  },
  ERR_CONTROL_TAPS: { side: 'client', meaning: 'The node is stopping and takes no more taps.' },
  ERR_CONTROL_PAGE: {
    side: 'client',
    meaning: 'Origin or Sec-Fetch-Site says that a web page of another site sent the request.',
  },
  ERR_CONTROL_HOST: {
    side: 'client',
    meaning: 'Host is a name under which this listener is not reached; `control_hosts` lists further ones.',
  },
  ERR_CONTROL_EXPECT: { side: 'client', meaning: 'Expect asks for something else than 100-continue.' },
  ERR_CONTROL_CONNECTIONS: {
    side: 'client',
    meaning: 'There were too many connections, or too much in memory for them, and this one was the slowest.',
  },
  ERR_CONTROL_VIEWS: { side: 'client', meaning: 'As many views are being gathered on this node as it allows.' },
  ERR_BACKPLANE_STARTED: { side: 'internal', meaning: 'A backplane was started twice.' },
  ERR_BACKPLANE_CLOSED: { side: 'internal', meaning: 'The backplane is closed because the node is stopping.' },
  ERR_BACKPLANE_UNAVAILABLE: { side: 'internal', meaning: 'The backplane cannot accept messages at the moment.' },
  ERR_BACKPLANE_URL: { side: 'internal', meaning: 'The URL or the prefix of the Redis backplane cannot be used.' },
  ERR_ZMQ_MISSING: {
    side: 'internal',
    meaning: 'A ZeroMQ socket is configured, but the optional package `zeromq` is not installed or cannot be loaded.',
  },
  ERR_ZMQ_SPEC: {
    side: 'internal',
    meaning: 'The spec of a ZeroMQ socket is neither `tcp://host:port` nor `ipc://path`.',
  },
  ERR_ZMQ_OPEN: { side: 'internal', meaning: 'A ZeroMQ socket cannot be bound or connected as its spec says.' },
  ERR_ZMQ_SEND: { side: 'internal', meaning: 'Nobody took the item from the ZeroMQ socket in time.' },
  ERR_ZMQ_MESSAGE: { side: 'client', meaning: 'A ZeroMQ message does not have the parts that its socket expects.' },
} as const satisfies Record<string, { readonly side: ErrorSide; readonly meaning: string }>;

/** One of the codes in {@link controlErrors}. */
export type ControlErrorCode = keyof typeof controlErrors;

/**
 * Any failure of this package. `message` is a sentence for a human and may name addresses or channels; `code` is
 * what programs decide by.
 */
export class ControlError extends Error {
  override readonly name = 'ControlError';
  readonly code: ControlErrorCode;
  readonly side: ErrorSide;

  constructor(code: ControlErrorCode, message: string, options?: { readonly cause?: unknown }) {
    super(message, options);
    this.code = code;
    this.side = controlErrors[code].side;
  }
}
