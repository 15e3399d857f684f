/** Connections to Redis: ioredis, set to neither queue, nor send again, nor subscribe again. */
import { createRequire } from 'node:module';
import type * as IoRedis from 'ioredis';
import { type Containment, uncontained } from '../../../runtime/faults.js';
import { COMMAND_TIMEOUT_MS, CONNECT_TIMEOUT_MS, RECONNECT_MAX_MS, TOPOLOGY_EVERY_MS } from '../limits.js';
import type { HostPort, RedisUrl } from './url.js';

let loaded: typeof IoRedis | undefined;

/** The library, loaded with the first connection: most nodes have no Redis, and it takes a good part of a start, and some MB. */
function library(): typeof IoRedis {
  loaded ??= createRequire(import.meta.url)('ioredis') as typeof IoRedis;
  return loaded;
}

/** Certificates for `rediss` URLs, as PEM text. Without `ca` the authorities of Node.js are trusted. */
export interface RedisTls {
  readonly ca?: string;
  readonly cert?: string;
  readonly key?: string;
  /** The name that the certificate must have, if it is not the host of the URL. */
  readonly serverName?: string;
}

/** How to reach Redis. */
export interface RedisAccess {
  readonly url: RedisUrl;
  readonly tls: RedisTls | undefined;
  /** Between 0 and 1, like Math.random. */
  readonly random: () => number;
  /** Left out: nothing is contained. */
  readonly faults?: Containment;
}

/**
 * Receives the events of a connection, never from within a call of it. `onDown` comes once per loss, and if it cannot be
 * opened.
 */
export interface ConnectionListener {
  onReady(): void;
  onDown(error: Error | undefined): void;
  /** A message of pub/sub. */
  onMessage?(topic: string, payload: string): void;
  /** The server no longer serves a topic that was subscribed to (cluster). */
  onMoved?(): void;
}

/** One command at a time or many: they are answered in the order of sending. */
export interface Connection {
  /** True while commands can be sent. */
  readonly ready: boolean;
  /**
   * Sends a command; resolves with its reply, bytes as text. `onReply` is called with it too, but before anything that the
   * server sent after it is looked at, which a promise cannot promise. Rejects with the error of Redis or of the
   * connection; the command may have been executed nevertheless in the second case.
   */
  send(name: string, args: readonly (string | number)[], onReply?: (reply: unknown) => void): Promise<unknown>;
  /** Gives up the connection and opens another; nothing happens while one is being opened. */
  restart(): void;
  /** Closes it for good; the listener is not called any more. */
  close(): void;
}

/** Opens a connection to the server of the URL, or with `server` to that one, for commands and pub/sub alike. */
export function openConnection(access: RedisAccess, listener: ConnectionListener, server?: HostPort): Connection {
  const { Redis } = library();
  const redis = new Redis({
    ...commonOptions(access),
    ...targetOptions(access, server),
    retryStrategy: backOff(access),
  });
  let error: Error | undefined;
  // Without a listener the library would write errors to the console.
  redis.on('error', (reason: Error) => {
    error = withoutCommand(reason);
  });
  const { faults = uncontained } = access;
  redis.on('ready', () => faults.run('backplane', () => listener.onReady()));
  const down = () => {
    faults.run('backplane', () => listener.onDown(error));
    error = undefined;
  };
  redis.on('close', down);
  let reopening: NodeJS.Timeout | undefined;
  // The library gives up for good if a Sentinel reports a failover while another is asked for the master: what listens to
  // Sentinels belongs to the connection before, and ends the attempt to open the next.
  redis.on('end', () => {
    down();
    reopening = setTimeout(() => redis.connect().catch(() => {}), backOff(access)(1));
  });
  const onMessage = (topic: string, payload: string) => {
    try {
      listener.onMessage?.(topic, payload);
    } catch (fault) {
      faults.caught('backplane', fault);
    }
  };
  redis.on('message', onMessage).on('smessage', onMessage);
  redis.on('moved', () => faults.run('backplane', () => listener.onMoved?.()));
  return {
    get ready() {
      return redis.status === 'ready';
    },
    send: (name, args, onReply) => send(redis, faults, name, args, onReply),
    restart: () => restart(redis),
    close: () => {
      clearTimeout(reopening);
      close(redis);
    },
  };
}

