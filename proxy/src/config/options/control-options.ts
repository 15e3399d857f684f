/** Options about the control API and the ZeroMQ sockets beside it. Rows only; see `../table.ts`. */
import type { Option } from '../option.js';

const group = 'Control API';

export const controlOptions = [
  {
    key: 'push_in_http_addr',
    group,
    type: 'string',
    default: '127.0.0.1',
    pushpin: ['handler.push_in_http_addr'],
    doc: 'Address the control API binds. Anything but loopback needs keys (`control_keys_file` or `control_key`), or `push_in_http_allow_public`.',
  },
  {
    key: 'push_in_http_port',
    group,
    type: 'int',
    default: 5561,
    pushpinDefault: -1,
    min: -1,
    max: 65_535,
    pushpin: ['handler.push_in_http_port'],
    flags: ['--control-port'],
    doc: 'Port of the control API; -1 disables it, 0 lets the system choose.',
  },
  {
    key: 'push_in_https_port',
    group,
    type: 'int',
    default: -1,
    min: -1,
    max: 65_535,
    doc: 'Port of the control API with TLS, on `push_in_http_addr` too; -1 disables it. Its certificates are in `tls_certs_dir`, as for `https_ports`.',
  },
  {
    key: 'push_in_client_ca',
    group,
    type: 'path',
    base: 'config',
    doc: 'File of the authorities, in PEM, that sign certificates of publishers: on `push_in_https_port` clients without such a certificate are turned away (mutual TLS). It is read again when it changes.',
  },
  {
    key: 'push_in_http_allow_public',
    group,
    type: 'bool',
    default: false,
    doc: 'Start without keys although everybody who can reach `push_in_http_addr` may publish.',
  },
  {
    key: 'control_keys_file',
    group,
    type: 'path',
    base: 'config',
    doc: 'YAML file with the keys of the control API, what each may do and on which channels; see [security.md](security.md#keys-of-the-control-api). With any key every request but `GET /` needs one. Read again when it changes, and on SIGHUP; a bad file changes nothing.',
  },
  {
    key: 'control_key',
    group,
    type: 'secret',
    doc: 'One key of the control API, which may do everything, as publishers have it in their GRIP_URL: with `key` alone, or with `iss` and `key`. In addition to those of `control_keys_file`.',
  },
  {
    key: 'control_hosts',
    group,
    type: 'list',
    default: '',
    doc: 'Host names under which the control API and the admin listeners are reached, beside `localhost` and IP addresses; requests for others are refused. As long as none are listed, programs, but not browsers, are served by any name, on a loopback address by one without a dot.',
  },
  {
    key: 'control_allowed_origins',
    group,
    type: 'list',
    default: '',
    doc: 'Origins of web pages, such as `https://ops.example` or `https://*.ops.example`, that may use the control API and the admin listeners from scripts. Pages of all others are refused; `*` is not taken.',
  },
  /**
   * @limit {} bytes of a request head on the control API
   * @over 431
   */
  {
    key: 'push_in_http_max_headers_size',
    group,
    type: 'size',
    unit: 'bytes',
    default: 10_000,
    min: 256,
    pushpin: ['handler.push_in_http_max_headers_size'],
    doc: 'Largest head of a control request.',
  },
  /**
   * @limit {} bytes of a publish body; of a compressed one both as sent and as decoded
   * @over 413
   */
  {
    key: 'push_in_http_max_body_size',
    group,
    type: 'size',
    unit: 'bytes',
    default: 1_000_000,
    min: 1,
    pushpin: ['handler.push_in_http_max_body_size'],
    doc: 'Largest body of a control request.',
  },
  /**
   * @limit no limit on the items of one publish but the longest body: one of `push_in_http_max_body_size` has room for some
   *   30,000 of the shortest
   * @over nothing of it is published: 413, or `bad-request` on the ZeroMQ command socket; counted
   */
  {
    key: 'ids_max',
    group,
    type: 'limit',
    unit: 'items',
    default: -1,
    min: -1,
    doc: 'Items that one publish may have, over HTTP or on `command_spec`; 0 or -1 sets no limit but that of the body. Each item has an id, which is remembered (`id_cache_ttl`).',
  },
  {
    key: 'push_in_spec',
    group,
    type: 'string',
    pushpin: ['handler.push_in_spec'],
    doc: 'ZeroMQ PULL socket for publish items, for example `tcp://127.0.0.1:5560`.',
  },
  {
    key: 'push_in_sub_specs',
    group,
    type: 'list',
    pushpin: ['handler.push_in_sub_specs', 'handler.push_in_sub_spec'],
    doc: 'ZeroMQ SUB sockets for publish items, for example `tcp://127.0.0.1:5562`.',
  },
  {
    key: 'push_in_sub_connect',
    group,
    type: 'bool',
    default: false,
    pushpin: ['handler.push_in_sub_connect'],
    doc: 'Connect the SUB sockets instead of binding the first.',
  },
  {
    key: 'command_spec',
    group,
    type: 'string',
    pushpin: ['handler.command_spec'],
    doc: 'ZeroMQ command socket, for example `tcp://127.0.0.1:5563`.',
  },
  {
    key: 'zmq_curve_secret_key',
    group,
    type: 'secret',
    doc: 'Secret key of this node for CURVE, 40 characters as `holdfast curve-keys` makes them. With it all ZeroMQ sockets on TCP are encrypted, and only the clients of `zmq_curve_client_keys` and `zmq_curve_client_keys_file` may connect.',
  },
  {
    key: 'zmq_curve_client_keys',
    group,
    type: 'list',
    default: '',
    doc: 'Public keys of the clients that may connect to ZeroMQ sockets with CURVE.',
  },
  {
    key: 'zmq_curve_client_keys_file',
    group,
    type: 'path',
    base: 'config',
    doc: 'File of further such keys, one on each line, with a name behind it for the log. It is read again when it changes.',
  },
  {
    key: 'zmq_curve_publisher_key',
    group,
    type: 'string',
    doc: 'Public key of the publishers that `push_in_sub_specs` connects to with `push_in_sub_connect`. Without it that socket has no CURVE.',
  },
  {
    key: 'ipc_file_mode',
    group,
    type: 'mode',
    pushpin: ['handler.ipc_file_mode', 'proxy.ipc_file_mode'],
    doc: 'Octal mode of the files of bound `ipc://` sockets, as text.',
  },
] as const satisfies readonly Option[];
