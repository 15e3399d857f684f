/**
 * For each alert of deploy/prometheus-rules.yaml: series that fire it, and the nearest ones that do not. Values are in promtool's
 * notation, one a minute: `0x60` stays, `0+5x60` rises by 5 a minute. Series of a healthy node are added to them.
 */

/** A series without an instance has that of the node under test, in the job `holdfast`. */
type SeriesTable = Readonly<Record<string, string>>;

/** One case of an alert. */
export interface AlertCase {
  readonly fires: SeriesTable;
  readonly spares: SeriesTable;
  /** In which minute `fires` begins to be as the alert wants it; 0 if left out. It fires not before its `for` has passed. */
  readonly since?: number;
  /** In which minute it fires, and does not with `spares`; 40 if left out. */
  readonly minutes?: number;
  /** Labels that it has besides `severity`; `job` and `instance` if left out. */
  readonly labels?: Readonly<Record<string, string>>;
  /** What `$value` becomes in its texts. */
  readonly value?: string;
  /** It looks at all nodes together, or its series are of interest to another alert: it is tested by itself. */
  readonly apart?: true;
}

/** Stands for the instance under test, which is another for each test. */
export const INSTANCE = 'INSTANCE';

export const NODE = { job: 'holdfast', instance: INSTANCE } as const;
const instance = { instance: INSTANCE };
const DAY = 86_400;

/** Buckets of a histogram in which all of `rate` observations a minute are at most `le` seconds long. */
function buckets(name: string, le: number, rate: number, labels = ''): SeriesTable {
  const bounds = [0.001, 0.01, 0.1, 0.25, 0.5, 1, 2.5, 5];
  const own = (bound: string) => `${name}_bucket{${labels}le="${bound}"}`;
  const rows = bounds.map((bound) => [own(String(bound)), bound >= le ? `0+${rate}x120` : '0x120']);
  return Object.fromEntries([...rows, [own('+Inf'), `0+${rate}x120`]]);
}

/** What a node with workers has to which nothing happens; of another node there is what is compared. */
export const healthy: SeriesTable = {
  up: '1x120',
  'up{job="holdfast",instance="node-2"}': '1x120',
  holdfast_workers: '4x120',
  holdfast_process_cpu_seconds_total: '0+120x120',
  'holdfast_process_cpu_seconds_total{job="holdfast",instance="node-2"}': '0+30x120',
  holdfast_nodejs_eventloop_lag_p99_seconds: '0.012x120',
  'holdfast_faults_total{where="client"}': '0x120',
  holdfast_draining: '0x120',
  holdfast_config_reload_success: '1x120',
  'holdfast_tls_certificate_not_after_seconds{name="default_443"}': `${60 * DAY}x120`,
  'holdfast_build_info{version="1.0.0",edge="node",node="22.1.0"}': '1x120',
  'holdfast_build_info{version="1.0.0",edge="uws",node="22.1.0",job="holdfast",instance="node-2"}': '1x120',
  'holdfast_holds{kind="stream"}': '5000x120',
  'holdfast_holds{kind="ws"}': '3000x120',
  holdfast_connections_refused_total: '7x120',
  holdfast_process_open_fds: '8100x120',
  holdfast_process_max_fds: '65536x120',
  'holdfast_holds_ended_total{kind="stream",reason="client-gone"}': '0+300x120',
  'holdfast_holds_ended_total{kind="stream",reason="slow-client"}': '0+6x120',
  holdfast_queue_bytes: '200000x120',
  holdfast_queue_bytes_max: '70000x120',
  'holdfast_gaps_total{reason="epoch"}': '3x120',
  'holdfast_items_dropped_total{kind="stream",reason="slow-client"}': '0+40x120',
  'holdfast_items_dropped_total{kind="stream",reason="filter-failed"}': '11x120',
  'holdfast_items_released_total{cause="predecessor"}': '0+9x120',
  'holdfast_items_released_total{cause="timeout"}': '4x120',
  holdfast_ids_forgotten_total: '0x120',
  ...buckets('holdfast_delivery_seconds', 0.01, 6_000),
  ...buckets('holdfast_publish_seconds', 0.1, 600, 'result="ok",'),
  'holdfast_publish_seconds_count{result="ok"}': '0+600x120',
  'holdfast_publish_seconds_count{result="failed"}': '2x120',
  'holdfast_publish_seconds_count{result="refused"}': '5x120',
  'holdfast_publish_rejected_total{code="ERR_PUBLISH_FORMAT"}': '5x120',
  holdfast_redis_away: '0x120',
  'holdfast_redis_reconnects_total{kind="commands"}': '2x120',
  holdfast_redis_unreadable_total: '0x120',
  ...buckets('holdfast_backplane_lag_seconds', 0.01, 6_000),
  'holdfast_requests_total{status="2xx"}': '0+6000x120',
  'holdfast_requests_total{status="5xx"}': '0+6x120',
  'holdfast_origin_request_seconds_count{route="app"}': '0+6000x120',
  'holdfast_origin_errors_total{route="app",code="ERR_ORIGIN_CONNECT"}': '0+6x120',
};

