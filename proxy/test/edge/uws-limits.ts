/**
 * What the uws edge cannot do, with the clauses of the `Edge` contract that show it. The contract tries each of them, and
 * docs/edges.md is made of this table.
 */
import type { EdgeLimit } from './contract.js';

/** All of it is decided inside uWebSockets.js (v20.51), before or after our code sees it. */
export const uwsLimits: readonly EdgeLimit[] = [
  {
    what: 'HTTP/1.0',
    why: 'Answered 505. This includes old health checks, `ab`, and nginx as a reverse proxy with its default `proxy_http_version 1.0`.',
    clauses: [
      'host-1.0',
      'answer-1.0-close',
      'answer-1.0-keep-alive',
      'information-1.0',
      'push-1.0',
      'abort-until-close',
    ],
  },
  {
    what: 'Request targets other than a path',
    why: 'Absolute-form targets, `OPTIONS *` and CONNECT to a host are answered 505.',
    clauses: ['absolute-form', 'options-asterisk'],
  },
  {
    what: 'Pipelining',
    why: 'A request that comes before the answer to the one before cuts the connection, without an answer to either. Bytes that are not a request get the library’s refusal, in the middle of the answer under way, and the connection is closed. Browsers and HTTP libraries do not pipeline.',
    clauses: [
      'connection-close',
      'pipelining',
      'pipelining-effects',
      'pipelining-synchronous',
      'pipelining-broken',
      'pipelining-malformed',
    ],
  },
  {
    what: 'Half-closed clients',
    why: 'A client that closes its sending side counts as gone at once; `client_half_close_grace` has no effect.',
    clauses: [
      'half-close-gone',
      'half-close-answered',
      'half-close-pipelined',
      'half-close-download',
      'half-close-slow-reader',
    ],
  },
  {
    what: 'Time limits',
    why: 'A TLS handshake and a head have to be complete, and the next request to come, within 8 to 12 s, or the connection is closed without an answer: `client_header_timeout` and `client_keep_alive_timeout` have no effect.',
    clauses: ['header-timeout', 'header-timeout-silent', 'header-timeout-body', 'keep-alive-timeout'],
  },
  {
    what: 'Case of header names',
    why: 'Names reach the origin in lower case.',
    clauses: ['request-header-case'],
  },
  {
    what: 'Bytes above 0x7f around header values',
    why: 'Leading and trailing ones are cut off like white space, also around a Content-Length; those in the middle pass. If a name is repeated, its second and later values pass if they are UTF-8; others are answered 400, because the library replaces their bytes by U+FFFD.',
    clauses: ['request-header-bytes', 'refuses-length-bytes'],
  },
  {
    what: 'Clients that vanish, outside of Linux',
    why: 'The kernel probes silent connections as on the node edge. To set that, a node process runs for a moment when a listener opens; it takes the listener’s descriptor from `/proc/self/fd`. If that is not possible a warning says so, and such clients are noticed only when something is sent to them.',
    clauses: [],
  },
  {
    what: 'More than 98 header fields',
    why: 'Answered 431.',
    clauses: ['header-count'],
  },
  {
    what: 'Date',
    why: 'The origin’s Date is replaced by the time of the answer, and added where there was none.',
    clauses: ['answer-no-date'],
  },
  {
    what: 'A head before its body',
    why: 'The head goes out with the first byte of the body. The head of a `text/event-stream` hold goes out after 100 ms with an empty comment, so that an `EventSource` opens; a compressed stream begins with the bytes of its coding, so its head goes out at once.',
    clauses: ['answer-early-head'],
  },
  {
    what: '100 Continue',
    why: 'Sent as soon as the head is there, even if the origin does not want the body, and only for `100-continue` in lower case.',
    clauses: ['expect-continue', 'expect-unread'],
  },
  {
    what: 'Chunked request bodies',
    why: 'Answered 411 Length Required, and the connection is cut. The library’s parser accepts malformed chunks as whole bodies, and reads an extension as digits of the size, where another reader of the same bytes sees other requests; Holdfast cannot detect this. Clients that send a body without a length (`fetch` with a stream, `curl -T -`, some proxies) need `edge: node`, or a proxy in front that reads the body and sends its length, as nginx does by default.',
    clauses: ['body-chunked', 'body-chunk-extensions', 'body-trailers', 'body-chunked-empty', 'body-chunk-malformed'],
  },
  {
    what: 'Trailers',
    why: 'The library writes none: Holdfast does not ask origins for them, and drops those that they send. Requests have none, since they have no chunks.',
    clauses: ['answer-trailers'],
  },
  {
    what: 'Ends of chunks',
    why: 'The line end behind a chunk goes out with the next chunk. Clients that take a chunk only when they have seen its end (Python’s `urllib3`, and so `requests`) get each item of a stream with the next one, or with the next keep-alive.',
    clauses: ['push-whole'],
  },
  {
    what: 'PROXY protocol',
    why: 'The library reads version 2 from every client. A request behind an address in it is refused with 400; a head without an address is skipped.',
    clauses: [],
  },
  {
    what: 'An empty line before a request',
    why: 'The connection hangs until its time limit.',
    clauses: ['leading-crlf'],
  },
  {
    what: 'Answers that close in the middle of a request body',
    why: 'The connection is closed with unread bytes of the client, which can reset it and lose the answer.',
    clauses: ['early-answer-close', 'refusal-arrives'],
  },
  {
    what: 'Idle connections on shutdown',
    why: 'They are closed with the last answer under way, not before.',
    clauses: ['stop-accepting'],
  },
  {
    what: 'Why a request is malformed',
    why: 'Requests that the library’s own parser refuses are answered 400 or 505 with the library’s page, or cut, and neither counted nor logged.',
    clauses: ['refusals-told'],
  },
  {
    what: 'All malformed heads',
    why: 'A bare CR in a value, and a request line without a version, hang until the time limit. An empty header name hides all fields after it, from the origin too: a proxy in front that lets such a head pass can see other requests than Holdfast.',
    clauses: ['refuses-value-cr', 'refuses-version-missing', 'refuses-name-empty'],
  },
  {
    what: 'WebSocket: `Connection: close` in a field before that with `upgrade`',
    why: 'Answered 400, as is any first Connection field of five characters, which the library takes for it.',
    clauses: [],
  },
  { what: 'WebSocket: frames before the 101', why: 'Cut: clients must wait (RFC 6455 §4.1).', clauses: [] },
  {
    what: 'WebSocket: pings and Closes end to end',
    why: 'The library answers a client’s ping and Close itself, at once. The origin sees them, but its pong goes no further, its messages after a client’s Close are dropped, and the client gets its own code back. For a Close with a code from 1012 to 1014 or from 3000 to 3999 the library reports neither code nor reason, and answers without a code: the origin gets a close without one. Such codes of an origin do reach the client. Pongs that are published or sent unrequested do not reach clients. A client that sends pings and leaves more than 65,536 bytes of pongs unread is cut.',
    clauses: [],
  },
  {
    what: 'WebSocket: holding a client back',
    why: 'Messages that an origin does not take wait in Holdfast; with more than 16 MiB, where each message counts 256 bytes on top of its own, the client is cut.',
    clauses: [],
  },
  {
    what: 'WebSocket: Close after a fault of the client',
    why: 'A message that is too long or breaks the protocol cuts the connection without a Close frame (no 1009, no 1007), and answers to earlier messages are dropped: for the origin the client has gone.',
    clauses: [],
  },
  {
    what: 'TLS',
    why: '1.2 and 1.3, without ALPN: `tls_min_version: 1.3`, and suites of TLS 1.3 in `tls_ciphers`, are refused at the start. A session that is resumed has the client certificate that it began with, though its authority has gone since; why a certificate was refused is not in the log. A changed certificate, or file of `tls_client_ca`, is used within 10 s, but the port’s default one only after a restart. At most 100 server names with capital letters are served; a name of more than ten labels gets the default certificate. For each certificate the library prints two lines (`finding …`, `Browsed to SNI: …`). They are dropped, unless standard output is a plain file that is not appended to (`> file`) and standard error is something else.',
    clauses: [],
  },
  {
    what: 'Connections of one address',
    why: 'The library does not say whose connection has closed: `client_max_per_address` has no effect. `client_accept_rate` and the limits of holds have.',
    clauses: [],
  },
  {
    what: 'Unix sockets with several workers',
    why: 'The start is refused: each worker listens separately, and they cannot share `local_ports`.',
    clauses: [],
  },
  {
    what: 'Several listeners on one fixed port',
    why: 'With `workers` other than 1 the port is shared (SO_REUSEPORT), so a second Holdfast started by mistake shares it too. Without workers the second start fails.',
    clauses: [],
  },
  {
    what: 'Holding back uploads from the same machine',
    why: 'The library reads on within one turn, even after a request to stop, as long as a client keeps its buffer full. At most 64 MiB of one upload wait, 32 MiB of several together; then the client of the longest is cut. Clients across a network are not that fast.',
    clauses: [],
  },
];
