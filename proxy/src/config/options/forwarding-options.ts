/** Options about routes, forwarded requests and origins. Rows only; see `../table.ts`. */
import type { Option } from '../option.js';

const group = 'Routes and origins';

export const forwardingOptions = [
  {
    key: 'routes',
    group,
    type: 'lines',
    flags: ['--route'],
    doc: 'Routes lines, in the syntax of the routes file; they replace it. As a flag, `--route LINE` may be repeated. Without routes and routes file the only route is `* test`.',
  },
  {
    key: 'routesfile',
    group,
    type: 'path',
    base: 'config',
    pushpinDefault: 'routes',
    pushpin: ['proxy.routesfile'],
    doc: 'The routes file. It is loaded again when it changes and on SIGHUP.',
  },
  {
    key: 'prefix_separator',
    group,
    type: 'string',
    default: '',
    doc: 'Stands between the `prefix` of a route and each channel that its origin names, such as `|`. No prefix may contain it, and the origins of routes without a prefix may not name channels that do: so nobody can name the channels of another prefix.',
  },
  {
    key: 'pattern_separator',
    group,
    type: 'string',
    default: '/',
    doc: 'Stands between the segments of a pattern that a subscription may have in the place of a channel: in `news/*/sport` the `*` is one segment. Empty: a pattern can only have a `*` at its end.',
  },
  {
    key: 'pattern_all',
    group,
    type: 'bool',
    default: false,
    doc: 'Let origins subscribe clients to patterns that begin with `*`, so that every item of the system has to come to the node.',
  },
  {
    key: 'debug',
    group,
    type: 'bool',
    default: false,
    pushpin: ['proxy.debug'],
    doc: 'Tell clients more about why a request failed, on every route.',
  },
  {
    key: 'auto_cross_origin',
    group,
    type: 'bool',
    default: false,
    pushpin: ['proxy.auto_cross_origin'],
    doc: 'Add CORS headers and serve JSON-P on every route.',
  },
  {
    key: 'aco_origins',
    group,
    type: 'list',
    default: '*',
    doc: 'Origins of the pages whose scripts `aco`, `auto_cross_origin` and SockJS let in: `https://a.example`, `https://*.a.example`, or `*` for all. A route has its own with `aco_origins=https://a.example|https://b.example`.',
  },
  {
    key: 'accept_x_forwarded_protocol',
    group,
    type: 'bool',
    default: false,
    pushpin: ['proxy.accept_x_forwarded_protocol'],
    doc: 'Trust `X-Forwarded-Proto` and `X-Forwarded-Protocol` of clients to say whether a request came over TLS.',
  },
  {
    key: 'set_x_forwarded_protocol',
    group,
    type: 'enum',
    values: ['true', 'false', 'proto-only'],
    default: 'proto-only',
    pushpin: ['proxy.set_x_forwarded_protocol'],
    doc: 'Which headers tell the origin of TLS: `true` sets `X-Forwarded-Proto` and `X-Forwarded-Protocol`, `proto-only` the first, `false` none.',
  },
  {
    key: 'x_forwarded_for',
    group,
    type: 'forwarded-for',
    default: '',
    pushpin: ['proxy.x_forwarded_for'],
    doc: 'What happens to `X-Forwarded-For`: `truncate:N` keeps the last N addresses, `append` adds the client’s.',
  },
  {
    key: 'x_forwarded_for_trusted',
    group,
    type: 'forwarded-for',
    default: '',
    pushpin: ['proxy.x_forwarded_for_trusted'],
    doc: 'The same for clients that are trusted by `upstream_key`.',
  },
  {
    key: 'set_forwarded',
    group,
    type: 'bool',
    default: false,
    doc: 'Send `Forwarded` (RFC 7239) to origins: the client’s address, host and protocol, and the trusted proxies on the way.',
  },
  {
    key: 'orig_headers_need_mark',
    group,
    type: 'list',
    default: '',
    pushpin: ['proxy.orig_headers_need_mark'],
    doc: 'Header names that the route property `orig_headers` never marks by itself.',
  },
  {
    key: 'accept_pushpin_route',
    group,
    type: 'bool',
    default: false,
    pushpin: ['proxy.accept_pushpin_route'],
    doc: 'Let clients choose a route by id with the `Pushpin-Route` header.',
  },
  {
    key: 'cdn_loop',
    group,
    type: 'string',
    default: '',
    pattern: { form: /^[\x20-\x7e]*$/, doc: 'a token in ASCII' },
    pushpin: ['proxy.cdn_loop'],
    doc: 'Token appended to `CDN-Loop`; empty leaves the header alone.',
  },
  {
    key: 'sig_iss',
    group,
    type: 'string',
    default: 'pushpin',
    pushpin: ['proxy.sig_iss'],
    doc: 'Issuer in the `Grip-Sig` token by which origins recognise the proxy.',
  },
  {
    key: 'sig_key',
    group,
    type: 'secret',
    keyUse: 'sign',
    default: 'changeme',
    pushpin: ['proxy.sig_key'],
    doc: 'Key that signs `Grip-Sig`: text, `base64:…` or `file:path`. A file has a secret in hexadecimal, such as `openssl rand -hex 32` makes, or a private key in PEM (ES256 or RS256). It is tried out when it is read.',
  },
  {
    key: 'upstream_key',
    group,
    type: 'secret',
    keyUse: 'verify',
    default: '',
    pushpin: ['proxy.upstream_key'],
    doc: 'Key that verifies the `Grip-Sig` of GRIP proxies in front, whose requests are then trusted. Empty trusts nobody.',
  },
  /**
   * @limit no limit on open requests to origins
   * @over requests wait, in order, as long as their clients do
   */
  {
    key: 'max_open_requests',
    group,
    type: 'limit',
    unit: 'requests',
    default: -1,
    min: -1,
    pushpin: ['proxy.max_open_requests'],
    doc: 'Requests proxied at the same time; 0 or -1 sets no limit.',
  },
  /**
   * @limit {} s to connect to an origin, TLS included
   * @over next target
   */
  {
    key: 'origin_connect_timeout',
    group,
    type: 'duration',
    unit: 's',
    default: 10,
    min: 0.001,
    max: 2_147_483,
    doc: 'How long a connection to an origin may take, TLS included, before the next target is tried.',
  },
  /**
   * @limit {} s of silence in an answer, before its head or in its body; interim answers count as silence
   * @over 502, or the answer breaks off
   */
  {
    key: 'origin_timeout',
    group,
    type: 'duration',
    unit: 's',
    default: 1800,
    min: 0.001,
    max: 2_147_483,
    doc: 'How long an origin may be silent in the middle of an exchange.',
  },
  /**
   * @limit {} s idle; if the origin says how long it waits (`Keep-Alive: timeout=N`), 2 s less than that, 10 min at most
   * @over connection closed
   */
  {
    key: 'origin_keep_alive_timeout',
    group,
    type: 'duration',
    unit: 's',
    default: 4,
    min: 0.001,
    max: 2_147_483,
    doc: 'How long an idle connection to an origin is kept for the next request, where the origin does not say (`Keep-Alive: timeout=N`; then two seconds less than that). Less than servers wait: many close after 5 s.',
  },
  /**
   * @limit {} s since the connection was made
   * @over it takes no further request: names are looked up again
   */
  {
    key: 'origin_connection_max_age',
    group,
    type: 'duration',
    unit: 's',
    default: 300,
    min: 0.001,
    max: 2_147_483,
    doc: 'How old a connection to an origin may get. An older one takes no further request, so that names are looked up again and origins that have moved are found; requests under way go on.',
  },
  {
    key: 'origin_connections_max',
    group,
    type: 'int',
    unit: 'connections',
    default: 0,
    min: 0,
    max: 1_000_000,
    doc: 'Most connections of one process to one target. Further requests wait for one, as long as `origin_connect_timeout`; then the next target is tried. 0: a third of the files that the process may open. WebSockets to origins are not among them.',
  },
  /**
   * @limit {} bytes of the body of an instruct, decoded
   * @over 502; stream holds and answers without a hold in header form stream instead
   */
  {
    key: 'instruct_body_max',
    group,
    type: 'size',
    unit: 'bytes',
    default: 100_000,
    min: 0,
    doc: 'Largest body of an origin response that carries a GRIP instruct and has to be buffered.',
  },
  /**
   * @limit {} bytes of a request body, a route's `request_size_max` where it has one; 0 sets none
   * @over 413; broken off where the answer has begun
   */
  {
    key: 'request_size_max',
    group,
    type: 'size',
    unit: 'bytes',
    default: 0,
    min: 0,
    doc: 'Longest request body. A longer one is answered 413, before the origin is asked if its length is declared. 0 sets no limit. A route has its own with `request_size_max=1MB`.',
  },
  /**
   * @limit {} bytes of a request body that are kept
   * @over the body streams on, but is sent once only: no failover after its beginning was read, and 400 instead of a
   *   hold
   */
  {
    key: 'request_body_max',
    group,
    type: 'size',
    unit: 'bytes',
    default: 100_000,
    min: 0,
    doc: 'Largest request body that is kept, to be sent again to the next target or when a held request is retried. Larger bodies stream through, but cannot be held.',
  },
  {
    key: 'sockjs_url',
    group,
    type: 'string',
    default: 'http://cdn.jsdelivr.net/sockjs/0.3.4/sockjs.min.js',
    pushpin: ['proxy.sockjs_url'],
    doc: 'Address of the SockJS client library, used in the iframe page.',
  },
] as const satisfies readonly Option[];
