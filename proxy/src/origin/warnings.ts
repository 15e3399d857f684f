/** The log lines about failures of origins, routes and clients: what failed, where, why, and what an operator can do. */
import { CauseLog, type Log } from '@holdfast/control-api';
import {
  filterNames,
  GripError,
  gripFields,
  isKnownFilter,
  type RawHeaders,
  type UnknownMember,
  unknownGripFields,
} from '@holdfast/grip';
import type { Options } from '../config/table.js';
import type { RequestMarks } from '../edge/port.js';
import { EdgeError, OriginError, RequestError, type RequestErrorCode } from '../errors.js';
import type { Route } from '../routes/route.js';
import { describeHost, type Target } from '../routes/target.js';
import type { Clock } from '../runtime/clock.js';
import { guess, legible } from '../runtime/legible.js';
import { describeTarget } from './send.js';

/** Where it happened, as far as is known. */
export interface FailureContext {
  /** Of the request, hold or session. */
  readonly id: string | undefined;
  readonly route: Route | undefined;
  readonly target: Target | undefined;
  /** What else names the request. Left out: nothing does. */
  readonly marks?: RequestMarks | undefined;
}

/** The marks of a request as fields of a log line. */
export function marksOf({ requestId, trace }: RequestMarks): object {
  if (trace === undefined) return requestId === undefined ? NO_MARKS : { request_id: requestId };
  const { traceId, spanId } = trace.context;
  return { ...(requestId !== undefined && { request_id: requestId }), trace_id: traceId, span_id: spanId };
}

const NO_MARKS = {};

/** What can be done about failures of requests that are not an origin's. */
const REQUEST_ADVICE: Partial<Record<RequestErrorCode, string>> = {
  ERR_REQUEST_NO_ROUTE: 'is it spelled right in the routes, or is a line for * missing?',
  ERR_REQUEST_TOO_LARGE_TO_HOLD: 'request_body_max says how long it may be',
  ERR_REQUEST_BODY_TOO_LARGE: 'a route may have another one',
  ERR_REQUEST_TOO_SLOW: 'it was judged over request_min_rate_window',
  ERR_REQUEST_INSTRUCT_TOO_LARGE: 'instruct_body_max says how long it may be',
  ERR_REQUEST_CROSS_ORIGIN: 'aco_origins names the sites whose scripts are let in',
};

/** Failures that a client brings about by itself, and can repeat at will. */
const OF_CLIENTS: ReadonlySet<string> = new Set<RequestErrorCode | 'ERR_ORIGIN_REQUEST'>([
  'ERR_REQUEST_JSONP',
  'ERR_REQUEST_CROSS_ORIGIN',
  'ERR_REQUEST_EVENTS_FROM_CLIENT',
  'ERR_REQUEST_TOO_SLOW',
  'ERR_ORIGIN_REQUEST',
]);

/**
 * Unknown names that are logged for one route. They come from the origin, so their number has no bound otherwise.
 *
 * @limit {} unknown fields, members and filters of one route that the log names
 * @over the others are not named until the routes are loaded again
 */
export const UNKNOWN_NAMES_MAX = 20;

/**
 * Logs what goes wrong between client and origin. Each error is logged once, by the first caller that reports it; `CauseLog`
 * decides how often a line is written.
 */
export class OriginWarnings {
  readonly #causes: CauseLog;
  readonly #patience: OriginPatience;
  readonly #failed: (route: Route | undefined, code: OriginError['code']) => void;
  readonly #targetFailed: ((context: FailureContext, error: OriginError) => void) | undefined;
  readonly #reported = new WeakSet<Error>();
  readonly #unknownNames = new WeakMap<Route, Set<string>>();

