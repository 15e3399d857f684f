/** A target of a route: one origin address and how to talk to it. */
import { isIPv6 } from 'node:net';
import { channelNameFault, isLongName, MAX_NAME_BYTES } from '@holdfast/grip';
import { RoutesError } from '../errors.js';
import { type OriginPropName, targetProps } from './property-table.js';
import type { RouteSection } from './routes-file.js';
import { readInlineKeys, type SubscribeTarget, toSubscribeTarget } from './subscribe-target.js';

/** An origin reached over HTTP or WebSocket. */
export interface HttpTarget {
  readonly kind: 'http';
  /** A host name or an address; IPv6 without brackets. */
  readonly host: string;
  readonly port: number;
  /** TLS to this target. */
  readonly ssl: boolean;
  /** Do not verify its certificate. */
  readonly insecure: boolean;
  /** Host header, server name and name to verify, if not `host`. May carry a port. */
  readonly hostHeader?: string;
  /** Verify the certificate against `host` in spite of `hostHeader`. */
  readonly trustConnectHost: boolean;
  /** Private addresses are refused. */
  readonly untrusted: boolean;
  /** Channels that everything on this target is subscribed to; `prefix` of the route does not apply. */
  readonly subs: readonly string[];
  /** WebSocket clients are carried as WebSocket-over-HTTP. */
  readonly overHttp: boolean;
  /** At most one event per WebSocket-over-HTTP request. */
  readonly oneEvent: boolean;
  /** Path of a PEM certificate for TLS client authentication, relative to the working directory. */
  readonly clientCert?: string;
  /** Path of its PEM key. */
  readonly clientKey?: string;
}

/** The built-in handler that answers requests itself. */
export interface TestTarget {
  readonly kind: 'test';
  readonly subs: readonly string[];
  /** The channels that clients may name, without the route's prefix; at least one, the first for clients that name none. */
  readonly channels: readonly string[];
}

/** One entry of a route's target list; attempts go from left to right. */
export type Target = HttpTarget | TestTarget | SubscribeTarget;

/** `host:port` of a target, with brackets around an IPv6 address. */
export function describeHost({ host, port }: HttpTarget): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}

/** What may be missing in a target, or too much; Pushpin only says that it is bad. */
function hint(text: string): string {
  if (targetProps.includes(text.split('=', 1)[0] as string))
    return `: ${text} is a property, which follows its target after a comma and no space`;
  if (text.includes('/')) return ': write host:port, with ssl for https, and no scheme or path';
  return /^[\w.-]+$/.test(text) ? `: it has no port, as in ${text}:80` : '';
}

function address(text: string, fail: (reason: string) => RoutesError): { host: string; port: number } {
  const bracket = text.startsWith('[') ? text.indexOf(']') : -1;
  const at = bracket === -1 ? text.indexOf(':') : bracket + 1;
  const host = bracket === -1 ? text.slice(0, at) : text.slice(1, bracket);
  if (at < 1 || text[at] !== ':' || host === '') throw fail(`target bad format${hint(text)}`);
  if (bracket !== -1 && !isIPv6(host)) throw fail('target bad format');
  const port = text.slice(at + 1);
  if (/^\/\//.test(port)) throw fail(`target bad format${hint(text)}`);
  if (!/^\d{1,5}$/.test(port) || Number(port) < 1 || Number(port) > 65_535) throw fail('target invalid port');
  // Connections are made by URL: a host that no URL can have would fail at the first request.
  if (!URL.canParse(`http://${bracket === -1 ? host : `[${host}]`}/`)) throw fail('target bad format');
  return { host, port: Number(port) };
}

/** Whether text can be put in a request line or a Host field as it is (RFC 3986 §2). */
export function isVisible(text: string): boolean {
  return /^[\x21-\x7e]*$/.test(text);
}

/** Of `channels=a|b`, which may be repeated; only `test` without it. */
function testChannels({ props }: RouteSection, fail: (reason: string) => RoutesError): readonly string[] {
  const lists = props.filter(({ name }) => name === 'channels');
  if (lists.length === 0) return ['test'];
  const channels = lists.flatMap(({ value }) => (value ?? '').split('|')).filter((channel) => channel !== '');
  if (channels.length === 0) throw fail('channels must name at least one channel');
  if (channels.some(isLongName)) throw fail(`a channel of channels has more than ${MAX_NAME_BYTES} bytes`);
  return channels;
}

/**
 * Understands one target section. Unknown properties are passed over; of a repeated one the last counts.
 * @throws RoutesError with Pushpin's texts; also for `zhttp/` and `zhttpreq/`, which are recognised but not supported
 */
export function toTarget(
  section: RouteSection,
  line: number,
  channelNameMax = Number.POSITIVE_INFINITY,
  tokenKeys = readInlineKeys,
): Target {
  const fail = (reason: string) => new RoutesError(reason, { line, column: section.column });
  const props = new Map(section.props.map(({ name, value }) => [name, value]));
  const subs = section.props.flatMap(({ name, value }) => (name === 'sub' && value !== undefined ? [value] : []));
  if (subs.some(isLongName)) throw fail(`a channel of sub has more than ${MAX_NAME_BYTES} bytes`);
  const channels = section.value === 'test' ? testChannels(section, fail) : [];
  for (const name of [...subs, ...channels]) {
    const fault = channelNameFault(name, channelNameMax);
    if (fault !== undefined) throw fail(fault);
  }
  if (section.value === 'test') return { kind: 'test', subs, channels };
  if (section.value === 'subscribe') return toSubscribeTarget(section, line, channelNameMax, tokenKeys);
  if (/^zhttp(req)?\//.test(section.value)) throw fail('zhttp targets are not supported');
  const has = (name: OriginPropName) => props.has(name);
  const filled = (name: OriginPropName) => props.get(name) || undefined;
  const [hostHeader, clientCert, clientKey] = [filled('host'), filled('client_cert'), filled('client_key')];
  if (hostHeader !== undefined && !isVisible(hostHeader)) throw fail('host must be visible ASCII');
  return {
    kind: 'http',
    ...address(section.value, fail),
    ssl: has('ssl'),
    insecure: has('insecure'),
    ...(hostHeader === undefined ? {} : { hostHeader }),
    trustConnectHost: has('trust_connect_host'),
    untrusted: has('untrusted'),
    subs,
    overHttp: has('over_http'),
    oneEvent: has('one_event'),
    ...(clientCert === undefined ? {} : { clientCert }),
    ...(clientKey === undefined ? {} : { clientKey }),
  };
}

/**
 * A name without the dot of the root: `example.com.` and `example.com` are one host (RFC 1034 §3.1). For comparing, and for
 * names in TLS, which have none (RFC 6066 §3); a Host field is passed on as it was sent. Allocates nothing where there is none.
 */
export function withoutRoot(name: string): string {
  return name.length > 1 && name.endsWith('.') ? name.slice(0, -1) : name;
}
