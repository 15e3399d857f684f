/**
 * Owns: which backplane a node has, and by what it knows other nodes: Redis where a URL is given, else what a node that is
 * alone has. Does not own: any of them.
 */
import { readFileSync } from 'node:fs';
import {
  type Backplane,
  IdCache,
  LocalBackplane,
  LoneNode,
  type Nodes,
  RedisBackplane,
  RedisNodes,
} from '@holdfast/control-api';
import { realClock } from './clock.js';
import type { Config, RedisConfig } from './config/config.js';
import { ConfigError } from './config/errors.js';
import type { RootLog } from './log.js';
import type { Metrics } from './metrics.js';

/** What joins a node to others, if there are any. */
export interface Joint {
  readonly backplane: Backplane;
  /** To be joined after the backplane was started, and left before it is closed. */
  readonly nodes: Nodes;
}

/**
 * Makes them; nothing is connected yet.
 * @throws ControlError ERR_BACKPLANE_URL for a URL that cannot be used; ConfigError for a certificate that cannot be read
 */
export function makeBackplane(config: Config, log: RootLog, metrics: Metrics): Joint {
  const { redis, channels } = config;
  const backplaneLog = log.child('backplane');
  if (redis === undefined) {
    const ids = new IdCache({ clock: realClock, ttl: channels.idCacheTtlMs, events: metrics });
    return { backplane: new LocalBackplane(backplaneLog, ids), nodes: new LoneNode(realClock) };
  }
  const backplane = new RedisBackplane({
    url: redis.url,
    prefix: redis.prefix,
    tls: readTls(redis.tls),
    historySize: 1000,
    historyTtlMs: 600_000,
    idTtlMs: channels.idCacheTtlMs,
    clock: realClock,
    random: Math.random,
    events: metrics,
    log: backplaneLog,
  });
  const { connections } = backplane;
  return { backplane, nodes: new RedisNodes({ connections, clock: realClock, log: log.child('nodes') }) };
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
    return readFileSync(path, 'utf8');
  } catch (error) {
    const reason = (error as NodeJS.ErrnoException).code ?? String(error);
    throw new ConfigError([{ code: 'ERR_CONFIG_FILE', message: `${key}: cannot read ${path}: ${reason}`, key }]);
  }
}
