/**
 * A target of a route: one origin address and how to talk to it.
 *
 * Owns: the meaning of a target's properties. Does not own: their syntax, connecting, or the order of attempts.
 */
import { isIPv6 } from 'node:net';
import { RoutesError } from '../config/errors.js';
import type { RouteSection } from '../config/routes-file.js';

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
}

/** One entry of a route's target list; attempts go from left to right. */
export type Target = HttpTarget | TestTarget;

/** Whether a text can be the value of Host: ASCII without spaces. */
export function isHostText(text: string): boolean {
  return /^[!-~]+$/.test(text);
}

function address(text: string, fail: (reason: string) => RoutesError): { host: string; port: number } {
  const bracket = text.startsWith('[') ? text.indexOf(']') : -1;
  const at = bracket === -1 ? text.indexOf(':') : bracket + 1;
  const host = bracket === -1 ? text.slice(0, at) : text.slice(1, bracket);
  if (at < 1 || text[at] !== ':' || host === '') throw fail('target bad format');
  if (bracket !== -1 && !isIPv6(host)) throw fail('target bad format');
  const port = text.slice(at + 1);
  if (!/^\d{1,5}$/.test(port) || Number(port) < 1 || Number(port) > 65_535) throw fail('target invalid port');
  return { host, port: Number(port) };
}

/**
 * Understands one target section. Unknown properties are passed over; of a repeated one the last counts.
 * @throws RoutesError with Pushpin's words; also for `zhttp/` and `zhttpreq/`, which are recognised but not supported
 */
export function toTarget(section: RouteSection, line: number): Target {
  const fail = (reason: string) => new RoutesError(reason, { line, column: section.column });
  const props = new Map(section.props.map(({ name, value }) => [name, value]));
  const subs = section.props.flatMap(({ name, value }) => (name === 'sub' && value !== undefined ? [value] : []));
  if (section.value === 'test') return { kind: 'test', subs };
  if (/^zhttp(req)?\//.test(section.value)) throw fail('zhttp targets are not supported');
  const [hostHeader, clientCert, clientKey] = ['host', 'client_cert', 'client_key'].map(
    (name) => props.get(name) || undefined,
  );
  if (hostHeader !== undefined && !isHostText(hostHeader))
    throw fail('host must be a host in ASCII, with or without port');
  return {
    kind: 'http',
    ...address(section.value, fail),
    ssl: props.has('ssl'),
    insecure: props.has('insecure'),
    ...(hostHeader === undefined ? {} : { hostHeader }),
    trustConnectHost: props.has('trust_connect_host'),
    untrusted: props.has('untrusted'),
    subs,
    overHttp: props.has('over_http'),
    oneEvent: props.has('one_event'),
    ...(clientCert === undefined ? {} : { clientCert }),
    ...(clientKey === undefined ? {} : { clientKey }),
  };
}
