/**
 * The header fields of every request that goes to an origin: the one function of that direction. The framing fields are added
 * by the origin client, to fit the body.
 */
import type { RawHeaders } from '@holdfast/grip';
import type { Options } from '../config/table.js';
import type { ForwardedForRule } from '../config/types/forwarded-for.js';
import { namedByConnection } from '../http/fields.js';
import { foldedName, isGripField, isHopField, MARK, posesAsOwned } from './owned-fields.js';

/** The options that shape forwarded headers. */
export type ForwardOptions = Pick<
  Options,
  | 'cdnLoop'
  | 'acceptXForwardedProtocol'
  | 'setXForwardedProtocol'
  | 'xForwardedFor'
  | 'xForwardedForTrusted'
  | 'acceptPushpinRoute'
  | 'origHeadersNeedMark'
>;

/** The same, ready for use; the same for every request. */
export interface ForwardRules extends Omit<ForwardOptions, 'origHeadersNeedMark'> {
  /** In lower case. */
  readonly origHeadersNeedMark: ReadonlySet<string>;
}

/** The rules that options amount to. */
export function forwardRules(options: ForwardOptions): ForwardRules {
  return { ...options, origHeadersNeedMark: new Set(options.origHeadersNeedMark.map((name) => name.toLowerCase())) };
}

/** What is known of one request when its headers are made. */
export interface ForwardedRequest {
  readonly headers: RawHeaders;
  readonly clientAddress: string;
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
    const lower = name.toLowerCase();
    if (isHopField(lower) || posesAsOwned(lower)) return;
    if (lower.startsWith('grip-') && !this.#request.trusted) return;
    if (this.#request.speaksGrip && isGripField(lower)) return;
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

function forwardedFor(values: readonly string[], rule: ForwardedForRule, address: string): string {
  if (values.length === 0) return rule.append ? address : '';
  let list = entries(values);
  if (rule.truncate !== undefined) list = rule.truncate === 0 ? [] : list.slice(-rule.truncate);
  if (rule.append && address !== '') list.push(address);
  return list.join(', ');
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
  if (request.takesTrailers) headers.push('TE', 'trailers');
  if (request.secure && rules.setXForwardedProtocol !== 'false') {
    const scheme = request.websocket ? 'wss' : 'https';
    headers.push('X-Forwarded-Proto', scheme);
    if (rules.setXForwardedProtocol === 'true') headers.push('X-Forwarded-Protocol', scheme);
  }
  const rule = request.trusted ? rules.xForwardedForTrusted : rules.xForwardedFor;
  const chain = forwardedFor(selection.forwardedFor, rule, request.clientAddress);
  if (chain !== '') headers.push('X-Forwarded-For', chain);
  return headers;
}

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
