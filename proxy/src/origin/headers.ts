/** The header fields of every request that goes to an origin, but for those of framing, which the origin client adds. */
import { formatTraceparent } from '@holdfast/control-api';
import type { RawHeaders } from '@holdfast/grip';
import type { Options } from '../config/table.js';
import type { ForwardedForRule } from '../config/types/values.js';
import type { RequestMarks } from '../edge/port.js';
import { namedByConnection } from '../http/fields.js';

/** The options that shape forwarded headers. */
export type ForwardOptions = Pick<
  Options,
  | 'cdnLoop'
  | 'acceptXForwardedProtocol'
  | 'setForwarded'
  | 'setXForwardedProtocol'
  | 'xForwardedFor'
  | 'xForwardedForTrusted'
  | 'acceptPushpinRoute'
  | 'origHeadersNeedMark'
  | 'tlsClientCa'
  | 'requestIdHeader'
  | 'trace'
>;

/** The same, ready for use. */
export interface ForwardRules
  extends Omit<ForwardOptions, 'origHeadersNeedMark' | 'tlsClientCa' | 'requestIdHeader' | 'trace'> {
  /** Whether `Client-Cert` and `Client-Cert-Chain` (RFC 9440) are the proxy's to set: clients are asked for certificates. */
  readonly ownsClientCert: boolean;
  /** Whether `traceparent` and `tracestate` are the proxy's to set. */
  readonly traces: boolean;
  /** The field that names requests; undefined: none. */
  readonly requestId: { readonly name: string; readonly folded: string } | undefined;
  /** In lower case. */
  readonly origHeadersNeedMark: ReadonlySet<string>;
}

/** The rules that options amount to. */
export function forwardRules({
  origHeadersNeedMark,
  tlsClientCa,
  requestIdHeader: name,
  trace,
  ...options
}: ForwardOptions): ForwardRules {
  return {
    ...options,
    traces: trace !== 'off',
    requestId: name === undefined ? undefined : { name, folded: foldedName(name.toLowerCase()) },
    origHeadersNeedMark: new Set(origHeadersNeedMark.map((name) => name.toLowerCase())),
    ownsClientCert: tlsClientCa !== undefined,
  };
}

/** What is known of one request when its headers are made. */
export interface ForwardedRequest extends RequestMarks {
  readonly headers: RawHeaders;
  readonly clientAddress: string;
  /** Of its TLS connection: DER in base64. */
  readonly clientCertificate?: string | undefined;
  /** The trusted proxies behind the client; see `ClientRequest`. */
  readonly hops?: readonly string[] | undefined;
  /** The host that the client asked for; empty where it named none. */
  readonly clientHost: string;
  /** Host header for the target. */
  readonly host: string;
  /** The client's connection counts as TLS. */
  readonly secure: boolean;
  /** The client opens a WebSocket, however its origin is spoken to. */
  readonly websocket: boolean;
  /** Trailers of the answer can be passed to the client, which has said that it takes them. */
  readonly takesTrailers?: boolean;
  /** The client is a GRIP proxy that signs with our `upstream_key`. */
  readonly trusted: boolean;
  /** Route properties. */
  readonly routeHeaders: readonly (readonly [string, string])[];
  readonly origHeaders: boolean;
  /** The origin takes us for its GRIP proxy: not when the route is `no_grip` or the client trusted. */
  readonly speaksGrip: boolean;
  /** Our own GRIP headers, in order; empty unless `speaksGrip`. */
  readonly grip: RawHeaders;
}

/** The client's fields without those of the hop and those that we are to decide, in their order. */
class Selection {
  readonly kept: string[] = [];
  readonly marked: string[] = [];
  readonly forwardedFor: string[] = [];
  readonly cdnLoop: string[] = [];
  readonly #request: ForwardedRequest;
  readonly #rules: ForwardRules;
  readonly #named: ReadonlySet<string>;

  constructor(request: ForwardedRequest, rules: ForwardRules) {
    this.#request = request;
    this.#rules = rules;
    this.#named = namedByConnection(request.headers);
    const { headers } = request;
    for (let i = 0; i < headers.length; i += 2) this.#add(headers[i] as string, headers[i + 1] as string);
  }