  /** `failed` counts an error of an origin, once; `targetFailed` gets each failure of a target. */
  constructor(
    log: Log,
    clock: Clock,
    patience: OriginPatience,
    failed: (route: Route | undefined, code: OriginError['code']) => void = () => {},
    targetFailed?: (context: FailureContext, error: OriginError) => void,
  ) {
    this.#failed = failed;
    this.#targetFailed = targetFailed;
    this.#causes = new CauseLog(log, clock);
    this.#patience = patience;
  }

  /** One target could not be asked: another may be. */
  targetFailed(context: FailureContext, error: OriginError): void {
    this.#targetFailed?.(context, error);
    this.failed(context, error, 'origin cannot be asked');
  }

  /** A request, hold or session failed, or broke off. An error that was logged before, or is logged as a fault, is left out. */
  failed(context: FailureContext, error: Error, what = 'request failed'): void {
    const { cause } = error;
    if (this.#reported.has(error) || (cause instanceof Error && this.#reported.has(cause))) return;
    this.#reported.add(error);
    const { code } = error as { code?: string };
    // A fault has a line of its own, with its stack.
    if (code === undefined || code === 'ERR_ORIGIN_FAULT') return;
    if (error instanceof OriginError && !OF_CLIENTS.has(code)) this.#failed(context.route, error.code);
    const level = OF_CLIENTS.has(code) ? 'info' : 'warn';
    const why = this.#why(error, context.target);
    const root = rootCode(error);
    // What is quoted is left out: it may differ each time.
    const kind = `${what} ${code} ${root} ${error instanceof GripError ? error.message.replace(/['"].*/s, '') : ''}`;
    this.#write(level, kind, context, `${what}: ${why}`, { code, ...(root !== undefined && { cause: root }) });
  }

  /** Something that an origin or a client sent is of no use, though the connection goes on. `kind` names it, `text` says why. */
  noticed(context: FailureContext, kind: string, text: string): void {
    this.#write('warn', kind, context, text, {});
  }

  /** An origin's instruct: what of it has no meaning is logged once for its route, until that is loaded anew. */
  instructed(
    context: FailureContext,
    headers: RawHeaders,
    filters: readonly string[],
    unknown: readonly UnknownMember[] = [],
  ): void {
    for (const name of unknownGripFields(headers)) this.#unknown(context, 'field', name, gripFields);
    for (const { where, name, known } of unknown) this.#unknown(context, `member of ${where}`, name, known);
    this.filtersNamed(context, filters);
  }

  /** The same for the filters of channels. */
  filtersNamed(context: FailureContext, filters: readonly string[]): void {
    for (const name of filters) if (!isKnownFilter(name)) this.#unknown(context, 'filter', name, filterNames);
  }

  /** A hold has no channel, and no next link: its client will never get anything. Logged once for its route. */
  channelless(context: FailureContext): void {
    this.#once(
      context,
      'channel',
      'the origin holds a client on no channel: without Grip-Channel, or channels in JSON, it will get no item',
    );
  }

