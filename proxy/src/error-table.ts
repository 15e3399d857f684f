/** Every code of the errors of this package, and what a reader of the log and a client get of it. */
import type { ErrorSide } from '@holdfast/grip';

/** What is known of a code. */
export interface ErrorRow {
  readonly side: ErrorSide;
  /** What it means to the reader of a log line, for docs/errors.md. */
  readonly meaning: string;
  /** Of the answer to the client; left out where no request is answered with it. */
  readonly status?: number;
  /** The whole text of that answer, on debug routes too. */
  readonly text?: string;
  /** Whether the error's message is the text for every client; else it is shown on debug routes only. */
  readonly isPublic?: true;
}

/**
 * Every code of this package. The class of an error follows from the beginning of its code: `ERR_EDGE_…` is an
 * `EdgeError`, and so on; codes of configuration are those of `RoutesError` too.
 */
export const proxyErrors = {
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
    status: 502,
    meaning:
      'An answer has a status, reason phrase or header field that HTTP cannot carry. It is answered 502, with nothing of it sent.',
  },
  ERR_EDGE_UNAVAILABLE: { side: 'internal', meaning: 'The edge asked for by `edge` cannot be loaded on this machine.' },
  ERR_REQUEST_NO_ROUTE: {
    side: 'client',
    status: 502,
    isPublic: true,
    meaning: 'No route matches the host and path of the request. Answered 502.',
  },
  ERR_REQUEST_TOO_LARGE_TO_HOLD: {
    side: 'client',
    status: 400,
    isPublic: true,
    meaning:
      'The origin answered with a GRIP instruct, but the request body is longer than `request_body_max`. Answered 400.',
  },
  ERR_REQUEST_BODY_TOO_LARGE: {
    side: 'client',
    status: 413,
    isPublic: true,
    meaning:
      'The request body is longer than `request_size_max`. Answered 413; broken off where the answer is under way already.',
  },
  ERR_REQUEST_TOO_SLOW: {
    side: 'client',
    status: 408,
    isPublic: true,
    meaning:
      'The request body came slower than `request_min_rate`. Answered 408; broken off where the answer is under way already.',
  },
  ERR_REQUEST_INSTRUCT_TOO_LARGE: {
    side: 'origin',
    status: 502,
    meaning: 'The body of a GRIP response is longer than `instruct_body_max`. Answered 502.',
  },
  ERR_REQUEST_CALLBACK: {
    side: 'origin',
    status: 502,
    meaning:
      'The origin asked for a callback that cannot be: its URL, secret, channels or filters are not as they have to be, or `callbacks` is off. Answered 502.',
  },
  ERR_REQUEST_CALLBACK_UNAVAILABLE: {
    side: 'internal',
    status: 503,
    text: 'The subscription could not be made at the moment.',
    meaning:
      'The origin asked for a callback, which could not be made or ended: Redis is away, or there are too many of them. Answered 503.',
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
  ERR_REQUEST_JSONP: {
    side: 'client',
    status: 400,
    isPublic: true,
    meaning: 'A JSON-P call has a parameter that cannot be used. Answered 400.',
  },
  ERR_REQUEST_CROSS_ORIGIN: {
    side: 'client',
    status: 403,
    isPublic: true,
    meaning: 'A page of a site that `aco_origins` does not name calls by JSON-P, or uses SockJS. Answered 403.',
  },
  ERR_REQUEST_CLIENT_CERT: {
    side: 'client',
    status: 403,
    isPublic: true,
    meaning: 'The route has `client_cert=require`, and the client has shown no certificate. Answered 403.',
  },
  ERR_REQUEST_EVENTS_FROM_CLIENT: {
    side: 'client',
    status: 403,
    isPublic: true,
    meaning:
      'A client spoke of application/websocket-events, or application/xmpp-stanza+xml, in Content-Type or Accept, as only a GRIP proxy does. Answered 403.',
  },
  ERR_REQUEST_RATE: {
    side: 'client',
    status: 429,
    isPublic: true,
    meaning: 'The client asks more often than `limit_rate` of its route allows. Answered 429 with `Retry-After`.',
  },
  ERR_REQUEST_HOLDS: {
    side: 'client',
    status: 429,
    isPublic: true,
    meaning:
      'The client has as many holds and sessions as `client_max_holds_per_address`, or `limit_holds` of its route, allows. Answered 429 with `Retry-After`.',
  },
  ERR_REQUEST_SHED: {
    side: 'internal',
    status: 503,
    isPublic: true,
    meaning:
      'The process uses more memory than `shed_memory` allows, and takes no new holds. Answered 503 with `Retry-After`.',
  },
  ERR_ORIGIN_CONNECT: {
    side: 'origin',
    status: 502,
    meaning:
      'No connection to the target: refused, timed out, unreachable, name unknown or TLS failed. The next target is tried.',
  },
  ERR_ORIGIN_BLOCKED: {
    side: 'origin',
    status: 502,
    meaning: 'The target is marked `untrusted` and its address is private.',
  },
  ERR_ORIGIN_CLOSED: {
    side: 'origin',
    status: 502,
    meaning: 'The origin closed the connection before its answer was complete.',
  },
  ERR_ORIGIN_MALFORMED: {
    side: 'origin',
    status: 502,
    meaning:
      'The origin answered with something that is not HTTP or breaks its own length, or breaks the WebSocket protocol, or a later answer of WebSocket-over-HTTP is none.',
  },
  ERR_ORIGIN_CODING: {
    side: 'origin',
    status: 502,
    meaning:
      'An answer that Holdfast must read, such as a GRIP response, is in a Content-Encoding that it does not know, in more than three, or is not what the field says. Answered 502.',
  },
  ERR_ORIGIN_STANZA_LATE: {
    side: 'origin',
    meaning: 'The answer to an XMPP stanza was not complete after 30 s. The client gets `remote-server-timeout`.',
  },
  ERR_ORIGIN_TIMEOUT: {
    side: 'origin',
    status: 502,
    meaning: 'The origin was silent for longer than `origin_timeout`.',
  },
  ERR_ORIGIN_FAULT: {
    side: 'internal',
    status: 500,
    text: 'Internal error.',
    meaning: 'Holdfast itself failed while it served the request; the log has the stack. Answered 500.',
  },
  ERR_ORIGIN_REQUEST: {
    side: 'client',
    status: 502,
    meaning: 'The request cannot be put on the wire to the origin, or its body broke off.',
  },
  ERR_CONFIG_FILE: {
    side: 'internal',
    meaning:
      'A configuration, secret or included file cannot be read, none was found where one was named, or the log file cannot be written.',
  },
  ERR_CONFIG_SYNTAX: {
    side: 'internal',
    meaning: 'The configuration file is neither valid YAML nor a valid pushpin.conf.',
  },
  ERR_CONFIG_UNKNOWN_KEY: {
    side: 'internal',
    meaning: 'A Holdfast YAML file has a key that does not exist; the nearest one is named.',
  },
  ERR_CONFIG_VALUE: { side: 'internal', meaning: 'A value does not have the type or the range of its option.' },
  ERR_CONFIG_KEY: {
    side: 'internal',
    meaning: 'A key, of an option or of a routes line, cannot be read, or cannot do what it is for.',
  },
  ERR_CONFIG_CONFLICT: { side: 'internal', meaning: 'Two settings exclude each other, or a needed one is missing.' },
  ERR_CONFIG_PUBLIC_CONTROL: {
    side: 'internal',
    meaning: 'The control listener would be reachable from other machines without authentication.',
  },
  ERR_CONFIG_FLAG: {
    side: 'internal',
    meaning: 'The command line has an unknown flag or command, or a flag lacks its value.',
  },
  ERR_CONFIG_ROUTE_LINE: {
    side: 'internal',
    meaning: 'A routes line breaks the grammar or has a bad condition or target.',
  },
  ERR_CONFIG_ROUTES_FILE: { side: 'internal', meaning: 'The routes file cannot be read.' },
  ERR_PUBLISH_ARGUMENT: { side: 'client', meaning: 'An argument of `holdfast publish` cannot be used.' },
  ERR_PUBLISH_FILE: { side: 'client', meaning: 'The content file of `holdfast publish` cannot be read.' },
  ERR_PUBLISH_UNREACHABLE: { side: 'internal', meaning: '`holdfast publish` got no answer from the control API.' },
  ERR_PUBLISH_REFUSED: {
    side: 'client',
    meaning: 'The control API refused what `holdfast publish` sent; its text is shown.',
  },
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
  ERR_TOKEN_ARGUMENT: { side: 'client', meaning: 'An argument of `holdfast token` cannot be used, or is missing.' },
  ERR_TOKEN_KEY: { side: 'client', meaning: 'The key of `holdfast token` cannot be read, or cannot sign.' },
  ERR_LOAD_ARGUMENT: { side: 'client', meaning: 'An argument of `holdfast load` cannot be used.' },
  ERR_LOAD_PUBLISH: {
    side: 'client',
    meaning: 'The control API did not take what `holdfast load` published at the beginning; its text is shown.',
  },
  ERR_LOAD_REPORT: {
    side: 'client',
    meaning: 'A file of `holdfast load --merge` cannot be read, is no report, or is of another run.',
  },
  ERR_WORKER_START: { side: 'internal', meaning: 'A worker process ended, or said nothing, before it served clients.' },
} as const satisfies Readonly<Record<string, ErrorRow>>;
