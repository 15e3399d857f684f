/** Chooses the backplane and the cluster membership of a node: Redis where a URL is given, else those of a node that is alone. */
import { randomBytes } from 'node:crypto';
import {
  type Backplane,
  type Cluster,
  type Containment,
  IdCache,
  LocalBackplane,
  LocalHistory,
  RedisBackplane,
  RedisNodes,
  StandaloneNode,
} from '@holdfast/control-api';
import type { Config, RedisConfig } from '../config/config.js';
import { ConfigError } from '../config/errors.js';
import { PEM_FILE_MAX, readWhole, whyUnread } from '../config/files/read-file.js';
import { wantsHistory } from '../history/make-replay.js';
import { RoutesSource } from '../routes/routes-source.js';
import { type Clock, guardedClock } from '../runtime/clock.js';
import type { RootLog } from '../telemetry/log.js';
import type { Metrics } from '../telemetry/metrics.js';

/** What connects a node to the others, if there are any. */
export interface ClusterAccess {
  readonly backplane: Backplane;
  /** To be joined after the backplane was started, and left before it is closed. */
  readonly cluster: Cluster;
  /** Lets go of what else was opened; after the backplane is closed. */
  close(): void;
}

/**
 * Makes them; nothing is connected yet.
 * @throws ControlError ERR_BACKPLANE_URL for a URL that cannot be used; ConfigError for a certificate that cannot be read
 */
export function makeBackplane(config: Config, log: RootLog, metrics: Metrics, faults: Containment): ClusterAccess {
  const clock = guardedClock(faults);
  if (config.redis === undefined) return makeStandalone(config, log, metrics, faults, clock);
  return makeRedis(config, config.redis, log, metrics, faults, clock);
}

function makeStandalone(
  config: Config,
  log: RootLog,
  metrics: Metrics,
  faults: Containment,
  clock: Clock,
): ClusterAccess {
  const { channels, history } = config;
  const ids = new IdCache({ clock, ttl: channels.idCacheTtlMs, events: metrics });
  // The data plane logs what is wrong with the routes.
  const routes = new RoutesSource(config.routes, {
    log: { info() {}, warn() {}, error() {} },
    faults,
  });
  const kept = new LocalHistory({
    clock,
    epoch: randomBytes(6).toString('base64url'),
    size: history.size,
    ttl: history.ttlMs,
    isOn: history.size === 0 ? () => false : wantsHistory(config, () => routes.table),
  });
  const backplane = new LocalBackplane(log.child('backplane'), ids, kept, faults);
  return { backplane, cluster: new StandaloneNode(clock), close: () => routes.close() };
}

function makeRedis(
  config: Config,
  redis: RedisConfig,
  log: RootLog,
  metrics: Metrics,
  faults: Containment,
  clock: Clock,
): ClusterAccess {
  const { channels, history } = config;
  const backplane = new RedisBackplane({
    url: redis.url,
    prefix: redis.prefix,
    tls: readTls(redis.tls),
    historySize: history.size,
    historyTtlMs: history.ttlMs,
    idTtlMs: channels.idCacheTtlMs,
    clock,
    random: Math.random,
    faults,
    events: metrics,
    log: log.child('backplane'),
  });
  const { connections } = backplane;
  const cluster = new RedisNodes({ connections, clock, log: log.child('nodes') });
  return { backplane, cluster, close: () => {} };
}

function readTls({ ca, cert, key }: RedisConfig['tls']): { ca?: string; cert?: string; key?: string } {
  return {
    ...(ca !== undefined && { ca: readPem('redis_tls_ca', ca) }),
    ...(cert !== undefined && { cert: readPem('redis_tls_cert', cert) }),
    ...(key !== undefined && { key: readPem('redis_tls_key', key) }),
  };
}

function readPem(key: string, path: string): string {
  try {
    return readWhole(path, PEM_FILE_MAX).toString('utf8');
  } catch (error) {
    const message = `${key}: cannot read ${path}: ${whyUnread(error)}`;
    throw new ConfigError([{ code: 'ERR_CONFIG_FILE', message, key }]);
  }
}
