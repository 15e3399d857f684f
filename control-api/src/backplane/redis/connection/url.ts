/** Reads `redis_url`: where Redis is, and in which mode. */
import { ControlError } from '../../../errors.js';

/** A host name or address (IPv6 without brackets), and a port. */
export interface HostPort {
  readonly host: string;
  readonly port: number;
}

/** What every form of the URL has. */
interface UrlCommon {
  /** Speak TLS to every server, the sentinels included. */
  readonly tls: boolean;
  /** The ACL user; `default` of Redis if undefined. */
  readonly username: string | undefined;
  readonly password: string | undefined;
}

/** One server, which never moves. */
export interface StandaloneUrl extends UrlCommon {
  readonly mode: 'standalone';
  readonly server: HostPort;
  readonly db: number;
}

/** A master that sentinels choose; user and password are those of the master. */
export interface SentinelUrl extends UrlCommon {
  readonly mode: 'sentinel';
  readonly sentinels: readonly HostPort[];
  readonly master: string;
}

/** A Redis Cluster, of which some servers are known. */
export interface ClusterUrl extends UrlCommon {
  readonly mode: 'cluster';
  readonly seeds: readonly HostPort[];
}

/** A parsed URL. */
export type RedisUrl = StandaloneUrl | SentinelUrl | ClusterUrl;

const FORM = /^redis(s?)(?:\+(sentinel|cluster))?:\/\/(?:(.*)@)?([^/?#@]+)(?:\/([^/?#]*))?$/;
const HOST_PORT = /^(?:\[([0-9a-fA-F:.]+)\]|([^:[\]\s]+))(?::(\d{1,5}))?$/;

const REDIS_PORT = 6379;
const SENTINEL_PORT = 26379;

/**
 * Parses `redis[s]://[user:password@]host[:port][/db]`, `redis[s]+sentinel://[user:password@]host[:port],…/master` or
 * `redis[s]+cluster://[user:password@]host[:port],…`. User and password are percent-decoded. Throws ERR_BACKPLANE_URL,
 * whose message never quotes the URL, as it may hold a password.
 */
export function parseRedisUrl(url: string): RedisUrl {
  const [, secure, kind, credentials, hosts = '', path = ''] = FORM.exec(url) ?? fail(formFault(url));
  const access = { tls: secure === 's', ...parseCredentials(credentials) };
  if (kind === 'sentinel') {
    if (path === '') fail('the name of the master is missing');
    return { mode: 'sentinel', ...access, sentinels: parseHosts(hosts, SENTINEL_PORT), master: decode(path) };
  }
  if (kind === 'cluster') {
    if (path !== '') fail('a cluster has no databases');
    return { mode: 'cluster', ...access, seeds: parseHosts(hosts, REDIS_PORT) };
  }
  const [server, another] = parseHosts(hosts, REDIS_PORT);
  if (!server || another) fail('several hosts need redis+sentinel:// or redis+cluster://');
  if (!/^\d*$/.test(path)) fail('the database is not a number');
  return { mode: 'standalone', ...access, server, db: Number(path) };
}

/** `host:port`, for logs. */
export function formatHostPort({ host, port }: HostPort): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}

/** What comes before `://` is no secret; without it nothing may be shown. */
function formFault(url: string): string {
  const scheme = /^([a-z+.-]{1,30}):\/\//i.exec(url)?.[1];
  if (scheme === undefined) return 'it has no scheme: write redis:// before the host';
  return /^rediss?(\+(sentinel|cluster))?$/.test(scheme)
    ? 'it has another form'
    : `'${scheme}' is not one of its schemes`;
}

function parseCredentials(text: string | undefined): Pick<UrlCommon, 'username' | 'password'> {
  if (text === undefined) return { username: undefined, password: undefined };
  const colon = text.indexOf(':');
  if (colon < 0) fail('the password is missing; without user it is written as :password@');
  const username = decode(text.slice(0, colon));
  return { username: username === '' ? undefined : username, password: decode(text.slice(colon + 1)) };
}

function parseHosts(list: string, defaultPort: number): HostPort[] {
  return list.split(',').map((text) => {
    const [, v6, name, digits] = HOST_PORT.exec(text) ?? fail('a host is not of the form host:port');
    const port = digits === undefined ? defaultPort : Number(digits);
    if (port < 1 || port > 65_535) fail('a port is out of range');
    return { host: v6 ?? name ?? '', port };
  });
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return fail('a percent sign is not followed by two hexadecimal digits');
  }
}

function fail(why: string): never {
  throw new ControlError(
    'ERR_BACKPLANE_URL',
    `The Redis URL cannot be used: ${why}. Forms: redis://host:port/db, redis+sentinel://host:port,host:port/master, redis+cluster://host:port,host:port; rediss for TLS; user:password@ before the hosts.`,
  );
}
