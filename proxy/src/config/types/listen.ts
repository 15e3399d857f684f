/** Where to listen: `[addr:]port` and unix sockets, as text and as values. */
import { BlockList, isIP } from 'node:net';
import { isAddressRange } from './address-ranges.js';

/** The versions of the PROXY protocol. */
export type ProxyVersion = 1 | 2;

/** Load balancers that begin each connection to a listener with a header of the PROXY protocol. */
export interface ProxyProtocolRule {
  readonly versions: readonly ProxyVersion[];
  /** Their addresses and ranges, as of `AddressRanges`; connections from others are closed. */
  readonly from: readonly string[];
}

/** A TCP address to bind. */
export interface Listen {
  /** An IP address (IPv6 without brackets) or a host name; `0.0.0.0` when the text had none. */
  readonly host: string;
  /** 0 lets the system choose. */
  readonly port: number;
  /** Left out: connections are the clients' own. */
  readonly proxyProtocol?: ProxyProtocolRule;
}

/** A unix socket to bind, with the permissions it is given after binding. */
export interface SocketListen {
  readonly path: string;
  /** Permission bits, for example 0o660. */
  readonly mode?: number;
  readonly user?: string;
  readonly group?: string;
  /** As of a `Listen`; all that connect are load balancers. */
  readonly proxyProtocol?: ProxyProtocolRule;
}

const loopback = new BlockList();
loopback.addSubnet('127.0.0.0', 8, 'ipv4');
loopback.addAddress('::1', 'ipv6');

/** Whether only this machine can reach a listener bound to `host`. An unknown host name counts as public. */
export function isLoopback(host: string): boolean {
  const family = isIP(host);
  if (family === 0) return host.toLowerCase() === 'localhost';
  return loopback.check(host, family === 4 ? 'ipv4' : 'ipv6');
}

const VERSIONS: Readonly<Record<string, readonly ProxyVersion[]>> = { v1: [1], v2: [2], v1v2: [1, 2] };

/**
 * `7999`, `127.0.0.1:7999`, `[::]:7999`, `*:7999`, each with `?proxy_protocol=v1|v2|v1v2&from=ADDRESS`, where `from` may come
 * more than once, or hold several with `|` between them. Undefined when the text is none of these.
 */
export function parseListen(text: string): Listen | undefined {
  const [address, query] = split(text.trim());
  const match = /^(?:(?:\[([^\]]+)\]|([^:[\]\s]+)):)?(\d{1,5})$/.exec(address);
  if (match === null) return undefined;
  const [, bracketed, plain, digits] = match;
  const port = Number(digits);
  if (port > 65_535 || (bracketed !== undefined && isIP(bracketed) !== 6)) return undefined;
  const host = bracketed ?? (plain === undefined || plain === '*' ? '0.0.0.0' : plain);
  if (query === undefined) return { host, port };
  const proxyProtocol = parseRule(query);
  return proxyProtocol === undefined ? undefined : { host, port, proxyProtocol };
}

function parseRule(query: string): ProxyProtocolRule | undefined {
  const params = new URLSearchParams(query);
  for (const name of params.keys()) if (name !== 'proxy_protocol' && name !== 'from') return undefined;
  const [word = '', ...more] = params.getAll('proxy_protocol');
  const versions = Object.hasOwn(VERSIONS, word) && more.length === 0 ? VERSIONS[word] : undefined;
  const from = params.getAll('from').flatMap((list) => list.split('|'));
  return versions === undefined || from.length === 0 || from.includes('unix') || !from.every(isAddressRange)
    ? undefined
    : { versions, from };
}

function split(text: string): [address: string, query: string | undefined] {
  const at = text.indexOf('?');
  return at === -1 ? [text, undefined] : [text.slice(0, at), text.slice(at + 1)];
}

/** The inverse of `parseListen`; also the text of start-up lines. */
export function formatListen({ host, port, proxyProtocol }: Listen): string {
  const address = host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
  if (proxyProtocol === undefined) return address;
  return `${address}?proxy_protocol=${formatVersions(proxyProtocol)}&from=${proxyProtocol.from.join('|')}`;
}

function formatVersions({ versions }: ProxyProtocolRule): string {
  return versions.map((version) => `v${version}`).join('');
}

/**
 * `path?mode=octal&user=u&group=g&proxy_protocol=v1|v2|v1v2`; undefined when the path is empty, or a parameter is unknown or
 * malformed.
 */
export function parseSocketListen(text: string): SocketListen | undefined {
  const [path, query] = split(text.trim());
  if (path === '') return undefined;
  const socket: { -readonly [Name in keyof SocketListen]: SocketListen[Name] } = { path };
  for (const [name, value] of new URLSearchParams(query ?? '')) {
    if (name === 'mode' && /^[0-7]{1,4}$/.test(value)) socket.mode = Number.parseInt(value, 8);
    else if ((name === 'user' || name === 'group') && value !== '') socket[name] = value;
    else if (name === 'proxy_protocol' && Object.hasOwn(VERSIONS, value)) {
      socket.proxyProtocol = { versions: VERSIONS[value] as readonly ProxyVersion[], from: ['unix'] };
    } else return undefined;
  }
  return socket;
}

/** The inverse of `parseSocketListen`. */
export function formatSocketListen(socket: SocketListen): string {
  const params = new URLSearchParams();
  if (socket.mode !== undefined) params.set('mode', socket.mode.toString(8));
  if (socket.user !== undefined) params.set('user', socket.user);
  if (socket.group !== undefined) params.set('group', socket.group);
  if (socket.proxyProtocol !== undefined) params.set('proxy_protocol', formatVersions(socket.proxyProtocol));
  return params.size === 0 ? socket.path : `${socket.path}?${params}`;
}