  /** An origin names channels and does not hold the client, nor does anything else use them. Logged once for its route. */
  holdless(context: FailureContext): void {
    this.#once(
      context,
      'hold',
      'the origin names channels and no hold: without Grip-Hold (response or stream), or hold in JSON, the answer is passed on and the client gets no item',
    );
  }

  /** An origin answers a handshake as if it were a plain request: it may not know WebSockets over HTTP there. Logged once for its route. */
  eventless(context: FailureContext, status: number): void {
    this.#once(
      context,
      'events',
      `the origin answers a WebSocket handshake with ${status} and without events: a target with over_http is asked by POST with application/websocket-events, so give WebSockets a route with a path that no other request has (path_beg)`,
    );
  }

  /** Items of a stream wait for the end of an answer of the origin, which takes long. Logged once for its route. */
  endless(context: FailureContext): void {
    this.#once(
      context,
      'end',
      "items of a stream wait for the end of the origin's answer: the origin must end it, as by res.end() or return, and then they follow",
    );
  }

  /** What is published to an event stream is no whole event. Logged once for its route. */
  eventCut(context: FailureContext, channel: string): void {
    this.#once(
      context,
      'event',
      `an item for event streams does not end with an empty line, on channel ${JSON.stringify(channel.slice(0, 100))}: browsers wait for the rest of the event (data: …, and two line feeds)`,
    );
  }

  /** An origin wants initial items of a pattern, of which nothing is replayed. Logged once for its route. */
  patternInitial(context: FailureContext): void {
    this.#once(
      context,
      'initial items of a pattern',
      'the origin asks for initial items (initial, since) of a pattern: nothing is replayed of patterns, name the channels',
    );
  }

  /** An origin wants what a history would give, and none serves the route. Logged once for it. */
  historyless(context: FailureContext, wish: string): void {
    this.#once(
      context,
      `history ${wish}`,
      `the origin asks for ${wish}, but no history serves this route: set history_replay, or history on the route`,
    );
  }

  #unknown(context: FailureContext, what: string, name: string, known: readonly string[]): void {
    this.#once(
      context,
      `${what} ${name.slice(0, 100)}`,
      `the origin names a ${what} that means nothing: ${guess(name, known)}`,
    );
  }

  #once(context: FailureContext, name: string, text: string): void {
    const { route } = context;
    if (route === undefined) return;
    const names = this.#unknownNames.get(route) ?? new Set();
    this.#unknownNames.set(route, names);
    if (names.has(name) || names.size === UNKNOWN_NAMES_MAX) return;
    names.add(name);
    this.noticed(context, name, text);
  }

  #why(error: Error, target: Target | undefined): string {
    if (error instanceof OriginError) return adviceOn(error, target, this.#patience);
    if (error instanceof GripError) return `the origin's GRIP cannot be understood: ${error.message}`;
    if (error instanceof EdgeError) return `the origin's answer cannot be passed on: ${error.message}`;
    const advice = error instanceof RequestError ? (error.advice ?? REQUEST_ADVICE[error.code]) : undefined;
    return advice === undefined ? error.message : `${error.message.replace(/\.$/, '')}: ${advice}`;
  }

  #write(
    level: 'info' | 'warn',
    kind: string,
    { id, route, target, marks = NO_MARKS }: FailureContext,
    text: string,
    more: object,
  ): void {
    const where = target && describeTarget(target);
    const at = route === undefined ? undefined : (route.id ?? route.key);
    const fields = { id, ...marksOf(marks), route: at, target: where, ...more };
    this.#causes[level](`${kind}\n${at}\n${where}`, fields, legible(text));
  }
}

/** How long origins are waited for. */
export type OriginPatience = Pick<Options, 'originConnectTimeout' | 'originTimeout'>;

/** Causes of causes that are looked through for the system's own. */
const MAX_CAUSES = 4;

/** What the system and the TLS library say of a connection that was not made; `%h` stands for the target's address. */
const CONNECTING: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'connection refused: is the origin running on %h?',
  ENOTFOUND: 'its name is unknown: is it spelled right in the route, and does this machine know it?',
  EAI_AGAIN: 'its name cannot be looked up now: the name server of this machine does not answer',
  EHOSTUNREACH: 'there is no way to %h: is that machine up, and is a firewall between?',
  ENETUNREACH: 'there is no way to the network of %h',
  EADDRNOTAVAIL: 'this machine has no free port for another connection to %h',
  ECONNRESET:
    'it closed the connection before it was up: is %h the right port, and does it speak TLS as the target says?',
  EPROTO: 'the TLS handshake failed: does it speak TLS on %h? If not, remove ssl from the target',
  ERR_SSL_WRONG_VERSION_NUMBER: 'it does not speak TLS on %h: remove ssl from the target',
  ERR_SSL_PACKET_LENGTH_TOO_LONG: 'it does not speak TLS on %h: remove ssl from the target',
  CERT_HAS_EXPIRED: 'its certificate has expired: renew it (insecure on the target accepts any)',
  CERT_NOT_YET_VALID: 'its certificate is not valid yet: is the clock of this machine right?',
  ERR_TLS_CERT_ALTNAME_INVALID:
    'its certificate is for other names: have host= of the target say one of them, or set trust_connect_host where it is for %h',
};

