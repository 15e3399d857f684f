/**
 * The configuration as the parts of Holdfast receive it: one frozen slice for each.
 *
 * Owns: the shapes, and how option values fill them (seconds become milliseconds, limits of -1 become undefined or
 * Infinity). Does not own: parsing, precedence and defaults.
 */
import { join } from 'node:path';
import type { SigKey } from '@holdfast/grip';
import type { Values } from './table.js';
import type { ForwardedForRule } from './values/forwarded-for.js';
import type { Listen, SocketListen } from './values/listen.js';
import type { LogLevel } from './values/log-level.js';

/** For the edge. */
export interface ClientConfig {
  readonly edge: 'node' | 'uws';
  readonly http: readonly Listen[];
  readonly https: readonly Listen[];
  readonly sockets: readonly SocketListen[];
  /** Absolute. */
  readonly tlsCertsDir: string;
  /** Bytes of a request line with its header fields. */
  readonly headMax: number;
  /** Bytes of one WebSocket message. */
  readonly messageMax: number;
  readonly connectionsMax: number;
  readonly keepAliveTimeoutMs: number;
  readonly headerTimeoutMs: number;
  readonly halfCloseGraceMs: number;
  /** Of WebSocket messages. */
  readonly compression: boolean;
}

/** For answers and streams that are compressed. */
export interface CompressionConfig {
  /** Best first; this version of node has them. */
  readonly codings: readonly string[];
  /** Bytes. */
  readonly min: number;
  /** Lower case. */
  readonly types: readonly string[];
  readonly cookies: boolean;
  readonly streams: boolean;
}

/** For the rules that turn a client request into an origin request. */
export interface ForwardConfig {
  readonly debug: boolean;
  readonly autoCrossOrigin: boolean;
  /** Whose scripts `aco` lets in, unless a route says so itself: as of `AllowedOrigins`. */
  readonly acoOrigins: readonly string[];
  readonly acceptXForwardedProtocol: boolean;
  readonly setXForwardedProtocol: 'true' | 'false' | 'proto-only';
  readonly xForwardedFor: ForwardedForRule;
  readonly xForwardedForTrusted: ForwardedForRule;
  /** Lower-case header names. */
  readonly origHeadersNeedMark: readonly string[];
  readonly acceptPushpinRoute: boolean;
  /** Empty: leave the header alone. */
  readonly cdnLoop: string;
  readonly sigIss: string;
  /** Undefined: do not sign. */
  readonly sigKey: SigKey | undefined;
  /** Undefined: trust nobody. */
  readonly upstreamKey: SigKey | undefined;
  readonly sockjsUrl: string;
}

/** For the origin client and what is kept of a request. */
export interface OriginConfig {
  readonly connectTimeoutMs: number;
  /** Silence in the middle of an exchange. */
  readonly timeoutMs: number;
  readonly keepAliveTimeoutMs: number;
  readonly connectionMaxAgeMs: number;
  /** Requests at the same time; may be Infinity. */
  readonly openRequestsMax: number;
  readonly requestBodyMax: number;
  readonly instructBodyMax: number;
}

/** For the routes source: either lines or a file. */
export type RoutesConfig = {
  /** Absolute; what `file:` keys in routes are relative to. */
  readonly baseDir: string;
  /** Between the prefix of a route and a channel; empty or absent for nothing. */
  readonly prefixSeparator?: string;
} & ({ readonly lines: readonly string[]; readonly file?: never } | { readonly file: string; readonly lines?: never });

/** For the control API. */
export interface ControlConfig {
  /** Undefined: disabled. */
  readonly listen: Listen | undefined;
  /** Further names under which it, and the admin listeners, are reached. */
  readonly hosts: readonly string[];
  readonly headMax: number;
  readonly bodyMax: number;
}

/** For the ZeroMQ sockets; undefined ones are off. `port_offset` has been applied. */
export interface ZeromqConfig {
  readonly pull: string | undefined;
  readonly sub: readonly string[];
  readonly subConnect: boolean;
  readonly command: string | undefined;
  readonly stats: string | undefined;
  /** Of the files of ipc sockets; undefined leaves it to the process's mask. */
  readonly ipcMode: number | undefined;
}

/** For holds. */
export interface HoldsConfig {
  /** Bytes that may wait for one client. */
  readonly clientQueueMax: number;
  readonly slowClientPolicy: 'close' | 'drop';
  readonly subscriptionsMax: number;
  readonly updateOnFirstSubscription: boolean;
  readonly gapPolicy: 'close' | 'continue';
}

/** For channels: order, duplicates, pace. */
export interface ChannelsConfig {
  /** Deliveries per second; may be Infinity. */
  readonly messageRate: number;
  /** Deliveries waiting under `messageRate`; may be Infinity. */
  readonly messageHwm: number;
  /** Bytes; undefined counts every item as one. */
  readonly messageBlockSize: number | undefined;
  readonly messageWaitMs: number;
  /** 0: duplicates are not looked for. */
  readonly idCacheTtlMs: number;
  readonly subscriptionLingerMs: number;
}

