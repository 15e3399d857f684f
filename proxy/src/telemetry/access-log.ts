/** The lines of the log about requests and holds: one for each request, one for each hold that ends. */
import { headerValue, kindRows } from '@holdfast/grip';
import type { SubscriberEnd } from '../channels/subscriber-deps.js';
import type { AccessField } from '../config/types/access-log.js';
import type { LogLevel } from '../config/types/values.js';
import type { ClientRequest } from '../edge/port.js';
import { describeTarget } from '../origin/send.js';
import type { RequestEnd } from '../request/request-deps.js';
import type { Route } from '../routes/route.js';
import type { SessionOpening } from '../sessions/session-deps.js';
import { isSampled } from './access-sample.js';
import { combinedLine } from './combined-line.js';
import type { Redaction } from './redaction.js';

/** Where the lines go. */
export interface AccessOutput {
  /** A line of the usual log: text with its fields. */
  info(fields: object, text: string): void;
  /** A line that is nothing but an object in JSON, whatever the form of the log. */
  record(fields: object): void;
  /** A line as it is. */
  raw(line: string): void;
}

/** What is written, and how. */
export interface AccessLogOptions {
  /** Whether lines at level info are written at all: making one costs as much as the rest of a small request's log. */
  readonly enabled: boolean;
  /** Lines of holds name their channels. */
  readonly namesChannels: boolean;
  /** `off` is `enabled: false`. */
  readonly form: 'pushpin' | 'combined' | 'json';
  /** The client's address; `combined` has it always. */
  readonly logFrom: boolean;
  /** The client's User-Agent; `combined` has it always. */
  readonly logUserAgent: boolean;
  /** The share of requests without an error that have lines: 0 to 1. */
  readonly sample: number;
  /** What lines in JSON show, in this order. Undefined: all but what their own options ask for. */
  readonly fields: readonly AccessField[] | undefined;
  readonly redaction: Redaction;
}

/** What a field holds. */
type Facts = Readonly<Record<string, unknown>>;

/** Of these ends the operator is to know: the client did not get what it was to get. */
const FAILED_ENDS: ReadonlySet<SubscriberEnd['reason']> = new Set([
  'origin-failed',
  'filter-failed',
  'link-failed',
  'filter-limit',
  'meta-limit',
  'channel-refused',
  'slow-client',
  'items-lost',
  'fault',
]);

/**
 * Writes access lines at level info. A route whose `log_level` is lower writes none. The text is Pushpin's:
 * `METHOD URL -> TARGET code=NNN BYTES`, the same facts are in the fields for the JSON form. Requests that fail are written
 * whatever the sample; the lines of one request are all in it or none.
 */
export class AccessLog {
  readonly #output: AccessOutput;
  readonly #options: AccessLogOptions;

  constructor(output: AccessOutput, options: AccessLogOptions) {
    this.#output = output;
    this.#options = options;
  }

  /** A request was answered, or became a hold. */
  request(end: RequestEnd): void {
    this.#line(end, end.secure ? 'https' : 'http');
  }