/** By name of the alert. */
export const alertCases: Readonly<Record<string, readonly AlertCase[]>> = {
  HoldfastNodeDown: [{ fires: { up: '1x10 0x110' }, spares: { up: '1x12 0x0 1x100' }, since: 11, minutes: 13 }],
  HoldfastWorkerDied: [
    {
      fires: { 'holdfast_workers_ended_total{cause="SIGKILL"}': '_x35 1x85' },
      spares: { 'holdfast_workers_ended_total{cause="SIGKILL"}': '_x10 1x110' },
      labels: { ...NODE, cause: 'SIGKILL' },
    },
    {
      fires: { 'holdfast_workers_ended_total{cause="exit"}': '1x35 2x85' },
      spares: { 'holdfast_workers_ended_total{cause="exit"}': '1x20 2x100' },
      labels: { ...NODE, cause: 'exit' },
    },
  ],
  HoldfastWorkersMissing: [
    {
      fires: { holdfast_workers: '4x30 3x90' },
      spares: { holdfast_workers: '4x38 3x1 4x80' },
      since: 31,
      value: '3',
    },
  ],
  HoldfastFaults: [
    {
      fires: { 'holdfast_faults_total{where="origin"}': '0x35 1x85' },
      spares: { 'holdfast_faults_total{where="origin"}': '0x20 1x100' },
      labels: { ...instance, where: 'origin' },
    },
  ],
  HoldfastBusy: [
    {
      fires: { holdfast_process_cpu_seconds_total: '0+216x120' },
      spares: { holdfast_process_cpu_seconds_total: '0+200x120' },
      value: '90%',
    },
  ],
  HoldfastLags: [
    {
      fires: { holdfast_nodejs_eventloop_lag_p99_seconds: '0.3x120' },
      spares: { holdfast_nodejs_eventloop_lag_p99_seconds: '0.2x120' },
      value: '300ms',
    },
  ],
  HoldfastDrainsLong: [
    {
      fires: { holdfast_draining: '0x20 1x100' },
      spares: { holdfast_draining: '0x27 1x100' },
      since: 21,
    },
  ],
  HoldfastReloadFailed: [
    {
      fires: { holdfast_config_reload_success: '1x30 0x90' },
      spares: { holdfast_config_reload_success: '1x37 0x80' },
      since: 31,
    },
  ],
  HoldfastCertificateExpiresSoon: [
    {
      fires: { 'holdfast_tls_certificate_not_after_seconds{name="default_443"}': `${10 * DAY}x120` },
      spares: { 'holdfast_tls_certificate_not_after_seconds{name="default_443"}': `${14 * DAY + 3_000}x120` },
      labels: { ...NODE, name: 'default_443' },
      value: '9d 23h 20m 0s',
    },
    {
      fires: { 'holdfast_tls_certificate_not_after_seconds{name="default_443"}': `${4 * DAY}x120` },
      spares: { 'holdfast_tls_certificate_not_after_seconds{name="default_443"}': `${2.9 * DAY}x120` },
      labels: { ...NODE, name: 'default_443' },
      value: '3d 23h 20m 0s',
      apart: true,
    },
  ],
  HoldfastCertificateExpires: [
    {
      fires: { 'holdfast_tls_certificate_not_after_seconds{name="default_443"}': `${2 * DAY}x120` },
      spares: { 'holdfast_tls_certificate_not_after_seconds{name="default_443"}': `${3 * DAY + 3_000}x120` },
      labels: { ...NODE, name: 'default_443' },
      value: '1d 23h 20m 0s',
      apart: true,
    },
  ],
  HoldfastVersionsDiffer: [
    {
      fires: {
        'holdfast_build_info{version="1.1.0",edge="node",node="22.1.0",job="holdfast",instance="node-3"}': '1x180',
      },
      spares: {
        'holdfast_build_info{version="1.1.0",edge="node",node="22.1.0",job="other",instance="node-3"}': '1x180',
      },
      minutes: 125,
      labels: { job: 'holdfast' },
      value: '2',
      apart: true,
    },
  ],
  HoldfastHoldsFell: [
    {
      fires: { 'holdfast_holds{kind="stream"}': '5000x35 3000x85', 'holdfast_holds{kind="ws"}': '3000x35 600x85' },
      spares: { 'holdfast_holds{kind="stream"}': '5000x35 4100x85', 'holdfast_holds{kind="ws"}': '3000x35 0x85' },
      labels: {},
      value: '3600',
      apart: true,
    },
    {
      fires: { 'holdfast_holds{kind="stream"}': '150x35 50x85', 'holdfast_holds{kind="ws"}': '0x120' },
      spares: { 'holdfast_holds{kind="stream"}': '90x35 10x85', 'holdfast_holds{kind="ws"}': '0x120' },
      labels: {},
      value: '50',
      apart: true,
    },
  ],
  HoldfastConnectionsRefused: [
    {
      fires: { holdfast_connections_refused_total: '7x36 8x80' },
      spares: { holdfast_connections_refused_total: '7x20 8x100' },
    },
  ],
  HoldfastFilesRunOut: [
    {
      fires: { holdfast_process_open_fds: '54000x120' },
      spares: { holdfast_process_open_fds: '52000x120' },
      value: '82.4%',
    },
  ],
  HoldfastSlowClients: [
    {
      fires: { 'holdfast_holds_ended_total{kind="stream",reason="slow-client"}': '0+66x120' },
      spares: { 'holdfast_holds_ended_total{kind="stream",reason="slow-client"}': '0+54x120' },
      labels: instance,
    },
  ],
  HoldfastClientBehind: [
    {
      fires: { holdfast_queue_bytes_max: '1000000x120' },
      spares: { holdfast_queue_bytes_max: '900000x120' },
      value: '976.6ki',
    },
  ],
  HoldfastQueuesGrow: [
    {
      fires: { holdfast_queue_bytes: '314572800x120' },
      spares: { holdfast_queue_bytes: '262144000x120' },
      value: '300Mi',
    },
  ],
  HoldfastItemsLost: [
    {
      fires: { 'holdfast_gaps_total{reason="trimmed"}': '_x35 1x85' },
      spares: { 'holdfast_gaps_total{reason="trimmed"}': '_x10 1x110' },
      labels: { ...NODE, reason: 'trimmed' },
    },
    {
      fires: { 'holdfast_gaps_total{reason="epoch"}': '3x35 4x85' },
      spares: { 'holdfast_gaps_total{reason="epoch"}': '3x20 4x100' },
      labels: { ...NODE, reason: 'epoch' },
    },
  ],
  HoldfastItemsDropped: [
    {
      fires: { 'holdfast_items_dropped_total{kind="ws",reason="rate-limit"}': '0+1x120' },
      spares: { 'holdfast_items_dropped_total{kind="ws",reason="slow-client"}': '0+100x120' },
      labels: { ...instance, reason: 'rate-limit' },
    },
  ],
  HoldfastItemsOutOfOrder: [
    {
      fires: { 'holdfast_items_released_total{cause="timeout"}': '0+1x120' },
      spares: { 'holdfast_items_released_total{cause="predecessor"}': '0+100x120' },
      labels: instance,
    },
  ],
  HoldfastIdsForgotten: [
    {
      fires: { holdfast_ids_forgotten_total: '0x35 9x85' },
      spares: { holdfast_ids_forgotten_total: '0x20 9x100' },
    },
  ],
  HoldfastDeliversSlowly: [
    {
      fires: buckets('holdfast_delivery_seconds', 1, 6_000),
      spares: buckets('holdfast_delivery_seconds', 0.5, 6_000),
      labels: instance,
      value: '995ms',
    },
  ],
  HoldfastPublishesFail: [
    {
      fires: { 'holdfast_publish_seconds_count{result="failed"}': '0+12x120' },
      spares: { 'holdfast_publish_seconds_count{result="failed"}': '0+5x120' },
      labels: instance,
      value: '1.961%',
    },
  ],
  HoldfastPublishesSlow: [
    {
      fires: buckets('holdfast_publish_seconds', 1, 600, 'result="ok",'),
      spares: {
        ...buckets('holdfast_publish_seconds', 0.5, 600, 'result="ok",'),
        ...buckets('holdfast_publish_seconds', 1, 600, 'result="failed",'),
      },
      labels: instance,
      value: '995ms',
    },
  ],
  HoldfastPublishersWrong: [
    {
      fires: { 'holdfast_publish_rejected_total{code="ERR_PUBLISH_FORMAT"}': '0+1x120' },
      spares: { 'holdfast_publish_rejected_total{code="ERR_PUBLISH_FORMAT"}': '0x15 1x100' },
      labels: { ...instance, code: 'ERR_PUBLISH_FORMAT' },
    },
  ],
  HoldfastRedisAway: [
    {
      fires: { holdfast_redis_away: '0x30 1x90' },
      spares: { holdfast_redis_away: '0x39 1x80' },
      since: 31,
    },
  ],
  HoldfastPublishesRefused: [
    {
      fires: { 'holdfast_publish_rejected_total{code="ERR_BACKPLANE_UNAVAILABLE"}': '0x30 1+1x90' },
      spares: { 'holdfast_publish_rejected_total{code="ERR_BACKPLANE_UNAVAILABLE"}': '0x30 1x90' },
      since: 31,
      labels: instance,
    },
  ],
  HoldfastRedisUnsteady: [
    {
      fires: { 'holdfast_redis_reconnects_total{kind="subscriber"}': '0x35 4x85' },
      spares: { 'holdfast_redis_reconnects_total{kind="subscriber"}': '0x35 2x85' },
      labels: { ...NODE, kind: 'subscriber' },
    },
  ],
  HoldfastRedisUnreadable: [
    {
      fires: { holdfast_redis_unreadable_total: '0x35 1x85' },
      spares: { holdfast_redis_unreadable_total: '0x20 1x100' },
    },
  ],
  HoldfastBackplaneLags: [
    {
      fires: buckets('holdfast_backplane_lag_seconds', 2.5, 6_000),
      spares: buckets('holdfast_backplane_lag_seconds', 1, 6_000),
      labels: instance,
      value: '2.485s',
    },
  ],
  HoldfastOriginFails: [
    {
      fires: { 'holdfast_requests_total{status="5xx"}': '0+600x120' },
      spares: { 'holdfast_requests_total{status="5xx"}': '0+200x120' },
      labels: instance,
      value: '9.091%',
    },
  ],
  HoldfastRouteFails: [
    {
      fires: { 'holdfast_origin_errors_total{route="app",code="ERR_ORIGIN_CONNECT"}': '0+600x120' },
      spares: { 'holdfast_origin_errors_total{route="app",code="ERR_ORIGIN_CONNECT"}': '0+300x120' },
      labels: { ...instance, route: 'app' },
      value: '9.091%',
    },
    {
      fires: {
        'holdfast_origin_errors_total{route="reports",code="ERR_ORIGIN_CONNECT"}': '0+5x120',
        'holdfast_origin_request_seconds_count{route="reports"}': '0x120',
      },
      spares: { 'holdfast_origin_request_seconds_count{route="reports"}': '0x120' },
      labels: { ...instance, route: 'reports' },
      value: '100%',
    },
  ],
};