/** For the Redis through which several nodes are one. */
export interface RedisConfig {
  /** May hold a password. */
  readonly url: string;
  readonly prefix: string;
  /** Absolute paths of PEM files. */
  readonly tls: {
    readonly ca?: string | undefined;
    readonly cert?: string | undefined;
    readonly key?: string | undefined;
  };
}

/** For what is kept of channels, and who is served from it. */
export interface HistoryConfig {
  /** On every route that does not say otherwise. */
  readonly replay: boolean;
  /** Items of each channel. */
  readonly size: number;
  readonly ttlMs: number;
  /** Signs tokens; undefined: see `resume_key`. */
  readonly resumeKey: SigKey | undefined;
}

/** For the statistics feed. */
export interface StatsConfig {
  readonly format: 'tnetstring' | 'json';
  readonly connectionSend: boolean;
  readonly connectionTtlMs: number;
  readonly connectionsMaxTtlMs: number;
  readonly subscriptionTtlMs: number;
  readonly reportIntervalMs: number;
}

/** For `/metrics`, `/livez` and `/readyz`. */
export interface AdminConfig {
  /** Empty: off. */
  readonly listen: readonly Listen[];
  readonly prometheusPrefix: string;
  readonly readyWithoutRedis: boolean;
}

/** For the log. */
export interface LogConfig {
  readonly level: LogLevel;
  /** Parts whose level differs. */
  readonly parts: Readonly<Record<string, LogLevel>>;
  readonly format: 'text' | 'json';
  /** Absolute; undefined is standard output. */
  readonly file: string | undefined;
  readonly from: boolean;
  readonly userAgent: boolean;
}

/** Everything, grouped by the part that receives it. Deeply frozen. */
export interface Config {
  readonly workers: number | 'auto';
  /** How long requests under way may go on once the node goes down. */
  readonly shutdownRequestsMs: number;
  /** Absolute. */
  readonly rundir: string;
  /** Absolute paths of the files from which keys and other secrets were read. */
  readonly keyFiles: readonly string[];
  readonly client: ClientConfig;
  readonly compression: CompressionConfig;
  readonly forward: ForwardConfig;
  readonly origin: OriginConfig;
  readonly routes: RoutesConfig;
  readonly control: ControlConfig;
  /** Undefined: the node is alone. */
  readonly redis: RedisConfig | undefined;
  readonly zeromq: ZeromqConfig;
  readonly holds: HoldsConfig;
  readonly channels: ChannelsConfig;
  readonly history: HistoryConfig;
  readonly stats: StatsConfig;
  readonly admin: AdminConfig;
  readonly log: LogConfig;
}

const ms = (seconds: number) => Math.round(seconds * 1000);
const limit = (count: number) => (count > 0 ? count : Number.POSITIVE_INFINITY);

function freeze<T>(value: T): T {
  // The bytes of a key cannot be frozen: the language forbids it for views of buffers.
  if (typeof value === 'object' && value !== null && !ArrayBuffer.isView(value) && !Object.isFrozen(value)) {
    Object.freeze(value);
    for (const part of Object.values(value)) freeze(part);
  }
  return value;
}

function clientConfig(values: Values): ClientConfig {
  return {
    edge: values.edge,
    http: values.http_port,
    https: values.https_ports,
    sockets: values.local_ports,
    tlsCertsDir: values.tls_certs_dir,
    headMax: values.client_buffer_size,
    messageMax: values.websocket_message_max,
    connectionsMax: values.client_maxconn,
    keepAliveTimeoutMs: ms(values.client_keep_alive_timeout),
    headerTimeoutMs: ms(values.client_header_timeout),
    halfCloseGraceMs: ms(values.client_half_close_grace),
    compression: values.allow_compression,
  };
}

function forwardConfig(values: Values, keys: SigKeys): ForwardConfig {
  return {
    debug: values.debug,
    autoCrossOrigin: values.auto_cross_origin,
    acoOrigins: values.aco_origins,
    acceptXForwardedProtocol: values.accept_x_forwarded_protocol,
    setXForwardedProtocol: values.set_x_forwarded_protocol,
    xForwardedFor: values.x_forwarded_for,
    xForwardedForTrusted: values.x_forwarded_for_trusted,
    origHeadersNeedMark: values.orig_headers_need_mark.map((name) => name.toLowerCase()),
    acceptPushpinRoute: values.accept_pushpin_route,
    cdnLoop: values.cdn_loop,
    sigIss: values.sig_iss,
    ...keys,
    sockjsUrl: values.sockjs_url,
  };
}