  #line(end: RequestEnd, scheme: string): void {
    const { enabled, form, sample } = this.#options;
    if (!enabled || isSilenced(end.route?.logLevel)) return;
    if (sample < 1 && end.error === undefined && end.status < 400 && !isSampled(end.request.id, sample)) return;
    if (form === 'combined') this.#combined(end);
    else if (form === 'json') this.#record(end.request, this.#factsOf(end, scheme));
    else this.#pushpin(end, scheme);
  }

  #pushpin(end: RequestEnd, scheme: string): void {
    const { request, status, bytes, hold, error, retry } = end;
    const facts = this.#factsOf(end, scheme);
    const { url, target, route, from, ua } = facts;
    let text = `${request.method} ${url} -> ${target}`;
    if (from !== undefined) text += ` from=${from}`;
    if (route !== undefined) text += ` route=${route}`;
    text += hold === undefined ? ` code=${status} ${bytes}` : ' accept';
    if (opensHold(end)) text += ` id=${request.id}`;
    if (error !== undefined) text += ` error=${error}`;
    if (retry) text += ' retry';
    if (request.requestId !== undefined) text += ` request_id=${request.requestId}`;
    if (ua !== undefined) text += ` ua=${ua}`;
    this.#output.info(facts, text + channelsText(facts.channel_names));
  }

  #factsOf(end: RequestEnd, scheme: string): Facts {
    const { request, target, route, status, bytes, duration, hold, held, error, retry } = end;
    const { logFrom, logUserAgent, namesChannels, redaction } = this.#options;
    return {
      id: request.id,
      request_id: request.requestId,
      trace_id: request.trace?.context.traceId,
      span_id: request.trace?.context.spanId,
      method: request.method,
      url: redaction.url(urlOf(request, scheme)),
      target: target ?? '-',
      route: route?.id,
      status,
      bytes,
      duration,
      hold,
      error,
      retry: retry || undefined,
      from: logFrom ? request.clientAddress : undefined,
      ua: logUserAgent ? this.#header(request, 'user-agent') : undefined,
      channel_names: namesChannels ? held?.view().channels : undefined,
    };
  }

  /** Its line in the format of servers, which has none for the end of a hold. One that opens a hold has its id behind it. */
  #combined(end: RequestEnd): void {
    const { request, status, bytes } = end;
    const { method, path, version, clientAddress: address } = request;
    const referer = this.#header(request, 'referer');
    const userAgent = this.#header(request, 'user-agent');
    const url = this.#options.redaction.url(path);
    const facts = { address, time: new Date(), method, path: url, version, status, bytes, referer, userAgent };
    this.#output.raw(combinedLine(facts) + (opensHold(end) ? ` id=${request.id}` : ''));
  }

  #record(request: ClientRequest, facts: Facts): void {
    const { fields } = this.#options;
    if (fields === undefined) this.#output.record(facts);
    else this.#output.record(Object.fromEntries(fields.map((field) => [field, this.#fact(field, request, facts)])));
  }

  /** Asked for by its name, a field is shown without an option of its own. */
  #fact(field: AccessField, request: ClientRequest, facts: Facts): unknown {
    switch (field) {
      case 'host':
        return this.#options.redaction.header('host', request.host);
      case 'version':
        return request.version;
      case 'from':
        return request.clientAddress;
      case 'ua':
        return this.#header(request, 'user-agent');
      case 'referer':
        return this.#header(request, 'referer');
      default:
        return field.startsWith('header:') ? this.#header(request, field.slice('header:'.length)) : facts[field];
    }
  }

  #header(request: ClientRequest, name: string): string | undefined {
    const value = headerValue(request.headers, name);
    return value === undefined ? undefined : this.#options.redaction.header(name, value);
  }

  /** A WebSocket handshake was answered. */
  session(opening: SessionOpening): void {
    if (!this.#options.enabled) return;
    const { request, trust, route, target, status, error, duration } = opening;
    const described = target && describeTarget(target);
    const { secure } = trust;
    const rest = { request, route, status, error, duration, hold: undefined, bytes: 0, retry: false };
    this.#line({ ...rest, secure, target: described }, secure ? 'wss' : 'ws');
  }

  /** A hold or session is over. `bytes` are body bytes written to the client of a hold. */
  end(request: ClientRequest, route: Route | undefined, end: SubscriberEnd, bytes?: number): void {
    const { enabled, form, sample, namesChannels, redaction } = this.#options;
    if (!enabled || form === 'combined' || isSilenced(route?.logLevel)) return;
    const { kind, reason, items, dropped, duration } = end;
    if (sample < 1 && !FAILED_ENDS.has(reason) && !isSampled(request.id, sample)) return;
    const { id, requestId, trace } = request;
    const channels = end.channels.length;
    const named = { id, request_id: requestId, trace_id: trace?.context.traceId, span_id: trace?.context.spanId };
    const channel_names = namesChannels ? end.channels : undefined;
    const facts = { ...named, kind, reason, items, dropped, bytes, duration, channels, channel_names };
    if (form === 'json') this.#record(request, facts);
    else {
      const counts = `items=${items} dropped=${dropped}${bytes === undefined ? '' : ` ${bytes}`}`;
      const what = `${kindRows[kind].label} ${redaction.url(request.path)}`;
      this.#output.info(
        facts,
        `${what} id=${request.id} end=${reason} ${counts} ${duration}ms${channelsText(channel_names)}`,
      );
    }
  }
}

/** Whether a request has become a hold or session, which has an end of its own that is found by the id. */
function opensHold({ hold, status }: RequestEnd): boolean {
  return hold !== undefined || status === 101;
}

/** As JSON, since names may have any characters. */
function channelsText(channels: unknown): string {
  return channels === undefined ? '' : ` channels=${JSON.stringify(channels)}`;
}

function isSilenced(level: LogLevel | undefined): boolean {
  return level === 'error' || level === 'warn';
}

function urlOf(request: ClientRequest, scheme: string): string {
  return `${scheme}://${request.host === '' ? 'localhost' : request.host}${request.path}`;
}
