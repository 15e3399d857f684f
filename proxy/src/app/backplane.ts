/**
 * Owns: which backplane a node has, and by what it knows other nodes: Redis where a URL is given, else what a node that is
 * alone has. Does not own: any of them.
 */
import { randomBytes } from 'node:crypto';
import {
  type Backplane,
  type Containment,
  IdCache,
  LocalBackplane,
  LocalHistory,
  LoneNode,
  type Nodes,
  RedisBackplane,
  RedisNodes,
} from '@holdfast/control-api';
import type { Config } from '../config/config.js';
import { ConfigError } from '../config/errors.js';
import { PEM_FILE_MAX, readWhole, whyUnread } from '../config/files/read-file.js';
import { wantsHistory } from '../history/make-replay.js';
import { RoutesSource } from '../routes/routes-source.js';
import { type Clock, guardedClock } from '../runtime/clock.js';
import type { RootLog } from '../telemetry/log.js';
import type { Metrics } from '../telemetry/metrics.js';

/** What joins a node to others, if there are any. */
export interface Joint {
  readonly backplane: Backplane;
  /** To be joined after the backplane was started, and left before it is closed. */
  readonly nodes: Nodes;
  /** Lets go of what else was opened; after the backplane is closed. */
  close(): void;
}

/**
 * Makes them; nothing is connected yet.
 * @throws ControlError ERR_BACKPLANE_URL for a URL that cannot be used; ConfigError for a certificate that cannot be read
 */
export function makeBackplane(config: Config, log: RootLog, metrics: Metrics, faults: Containment): Joint {
  const clock = guardedClock(faults);
  const { redisUrl } = config;
  if (redisUrl === undefined) return makeLone(config, log, metrics, faults, clock);
  return makeRedis(config, redisUrl, log, metrics, faults, clock);
}

function makeLone(config: Config, log: RootLog, metrics: Metrics, faults: Containment, clock: Clock): Joint {
  const { historySize, historyTtl, idCacheTtl } = config;
  const ids = new IdCache({ clock, idCacheTtl, events: metrics });
  // What is wrong with the routes is told by whoever serves clients by them.
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
  return { backplane, nodes: new LoneNode(clock), close: () => routes.close() };
}

function makeRedis(
  config: Config,
  redisUrl: string,
  log: RootLog,
  metrics: Metrics,
  faults: Containment,
  clock: Clock,
): Joint {
  const { redisPrefix, historySize, historyTtl, idCacheTtl } = config;
  const backplane = new RedisBackplane({
    redisUrl,
    redisPrefix,
    tls: readTls(config),
    historySize,
    historyTtl,
    idCacheTtl,
    clock,
    random: Math.random,
    faults,
    events: metrics,
    log: log.child('backplane'),
  });
  const { connections } = backplane;
  const nodes = new RedisNodes({ connections, clock, log: log.child('nodes') });
  return { backplane, nodes, close: () => {} };
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