  #add(name: string, value: string): void {
    const { lower, folded, group } = meaningOf(name);
    if (group === 'never') return;
    if (this.#rules.requestId !== undefined && folded === this.#rules.requestId.folded) return;
    if (group === 'plain') {
      if (this.#named.size === 0 || !this.#named.has(lower)) this.kept.push(name, value);
      return;
    }
    if (lower.startsWith('grip-') && !this.#request.trusted) return;
    if (this.#rules.ownsClientCert && !this.#request.trusted && isClientCert(lower)) return;
    if (this.#request.speaksGrip && isGripField(lower)) return;
    if (this.#rules.traces && isTraceField(lower)) return;
    if (lower === 'forwarded' && this.#rules.setForwarded) return;
    if (lower === 'x-forwarded-for') this.forwardedFor.push(value);
    else if (lower === 'cdn-loop' && this.#rules.cdnLoop !== '') this.cdnLoop.push(value);
    else if (lower.startsWith(MARK)) {
      if (this.#request.origHeaders) this.marked.push(name, value);
    } else if (!this.#dropped(lower)) this.kept.push(name, value);
  }

  #dropped(lower: string): boolean {
    if (lower === 'pushpin-route') return this.#rules.acceptPushpinRoute;
    if (lower === 'x-forwarded-proto' || lower === 'x-forwarded-protocol') return rewritesProtocol(this.#rules);
    return this.#named.size > 0 && this.#named.has(lower);
  }
}

function rewritesProtocol(rules: ForwardRules): boolean {
  return rules.acceptXForwardedProtocol || rules.setXForwardedProtocol !== 'false';
}

/** Instead of all fields of the name, and of all names that an origin may take for it. */
function set(headers: string[], name: string, value: string): string[] {
  const folded = foldedName(name.toLowerCase());
  const others: string[] = [];
  for (let i = 0; i < headers.length; i += 2) {
    if (foldedName((headers[i] as string).toLowerCase()) !== folded)
      others.push(headers[i] as string, headers[i + 1] as string);
  }
  if (value !== '') others.push(name, value);
  return others;
}

function entries(values: readonly string[]): string[] {
  return values
    .flatMap((value) => value.split(','))
    .map((entry) => entry.trim())
    .filter((entry) => entry !== '');
}

/** The rule's list: of a client behind trusted proxies the last of them is appended, unless the list is empty then. */
function forwardedFor(values: readonly string[], rule: ForwardedForRule, address: string, peer = address): string {
  if (values.length === 0) return rule.append ? address : '';
  let list = entries(values);
  if (rule.truncate !== undefined) list = rule.truncate === 0 ? [] : list.slice(-rule.truncate);
  const next = list.length === 0 ? address : peer;
  if (rule.append && next !== '') list.push(next);
  return list.join(', ');
}

/** RFC 7239 §4: first what the client did, then the proxies that its request has come through. */
function forwarded({ clientAddress, clientHost, secure, hops = [] }: ForwardedRequest): string {
  const host = clientHost === '' ? '' : `;host="${clientHost}"`;
  const first = `for=${forwardedNode(clientAddress)}${host};proto=${secure ? 'https' : 'http'}`;
  return [first, ...hops.map((hop) => `for=${forwardedNode(hop)}`)].join(', ');
}

/** An address as RFC 7239 §6 has it: IPv6 in brackets and quotes; `unknown` for the other end of a unix socket. */
function forwardedNode(address: string): string {
  if (address === '') return 'unknown';
  return address.includes(':') ? `"[${address}]"` : address;
}

/**
 * All header fields for the origin, `Host` first, then the client's own in their order, then what the proxy adds. Rules
 * as in docs/protocol.md; called for every request to an origin, retries and link requests included.
 */
export function requestHeaders(request: ForwardedRequest, rules: ForwardRules): string[] {
  const selection = new Selection(request, rules);
  let headers = selection.kept;
  for (const [name, value] of request.routeHeaders) headers = set(headers, name, value);
  if (request.origHeaders && !request.trusted) headers = withMarks(headers, rules);
  headers.unshift('Host', request.host);
  headers.push(...selection.marked);
  if (rules.cdnLoop !== '') headers.push('CDN-Loop', [...entries(selection.cdnLoop), rules.cdnLoop].join(', '));
  headers.push(...request.grip);
  if (rules.ownsClientCert && !request.trusted) pushClientCert(headers, request);
  if (rules.requestId !== undefined) pushRequestId(headers, request, rules.requestId);
  if (rules.traces) pushTrace(headers, request);
  if (request.takesTrailers) headers.push('TE', 'trailers');
  if (request.secure && rules.setXForwardedProtocol !== 'false') {
    const scheme = request.websocket ? 'wss' : 'https';
    headers.push('X-Forwarded-Proto', scheme);
    if (rules.setXForwardedProtocol === 'true') headers.push('X-Forwarded-Protocol', scheme);
  }
  const rule = request.trusted ? rules.xForwardedForTrusted : rules.xForwardedFor;
  const chain = forwardedFor(selection.forwardedFor, rule, request.clientAddress, request.hops?.at(-1));
  if (chain !== '') headers.push('X-Forwarded-For', chain);
  if (rules.setForwarded) headers.push('Forwarded', forwarded(request));
  return headers;
}

/** Not where the route says what is to be in its place. */
function pushClientCert(headers: string[], { clientCertificate, routeHeaders }: ForwardedRequest): void {
  if (clientCertificate === undefined || routeHeaders.some(([name]) => isClientCert(name.toLowerCase()))) return;
  headers.push('Client-Cert', `:${clientCertificate}:`);
}

/** Not where the route says what is to be in its place. */
function pushRequestId(
  headers: string[],
  { requestId, routeHeaders }: ForwardedRequest,
  { name, folded }: NonNullable<ForwardRules['requestId']>,
): void {
  if (requestId === undefined || routeHeaders.some(([other]) => foldedName(other.toLowerCase()) === folded)) return;
  headers.push(name, requestId);
}

/** Not where the route says what is to be in its place. */
function pushTrace(headers: string[], { trace, routeHeaders }: ForwardedRequest): void {
  if (trace === undefined || routeHeaders.some(([name]) => name.toLowerCase() === 'traceparent')) return;
  headers.push('traceparent', formatTraceparent(trace.context));
  if (trace.context.state !== '') headers.push('tracestate', trace.context.state);
}

/** Whether a name, in lower case, is one that an origin may take for a field of RFC 9440. */
function isClientCert(lower: string): boolean {
  if (lower.length !== CLIENT_CERT.length && lower.length !== CLIENT_CERT_CHAIN.length) return false;
  const name = foldedName(lower);
  return name === CLIENT_CERT || name === CLIENT_CERT_CHAIN;
}

const CLIENT_CERT = 'client-cert';
const CLIENT_CERT_CHAIN = 'client-cert-chain';

function withMarks(headers: string[], rules: ForwardRules): string[] {
  const result = headers.slice();
  for (let i = 0; i < headers.length; i += 2) {
    const name = headers[i] as string;
    if (!rules.origHeadersNeedMark.has(name.toLowerCase())) result.push(`${MARK}${name}`, headers[i + 1] as string);
  }
  return result;
}

/** Whether the client's connection counts as TLS: it is, or a front proxy that we believe says so. */
export function countsAsSecure(headers: RawHeaders, tls: boolean, rules: ForwardRules): boolean {
  if (tls || !rules.acceptXForwardedProtocol) return tls;
  let proto: string | undefined;
  let protocol: string | undefined;
  for (let i = 0; i < headers.length; i += 2) {
    const lower = (headers[i] as string).toLowerCase();
    if (lower === 'x-forwarded-proto') proto ??= headers[i + 1];
    else if (lower === 'x-forwarded-protocol') protocol ??= headers[i + 1];
  }
  const said = proto ?? protocol;
  return said === 'https' || said === 'wss';
}

/**
 * Fields of the hop between client and proxy. Accept-Encoding is not among them: what is relayed passes as it is, and what has to
 * be read is decoded. TE asks for transfer codings of the hop; for trailers the proxy asks itself, where it can pass
 * them on. Proxy is no field at all: CGI would make it HTTP_PROXY, which many libraries obey as the proxy for
 * their own requests (RFC 3875 §4.1.18, CVE-2016-5385).
 */
const HOP = new Set([
  'host',
  'connection',
  'keep-alive',
  'proxy',
  'proxy-connection',
  'te',
  'transfer-encoding',
  'expect',
  'upgrade',
  'http2-settings',
]);

/** Marks a copy of a client's header on `orig_headers` routes. */
const MARK = 'eb9bf0f5-';

/** Other fields that the proxy sets, or reads for the origin; with their hyphens some of a client's pass, by their rules. */
const OWNED = new Set([
  'connection-id',
  'sub-meta',
  'pub-meta',
  'content-length',
  'content-type',
  'cdn-loop',
  'pushpin-route',
]);

const OWNED_BEGINNINGS = ['grip-', 'meta-', 'content-bytes-', 'x-forwarded-', 'sec-websocket-', MARK];

/** All of a name but what every server takes for itself. */
const OTHER_CHARACTER = /[^a-z0-9-]/;

/**
 * Whether a field of this name, in lower case, is one that an origin believes to be its GRIP proxy's, as it does `Grip-*`: the
 * session of WebSocket-over-HTTP and its state, and what a filter asks about.
 */
export function isGripField(lower: string): boolean {
  if (lower === 'connection-id' || lower === 'sub-meta' || lower === 'pub-meta') return true;
  return lower.startsWith('meta-') || lower.startsWith('content-bytes-');
}

/**
 * Whether a name, in lower case, has other characters where one of the proxy's fields has hyphens: `grip_sig`, `meta.user`. CGI
 * (RFC 3875 §4.1.18), WSGI, Rack and PHP give applications `HTTP_GRIP_SIG` for both, so the origin could not tell them apart.
 */
function posesAsOwned(lower: string): boolean {
  if (!OTHER_CHARACTER.test(lower)) return false;
  const name = foldedName(lower);
  return HOP.has(name) || OWNED.has(name) || OWNED_BEGINNINGS.some((beginning) => name.startsWith(beginning));
}

function isTraceField(lower: string): boolean {
  return lower === 'traceparent' || lower === 'tracestate';
}

/** What a name says of a field, whatever the request. */
interface Meaning {
  readonly lower: string;
  readonly folded: string;
  /** `never`: it goes no further. `plain`: nothing but Connection, and the request's id, concerns it. `ruled`: options and the client decide. */
  readonly group: 'never' | 'plain' | 'ruled';
}

/** The names that were met last: clients use few, over and over. */
const meanings = new Map<string, Meaning>();

/**
 * @limit {} names of request fields that are remembered, with what they mean
 * @over all are forgotten
 */
const NAMES_MAX = 1_024;

/**
 * @limit {} characters of a name that is remembered
 * @over it is looked at each time
 */
const NAME_MAX = 64;

function meaningOf(name: string): Meaning {
  const known = meanings.get(name);
  if (known !== undefined) return known;
  const lower = name.toLowerCase();
  const never = HOP.has(lower) || posesAsOwned(lower);
  const meaning: Meaning = {
    lower,
    folded: foldedName(lower),
    group: never ? 'never' : isRuled(lower) ? 'ruled' : 'plain',
  };
  if (name.length > NAME_MAX) return meaning;
  if (meanings.size >= NAMES_MAX) meanings.clear();
  meanings.set(name, meaning);
  return meaning;
}

function isRuled(lower: string): boolean {
  if (isGripField(lower) || isClientCert(lower) || isTraceField(lower)) return true;
  return RULED.has(lower) || lower.startsWith('grip-') || lower.startsWith(MARK);
}

/** Other names of which options decide. */
const RULED = new Set([
  'forwarded',
  'x-forwarded-for',
  'x-forwarded-proto',
  'x-forwarded-protocol',
  'cdn-loop',
  'pushpin-route',
]);

/** A name, in lower case, as origins that know no other separator see it. */
export function foldedName(lower: string): string {
  return OTHER_CHARACTER.test(lower) ? lower.replace(/[^a-z0-9-]/g, '-') : lower;
}