function originConfig(values: Values): OriginConfig {
  return {
    connectTimeoutMs: ms(values.origin_connect_timeout),
    timeoutMs: ms(values.origin_timeout),
    keepAliveTimeoutMs: ms(values.origin_keep_alive_timeout),
    connectionMaxAgeMs: ms(values.origin_connection_max_age),
    openRequestsMax: limit(values.max_open_requests),
    requestBodyMax: values.request_body_max,
    instructBodyMax: values.instruct_body_max,
  };
}

function controlConfig(values: Values): ControlConfig {
  const { push_in_http_addr: host, push_in_http_port: port } = values;
  return {
    listen: port === -1 ? undefined : { host, port },
    hosts: values.control_hosts,
    headMax: values.push_in_http_max_headers_size,
    bodyMax: values.push_in_http_max_body_size,
  };
}

function redisConfig(values: Values): RedisConfig | undefined {
  const { redis_url: url, redis_prefix: prefix, redis_tls_ca: ca, redis_tls_cert: cert, redis_tls_key: key } = values;
  return url === undefined || url === '' ? undefined : { url, prefix, tls: { ca, cert, key } };
}

function channelsConfig(values: Values): ChannelsConfig {
  return {
    messageRate: limit(values.message_rate),
    messageHwm: limit(values.message_hwm),
    messageBlockSize: values.message_block_size > 0 ? values.message_block_size : undefined,
    messageWaitMs: values.message_wait,
    idCacheTtlMs: ms(values.id_cache_ttl),
    subscriptionLingerMs: ms(values.subscription_linger),
  };
}

function statsConfig(values: Values): StatsConfig {
  return {
    format: values.stats_format,
    connectionSend: values.stats_connection_send,
    connectionTtlMs: ms(values.stats_connection_ttl),
    connectionsMaxTtlMs: ms(values.stats_connections_max_ttl),
    subscriptionTtlMs: ms(values.stats_subscription_ttl),
    reportIntervalMs: ms(values.stats_report_interval),
  };
}

function logConfig(values: Values, isTerminal: boolean): LogConfig {
  const { logfile, logdir, merge_output: merge, log_format: format } = values;
  const file = logfile ?? (logdir === undefined || merge ? undefined : join(logdir, 'holdfast.log'));
  return {
    ...values.log_level,
    format: format === 'auto' ? (isTerminal && file === undefined ? 'text' : 'json') : format,
    file,
    from: values.log_from,
    userAgent: values.log_user_agent,
  };
}

/** The keys once read. */
export type SigKeys = Pick<ForwardConfig, 'sigKey' | 'upstreamKey'> & Pick<HistoryConfig, 'resumeKey'>;

/** What the slices need beyond the values. */
export interface ConfigContext {
  readonly keys: SigKeys;
  /** See `Config`. */
  readonly keyFiles: readonly string[];
  /** Decides what `log_format: auto` means. */
  readonly isTerminal: boolean;
  /** What `file:` keys in routes are relative to. */
  readonly routesDir: string;
}

/** Groups settled values into the slices, which are deeply frozen. */
export function toConfig(values: Values, context: ConfigContext): Config {
  const { routes: lines = [], routesfile: file } = values;
  return freeze({
    workers: values.workers,
    shutdownRequestsMs: ms(values.shutdown_requests),
    rundir: values.rundir,
    keyFiles: context.keyFiles,
    client: clientConfig(values),
    compression: {
      codings: values.compress,
      min: values.compress_min,
      types: values.compress_types.map((type) => type.toLowerCase()),
      cookies: values.compress_cookies,
      streams: values.compress_streams,
    },
    forward: forwardConfig(values, context.keys),
    origin: originConfig(values),
    routes: {
      baseDir: context.routesDir,
      prefixSeparator: values.prefix_separator,
      ...(file === undefined ? { lines } : { file }),
    },
    control: controlConfig(values),
    redis: redisConfig(values),
    zeromq: {
      pull: values.push_in_spec,
      sub: values.push_in_sub_specs ?? [],
      subConnect: values.push_in_sub_connect,
      command: values.command_spec,
      stats: values.stats_spec,
      ipcMode: values.ipc_file_mode,
    },
    holds: {
      clientQueueMax: values.client_queue_size,
      slowClientPolicy: values.slow_client_policy,
      subscriptionsMax: values.connection_subscription_max,
      updateOnFirstSubscription: values.update_on_first_subscription,
      gapPolicy: values.gap_policy,
    },
    channels: channelsConfig(values),
    history: {
      replay: values.history_replay,
      size: values.history_size,
      ttlMs: ms(values.history_ttl),
      resumeKey: context.keys.resumeKey,
    },
    stats: statsConfig(values),
    admin: {
      listen: [...(values.admin_port ?? []), ...(values.prometheus_port ?? [])],
      prometheusPrefix: values.prometheus_prefix,
      readyWithoutRedis: values.ready_without_redis,
    },
    log: logConfig(values, context.isTerminal),
  });
}
