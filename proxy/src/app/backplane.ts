/** Chooses the backplane and the cluster membership of a node: Redis where a URL is given, else those of a node that is alone. */
import { randomBytes } from 'node:crypto';
import {
  type Backplane,
  type CallbackStore,
  type CallbackWork,
  type Cluster,
  type Containment,
  IdCache,
  LocalBackplane,
  LocalCallbacks,
  LocalHistory,
  LocalOccupancy,
  type Occupancy,
  RedisBackplane,
  RedisCallbacks,
  RedisNodes,
  RedisOccupancy,
  RedisRevocations,
  type RevocationStore,
  Revocations,
  StandaloneNode,
} from '@holdfast/control-api';
import type { Config } from '../config/config.js';
import { PEM_FILE_MAX, readWhole, whyUnread } from '../config/files/read-file.js';
import { ConfigError } from '../errors.js';
import { wantsHistory } from '../history/replay.js';
import { RoutesSource } from '../routes/routes-source.js';
import { type Clock, guardedClock } from '../runtime/clock.js';
import type { RootLog } from '../telemetry/log.js';
import type { Metrics } from '../telemetry/metrics.js';

/** What connects a node to the others, if there are any. */
export interface ClusterAccess {
  readonly backplane: Backplane;
  /** To be joined after the backplane was started, and left before it is closed. */
  readonly cluster: Cluster;
  /** Counts one set of members over all nodes, which are kept for so many ms after their last connection; see `Occupancy`. */
  readonly occupancy: (set: string, delay: number) => Occupancy;
  /** Keeps callbacks, over this share of the backplane; made at most once. */
  readonly callbacks: (share: Backplane) => CallbackStore & CallbackWork;
  /** What nodes that start later are to know; used after the backplane was started. */
  readonly revocations: RevocationStore;
  /** Lets go of what else was opened; after the backplane is closed. */
  close(): void;
}

/**
 * Makes them; nothing is connected yet.
 * @throws ControlError ERR_BACKPLANE_URL for a URL that cannot be used; ConfigError for a certificate that cannot be read
 */
export function makeBackplane(config: Config, log: RootLog, metrics: Metrics, faults: Containment): ClusterAccess {
  const clock = guardedClock(faults);
  const { redisUrl } = config;
  if (redisUrl === undefined) return makeStandalone(config, log, metrics, faults, clock);
  return makeRedis(config, redisUrl, log, metrics, faults, clock);
}

function makeStandalone(
  config: Config,
  log: RootLog,
  metrics: Metrics,
  faults: Containment,
  clock: Clock,
): ClusterAccess {
  const { historySize, historyTtl, idCacheTtl } = config;
  const ids = new IdCache({ clock, idCacheTtl, events: metrics });
  // The data plane logs what is wrong with the routes.
  const routes = new RoutesSource(config, {
    log: { info() {}, warn() {}, error() {} },
    faults,
  });
  const kept = new LocalHistory({
    clock,
    epoch: randomBytes(6).toString('base64url'),
    historySize,
    historyTtl,
    isOn: historySize === 0 ? () => false : wantsHistory(config, () => routes.table),
  });
  const backplane = new LocalBackplane(log.child('backplane'), ids, kept, faults);
  const occupancy = (_: string, delay: number) => new LocalOccupancy({ clock, delay });
  const revocations = new Revocations(clock);
  const backlogMax = config.callbacksBacklogMax;
  const callbacks = (share: Backplane) => new LocalCallbacks({ share, backlogMax });
  const cluster = new StandaloneNode(clock);
  return { backplane, cluster, occupancy, revocations, callbacks, close: () => routes.close() };
}

function makeRedis(
  config: Config,
  redisUrl: string,
  log: RootLog,
  metrics: Metrics,
  faults: Containment,
  clock: Clock,
): ClusterAccess {
  const { redisPrefix, historySize, historyTtl, idCacheTtl } = config;
  const backplane = new RedisBackplane({
    redisUrl,
    redisPrefix,
    tls: readTls(config),
    historySize,
    historyTtl,
    idCacheTtl,
    queueSize: config.callbacksBacklogMax,
    clock,
    random: Math.random,
    faults,
    events: metrics.redis,
    log: log.child('backplane'),
  });
  const { connections } = backplane;
  const cluster = new RedisNodes({ connections, clock, log: log.child('nodes') });
  const node = randomBytes(9).toString('base64url');
  const occupancy = (set: string, delay: number) =>
    new RedisOccupancy({ connections, set, node, clock, delay, log: log.child('nodes') });
  const revocations = new RedisRevocations(connections, clock);
  const callbacks = (share: Backplane) =>
    new RedisCallbacks({ connections, share, node, clock, log: log.child('callbacks'), faults });
  return { backplane, cluster, occupancy, revocations, callbacks, close: () => {} };
}

function readTls({ redisTlsCa, redisTlsCert, redisTlsKey }: Config): { ca?: string; cert?: string; key?: string } {
  return {
    ...(redisTlsCa !== undefined && { ca: readPem('redis_tls_ca', redisTlsCa) }),
    ...(redisTlsCert !== undefined && { cert: readPem('redis_tls_cert', redisTlsCert) }),
    ...(redisTlsKey !== undefined && { key: readPem('redis_tls_key', redisTlsKey) }),
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
