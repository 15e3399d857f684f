/** Options about the process as a whole. Rows only; see `../table.ts`. */
import type { Option } from '../option.js';

const group = 'Process';

export const processOptions = [
  {
    key: 'workers',
    group,
    type: 'workers',
    default: 1,
    min: 1,
    max: 1024,
    pushpin: ['proxy.workers'],
    doc: 'Processes that serve clients; `auto` is one per core, and 1 serves them from the one process that also does everything else. `client_maxconn`, `max_open_requests`, `message_rate` and `message_hwm` are divided among them. SockJS over HTTP needs 1.',
  },
  /**
   * @limit {} s for client requests when the node stops
   * @over connection cut, logged
   */
  {
    key: 'shutdown_requests',
    group,
    type: 'duration',
    unit: 's',
    default: 30,
    min: 0,
    max: 2_147_483,
    doc: 'How long requests that are open when the node starts to stop may go on, uploads and downloads included; then they are cut. It begins when `shutdown_delay` and `shutdown_window` are over. Held requests do not wait for it: they have ended by then.',
  },
  {
    key: 'shutdown_delay',
    group,
    type: 'duration',
    unit: 's',
    default: 0,
    min: 0,
    max: 2_147_483,
    doc: 'How long a node that is to stop goes on serving as before, so that balancers notice: `/readyz` says 503, and each answer closes its connection.',
  },
  {
    key: 'shutdown_window',
    group,
    type: 'duration',
    unit: 's',
    default: 0,
    min: 0,
    max: 2_147_483,
    doc: 'Over how long held requests, streams and WebSockets end after that, one after the other at an even pace, so that their clients do not all come back at once. The listeners are closed by then; open connections are served. With 0 all end at once.',
  },
  {
    key: 'shutdown_retry',
    group,
    type: 'bool',
    default: false,
    doc: 'Whether streams of the type `text/event-stream` are sent `retry:` with 2 to 10 s at random before they end because the node stops: their clients wait so long before they come back.',
  },
  {
    key: 'port_offset',
    group,
    type: 'int',
    default: 0,
    min: 0,
    max: 65_535,
    pushpin: ['global.port_offset'],
    doc: 'Added to every port except 0, those in `prometheus_port` and those given as a flag. `--id N` sets it to N times 10.',
  },
  {
    key: 'rundir',
    group,
    type: 'path',
    base: 'cwd',
    default: 'run',
    pushpin: ['global.rundir'],
    doc: 'Directory for sockets and process ids; replaces `{rundir}` in a pushpin.conf.',
  },
  {
    key: 'libdir',
    group,
    type: 'path',
    base: 'cwd',
    default: '/usr/lib/pushpin',
    pushpin: ['global.libdir'],
    hidden: true,
    doc: 'Replaces `{libdir}` in a pushpin.conf.',
  },
  {
    key: 'ipc_prefix',
    group,
    type: 'string',
    default: 'pushpin-',
    pushpin: ['global.ipc_prefix'],
    hidden: true,
    doc: 'Replaces `{ipc_prefix}` in a pushpin.conf.',
  },
] as const satisfies readonly Option[];