/** Opens connections to the masters of a cluster, for commands with keys only: each goes where its keys are. */
export function openCluster(access: RedisAccess, seeds: readonly HostPort[], listener: ConnectionListener): Connection {
  const { Cluster } = library();
  const cluster = new Cluster([...seeds], {
    redisOptions: { ...commonOptions(access) },
    enableOfflineQueue: false,
    clusterRetryStrategy: backOff(access),
    // How often a command is sent elsewhere, or again after a pause, before the batch decides.
    maxRedirections: 4,
    slotsRefreshInterval: TOPOLOGY_EVERY_MS,
    slotsRefreshTimeout: COMMAND_TIMEOUT_MS,
    // Certificates name hosts as the cluster announces them.
    dnsLookup: (address, callback) => callback(null, address),
  });
  let error: Error | undefined;
  cluster.on('error', (reason: Error) => {
    error = withoutCommand(reason);
  });
  const { faults = uncontained } = access;
  cluster.on('ready', () => faults.run('backplane', () => listener.onReady()));
  cluster.on('close', () => {
    faults.run('backplane', () => listener.onDown(error));
    error = undefined;
  });
  return {
    get ready() {
      return cluster.status === 'ready';
    },
    send: (name, args, onReply) => send(cluster, faults, name, args, onReply),
    restart: () => restart(cluster),
    close: () => close(cluster),
  };
}

function send(
  redis: IoRedis.Redis | IoRedis.Cluster,
  faults: Containment,
  name: string,
  args: readonly (string | number)[],
  onReply?: (reply: unknown) => void,
): Promise<unknown> {
  const { Command } = library();
  const command = new Command(name, [...args], { replyEncoding: 'utf8' });
  if (onReply) {
    // The library calls this while it reads the reply, before it reads on.
    const { resolve } = command;
    command.resolve = (reply: unknown) => {
      resolve(reply);
      faults.run('backplane', () => onReply(textOf(reply)));
    };
  }
  redis.sendCommand(command);
  return command.promise.catch((error: unknown) => {
    throw withoutCommand(error as Error);
  });
}

/** The library adds the command that failed, with all arguments: passwords and items that no log may show. */
function withoutCommand(error: Error): Error {
  if ('command' in error) delete error.command;
  return error;
}

/** Replies come as bytes, in lists of any depth. */
function textOf(reply: unknown): unknown {
  if (reply instanceof Uint8Array) return reply.toString();
  return Array.isArray(reply) ? reply.map(textOf) : reply;
}

/** The library would stay closed if disconnected while it looks up where to connect. */
function restart(redis: IoRedis.Redis | IoRedis.Cluster): void {
  if (redis.status === 'ready') redis.disconnect(true);
}

function close(redis: IoRedis.Redis | IoRedis.Cluster): void {
  redis.removeAllListeners();
  redis.on('error', () => {});
  redis.disconnect();
}

function commonOptions({ url, tls }: RedisAccess) {
  return {
    ...(url.username !== undefined && { username: url.username }),
    ...(url.password !== undefined && { password: url.password }),
    ...(url.tls && { tls: { ...tlsOptions(tls) } }),
    protocol: 3 as const,
    connectionName: 'holdfast',
    disableClientInfo: true,
    autoResubscribe: false,
    autoResendUnfulfilledCommands: false,
    enableOfflineQueue: false,
    // Rejects what is under way as soon as the connection is lost.
    maxRetriesPerRequest: 0,
    commandTimeout: COMMAND_TIMEOUT_MS,
    connectTimeout: CONNECT_TIMEOUT_MS,
    maxLoadingRetryTime: RECONNECT_MAX_MS,
  };
}

function tlsOptions(tls: RedisTls | undefined) {
  return {
    ...(tls?.ca !== undefined && { ca: tls.ca }),
    ...(tls?.cert !== undefined && { cert: tls.cert }),
    ...(tls?.key !== undefined && { key: tls.key }),
    ...(tls?.serverName !== undefined && { servername: tls.serverName }),
  };
}

function targetOptions(access: RedisAccess, server: HostPort | undefined) {
  const { url, tls } = access;
  if (server) return server;
  if (url.mode === 'standalone') return { host: url.server.host, port: url.server.port, db: url.db };
  if (url.mode === 'cluster') throw new Error('A cluster has no single server.');
  return {
    sentinels: [...url.sentinels],
    name: url.master,
    sentinelRetryStrategy: backOff(access),
    sentinelCommandTimeout: COMMAND_TIMEOUT_MS,
    // Notices a failover although the old master still answers.
    failoverDetector: true,
    ...(url.tls && { enableTLSForSentinelMode: true, sentinelTLS: tlsOptions(tls) }),
  };
}

/** Doubling from 50 ms on, with jitter so that nodes do not come back in step. */
function backOff({ random }: RedisAccess): (attempts: number) => number {
  return (attempts) => Math.min(RECONNECT_MAX_MS, 25 * 2 ** Math.min(attempts, 10)) * (0.5 + random() / 2);
}
