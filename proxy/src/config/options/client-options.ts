/** Options about clients: listeners, limits and timeouts of the edge. Rows only; see `../table.ts`. */
import type { Option } from '../option.js';

export const clientOptions = [
  {
    key: 'http_port',
    group: 'Clients',
    type: 'ports',
    default: '7999',
    pushpin: ['runner.http_port'],
    flags: ['--port'],
    doc: 'Plain HTTP listeners, a list of `[addr:]port`. Without an address all IPv4 interfaces are bound; `[::]:7999` binds IPv6. With `?proxy_protocol=v1v2&from=10.0.0.0/8` (or `v1`, `v2`; needs `edge: node`) every connection has to come from there, and to begin with a PROXY protocol header that names the client.',
  },
  {
    key: 'https_ports',
    group: 'Clients',
    type: 'ports',
    default: '',
    pushpin: ['runner.https_ports'],
    doc: 'TLS listeners, a list of `[addr:]port`, with `?proxy_protocol=` as for `http_port`. Certificates come from `tls_certs_dir`.',
  },
  {
    key: 'tls_certs_dir',
    group: 'Clients',
    type: 'path',
    base: 'config',
    default: 'certs',
    pushpinDefault: 'runner/certs',
    doc: 'Directory of `<domain>.crt`/`.key`, `_.<parent>.crt`/`.key` and `default_<port>.crt`/`.key` (PEM). Files are re-read when they change.',
    uws: {
      effect: 'other',
      doc: 'a change is seen within 10 s, but one of `default_<port>` only by a restart',
    },
  },
  {
    key: 'tls_min_version',
    group: 'Clients',
    type: 'enum',
    values: ['1.2', '1.3'],
    default: '1.2',
    doc: 'Oldest version of TLS that the listeners with TLS speak, those of the control API too.',
    uws: {
      effect: 'other',
      doc: '`1.3` on `https_ports` is refused at the start, for the library cannot do without 1.2',
    },
  },
  {
    key: 'tls_ciphers',
    group: 'Clients',
    type: 'string',
    doc: "Cipher suites that the listeners with TLS take, in OpenSSL's form. Those of TLS 1.3 stay as they are unless some of them are named.",
    uws: {
      effect: 'other',
      doc: 'names of suites of TLS 1.3 are refused at the start',
    },
  },
  {
    key: 'tls_client_ca',
    group: 'Clients',
    type: 'path',
    base: 'config',
    doc: 'File of the authorities, in PEM, that sign certificates of clients: clients on `https_ports` are asked for one, and a certificate that does not count is refused. Routes with `client_cert=require` take no others; origins get it as `Client-Cert` (RFC 9440), which no client can send itself then. The file is read again when it changes.',
    uws: {
      effect: 'other',
      doc: 'a change of the file is seen within 10 s, but for clients of the default certificate only by a restart',
    },
  },
  {
    key: 'tls_ticket_key_file',
    group: 'Clients',
    type: 'path',
    base: 'config',
    doc: 'File with a secret of 32 bytes at least, from which session tickets on `https_ports` get their key: clients resume their TLS sessions at all nodes with the same file, and after a restart. Without it only at this node, by a random key that its workers share. Read again when it changes, and on SIGHUP; tickets of the secret before count for two more hours.',
    uws: {
      effect: 'ignored',
      doc: 'each process has a key of its own: its library cannot be given one',
    },
  },
  {
    key: 'local_ports',
    group: 'Clients',
    type: 'sockets',
    default: '',
    pushpin: ['runner.local_ports'],
    doc: 'Unix socket listeners, a list of `path?mode=octal&user=u&group=g&proxy_protocol=v2`.',
    uws: {
      effect: 'other',
      doc: 'they need `workers: 1`',
    },
  },
  {
    key: 'edge',
    group: 'Clients',
    type: 'enum',
    values: ['node', 'uws'],
    default: 'node',
    doc: 'Which edge serves clients: `node` is strict and transparent. `uws` has more connections in less memory, and limits of its own: see docs/edges.md.',
  },
  {
    key: 'trusted_proxies',
    group: 'Clients',
    type: 'addresses',
    default: '',
    doc: 'Proxies in front whose `X-Forwarded-For`, `-Proto` and `-Host`, or `Forwarded`, are believed: addresses, CIDR ranges, and `unix` for those on unix sockets. The first address from the right that is not among them is the client’s, in logs, limits, views and what origins get. From all others these fields are removed. Empty believes nobody, and passes the fields on as `x_forwarded_for` says.',
  },
  {
    key: 'trusted_proxy_fields',
    group: 'Clients',
    type: 'enum',
    values: ['auto', 'x-forwarded', 'forwarded'],
    default: 'auto',
    doc: 'Which fields of trusted proxies are believed: `x-forwarded`, `forwarded` (RFC 7239), or with `auto` the first where they are there, else the second. Name the ones that your proxy sets: it may pass the others on as a client sent them.',
  },
  /**
   * @limit {} bytes of request head; {pushpin} with a pushpin.conf
   * @over 431, connection closed
   */
  {
    key: 'client_buffer_size',
    group: 'Clients',
    type: 'size',
    unit: 'bytes',
    default: 16_384,
    pushpinDefault: 8192,
    min: 1024,
    max: 16_777_216,
    pushpin: ['runner.client_buffer_size'],
    doc: 'Largest request head (request line and header fields). A larger one is refused.',
  },
  /**
   * @limit {} bytes of one message, after inflation
   * @over session closed with 1009
   */
  {
    key: 'websocket_message_max',
    group: 'Clients',
    type: 'size',
    unit: 'bytes',
    default: 16_777_216,
    min: 125,
    max: 1_073_741_824,
    doc: 'Longest WebSocket message, in either direction and after decompression. A longer one closes the session with code 1009. The route property `ws_message_max` lowers it for what clients send.',
    uws: {
      effect: 'other',
      doc: 'a client that sends a longer one is cut without a code',
    },
  },
  /**
   * @limit no limit on the messages per second of a WebSocket client, pings included, and pongs that no ping
   *   asked for; twice as many at once
   * @over session closed with 1008, counted and logged
   */
  {
    key: 'ws_message_rate',
    group: 'Clients',
    type: 'limit',
    unit: 'messages per second',
    default: -1,
    min: -1,
    doc: 'Messages per second that a WebSocket or SockJS client may send, pings included, and pongs that no ping asked for; twice as many at once. One that sends more is closed with code 1008. While its origin holds it back, what it may send adds up. 0 or -1 sets no limit.',
  },
  /**
   * @limit {} connections on each listener
   * @over the new connection is closed, counted and logged
   */
  {
    key: 'client_maxconn',
    group: 'Clients',
    type: 'int',
    unit: 'connections',
    default: 50_000,
    min: 1,
    pushpin: ['runner.client_maxconn'],
    doc: 'Connections that each client listener has open at the same time. One more is closed as soon as it is accepted.',
  },
  /**
   * @limit no limit on connections of one address
   * @over the new connection is closed, counted and logged
   */
  {
    key: 'client_max_per_address',
    group: 'Clients',
    type: 'limit',
    unit: 'connections',
    default: 0,
    min: -1,
    doc: 'Connections that one client address, or IPv6 network of 64 bits, may have open at the same time. Those of `trusted_proxies` and of unix sockets are not limited. 0 or -1 sets no limit. With several workers each has its share of the limit.',
    uws: {
      effect: 'ignored',
      doc: 'the library does not say whose connection has closed: limit holds instead',
    },
  },
  /**
   * @limit no limit on new connections of one address
   * @over the new connection is closed, counted and logged
   */
  {
    key: 'client_accept_rate',
    group: 'Clients',
    type: 'limit',
    unit: 'connections per second',
    default: 0,
    min: -1,
    doc: 'New connections per second that one client address, or IPv6 network of 64 bits, may open, and twice as many at once. Those of `trusted_proxies` and of unix sockets are not limited. 0 or -1 sets no limit. With several workers each has its share of the limit.',
  },
  /**
   * @limit no limit on holds and sessions of one address
   * @over 429 with Retry-After, counted and logged
   */
  {
    key: 'client_max_holds_per_address',
    group: 'Clients',
    type: 'limit',
    unit: 'holds',
    default: 0,
    min: -1,
    doc: 'Held requests and WebSocket sessions that one client address, or IPv6 network of 64 bits, may have at the same time; one more is answered 429. 0 or -1 sets no limit. With several workers each has its share of the limit.',
  },
  /**
   * @limit off: a share of the memory that the process may use
   * @over new holds and WebSockets are answered 503 with Retry-After; those that are open, and publishes, go on
   */
  {
    key: 'shed_memory',
    group: 'Clients',
    type: 'percent',
    default: 0,
    doc: 'Above this share of the memory that the process may use, such as `80%`, no new holds are taken: they are answered 503 with `Retry-After`. What it may use is the memory of the machine or the container, and the heap that Node.js allows. 0 is off.',
  },
  /**
   * @limit {} s between two requests
   * @over connection closed
   */
  {
    key: 'client_keep_alive_timeout',
    group: 'Clients',
    type: 'duration',
    unit: 's',
    default: 1800,
    min: 1,
    max: 2_147_483,
    doc: 'How long an idle client connection is kept open for its next request.',
    uws: {
      effect: 'ignored',
      doc: 'the next request has to come within 8 to 12 s',
    },
  },
  /**
   * @limit {} s for a complete head, and as long for a TLS handshake before it
   * @over 408, connection closed; checked every 5 s or more often
   */
  {
    key: 'client_header_timeout',
    group: 'Clients',
    type: 'duration',
    unit: 's',
    default: 60,
    min: 1,
    max: 2_147_483,
    doc: 'How long a client may take to send a request head, and before it for a TLS handshake.',
    uws: {
      effect: 'ignored',
      doc: 'a head has to be complete within 8 to 12 s',
    },
  },
  /**
   * @limit {} s of silence after a FIN
   * @over connection cut
   */
  {
    key: 'client_half_close_grace',
    group: 'Clients',
    type: 'duration',
    unit: 's',
    default: 2,
    min: 0,
    max: 2_147_483,
    doc: 'How long after the end of a client’s sending side an unanswered request may still be answered before the client counts as gone.',
    uws: {
      effect: 'ignored',
      doc: 'a client that ends its sending side counts as gone at once',
    },
  },
  /**
   * @limit {} bytes per second of a request body that is read, over each `request_min_rate_window`; 0 sets none
   * @over 408; connection cut where the answer has begun
   */
  {
    key: 'request_min_rate',
    group: 'Clients',
    type: 'size',
    unit: 'bytes per second',
    default: 50,
    min: 0,
    doc: 'Slowest request body in bytes per second, while Holdfast waits for it: not while the origin takes nothing. A slower client is answered 408 and cut. 0 waits for ever. Raise `request_min_rate_window` for clients that send a body piece by piece, with long pauses.',
  },
  {
    key: 'request_min_rate_window',
    group: 'Clients',
    type: 'duration',
    unit: 's',
    default: 60,
    min: 1,
    max: 2_147_483,
    doc: 'How long a request body is waited for before `request_min_rate` is applied to what has come; then again for the next such time.',
  },
  /**
   * @limit {} s in which a client takes nothing of an answer; 0 sets none
   * @over connection cut
   */
  {
    key: 'write_timeout',
    group: 'Clients',
    type: 'duration',
    unit: 's',
    default: 300,
    min: 0,
    max: 2_147_483,
    doc: 'How long a client may take nothing of an answer that waits for it, also of one that is complete; then its connection is cut. Items for held streams and messages of WebSockets do not count: `client_queue_size` bounds them. 0 waits for ever.',
    uws: {
      effect: 'other',
      doc: 'the last 32 KiB of an answer may be with the library, which cuts a client that takes nothing within 8 to 12 s',
    },
  },
  {
    key: 'allow_compression',
    group: 'Clients',
    type: 'bool',
    default: false,
    pushpin: ['runner.allow_compression'],
    doc: 'Offer permessage-deflate to WebSocket clients and origins.',
  },
  {
    key: 'compress',
    group: 'Clients',
    type: 'list',
    default: '',
    doc: 'Codings in which answers are offered to clients that accept them, best first: `gzip`, `br`, and `zstd` from Node.js 22.15 on. Answers of an origin that come encoded stay as they are. Empty compresses nothing.',
  },
  /**
   * @limit {} bytes of a body or an item
   * @over shorter ones are not compressed
   */
  {
    key: 'compress_min',
    group: 'Clients',
    type: 'size',
    unit: 'bytes',
    default: 512,
    min: 1,
    max: 1_048_576,
    doc: 'Shorter bodies are not compressed; nor are shorter items, which go into compressed streams as they are.',
  },
  {
    key: 'compress_types',
    group: 'Clients',
    type: 'list',
    default:
      'text/*,application/json,application/*+json,application/x-ndjson,application/javascript,application/xml,application/*+xml,application/wasm,image/svg+xml,font/otf,font/ttf',
    doc: 'Media types that are compressed; `*` stands for any characters. `text/event-stream` always counts for held streams, and for event streams that an origin sends itself only where it is named.',
  },
  {
    key: 'compress_cookies',
    group: 'Clients',
    type: 'bool',
    default: false,
    doc: 'Compress answers with `Set-Cookie` too. If an answer contains a secret together with text that an attacker can choose, the length of the compressed form reveals the secret (BREACH).',
  },
  {
    key: 'compress_streams',
    group: 'Clients',
    type: 'bool',
    default: false,
    doc: 'Send held streams by gzip to clients that accept it. Each item is compressed once for all clients, and costs no window for each.',
  },
] as const satisfies readonly Option[];