const UNTRUSTED =
  'its certificate is not trusted: name the file of its authority in NODE_EXTRA_CA_CERTS (insecure on the target accepts any)';

/** OpenSSL's codes for an authority that is not known. */
const UNTRUSTED_CODES: ReadonlySet<string> = new Set([
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'SELF_SIGNED_CERT_IN_CHAIN',
  'UNABLE_TO_GET_ISSUER_CERT',
  'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
  'CERT_UNTRUSTED',
]);

/** The code at the bottom of an error: the system's or a library's. Undefined where there is none. */
export function rootCode(error: Error): string | undefined {
  let found: string | undefined;
  let at: unknown = error.cause;
  for (let depth = 0; at instanceof Error && depth < MAX_CAUSES; depth++) {
    const { code } = at as { code?: unknown };
    if (typeof code === 'string') found = code;
    at = at.cause;
  }
  return found;
}

/** Why, and what to do, in one line. */
export function adviceOn(error: OriginError, target: Target | undefined, patience: OriginPatience): string {
  switch (error.code) {
    case 'ERR_ORIGIN_CONNECT':
      return connecting(error, target, patience);
    case 'ERR_ORIGIN_BLOCKED':
      return 'the target is untrusted, and its address is private: remove untrusted if the origin may be in this network';
    case 'ERR_ORIGIN_TIMEOUT':
      return `it was silent for ${seconds(patience.originTimeout)} (origin_timeout): is it stuck, or does it need longer?`;
    case 'ERR_ORIGIN_CLOSED':
      return answeredNothing(error, target)
        ? 'it closed the connection without an answer: did it crash, or does it speak TLS there, so that the target needs ssl?'
        : 'it closed the connection before its answer was complete: did it crash or restart, or limit the time?';
    case 'ERR_ORIGIN_MALFORMED':
      return `what it sent is not valid: ${error.message}${tlsHint(error, target)}`;
    default:
      return error.message;
  }
}

function connecting(error: OriginError, target: Target | undefined, { originConnectTimeout }: OriginPatience): string {
  const code = rootCode(error) ?? '';
  if (UNTRUSTED_CODES.has(code)) return `${UNTRUSTED} (${code})`;
  const host = target?.kind === 'http' ? describeHost(target) : 'its address';
  const known = CONNECTING[code];
  if (known !== undefined) return `${known.replace('%h', host)} (${code})`;
  if (code === 'ETIMEDOUT' || code === 'UND_ERR_CONNECT_TIMEOUT' || error.message === 'connecting timed out') {
    return `no connection within ${seconds(originConnectTimeout)} (origin_connect_timeout): is ${host} right, and is a firewall between?`;
  }
  return error.message;
}

/** Bytes of TLS read as HTTP, and the other way round, are the commonest cause. */
function tlsHint(error: Error, target: Target | undefined): string {
  if (
    target?.kind !== 'http' ||
    target.ssl ||
    !/HPE_INVALID_(CONSTANT|VERSION)|Expected HTTP/.test(`${rootCode(error)} ${error.message}`)
  )
    return '';
  return ': does it speak HTTP there, or does the target need ssl?';
}

/** Whether nothing at all has come from a target that is spoken to without TLS: servers of TLS take that so. */
function answeredNothing({ cause }: Error, target: Target | undefined): boolean {
  const { socket } = (cause ?? {}) as { socket?: { bytesRead?: number } };
  return target?.kind === 'http' && !target.ssl && socket?.bytesRead === 0;
}

function seconds(ms: number): string {
  return `${ms / 1_000} s`;
}
