/** The lines of the log about requests and holds: one for each request, one for each hold that ends. */
import type { Log } from '@holdfast/control-api';
import { headerValue, kindRows } from '@holdfast/grip';
import type { SubscriberEnd } from '../channels/subscriber-deps.js';
import type { LogLevel } from '../config/types/values.js';
import type { ClientRequest } from '../edge/port.js';
import { describeTarget } from '../origin/send.js';
import type { RequestEnd } from '../request/request-deps.js';
import type { Route } from '../routes/route.js';
import type { SessionOpening } from '../sessions/session-deps.js';

/** What the lines may hold beyond the usual. */
export interface AccessLogOptions {
  /** Whether lines at level info are written at all: making one costs as much as the rest of a small request's log. */
  readonly enabled: boolean;
  /** The client's address. */
  readonly logFrom: boolean;
  /** The client's User-Agent. */
  readonly logUserAgent: boolean;
}

/**
 * Writes access lines at level info. A route whose `log_level` is lower writes none. The text is Pushpin's:
 * `METHOD URL -> TARGET code=NNN BYTES`, the same facts are in the fields for the JSON form.
 */
export class AccessLog {
  readonly #log: Log;
  readonly #options: AccessLogOptions;

  constructor(log: Log, options: AccessLogOptions) {
    this.#log = log;
    this.#options = options;
  }

  /** A request was answered, or became a hold. */
  request(end: RequestEnd): void {
    this.#line(end, end.secure ? 'https' : 'http');
  }

  #line(end: RequestEnd, scheme: string): void {
    if (!this.#options.enabled || isSilenced(end.route?.logLevel)) return;
    const { request, status, bytes, hold, error, retry, duration } = end;
    const url = urlOf(request, scheme);
    const target = end.target ?? '-';
    const route = end.route?.id;
    const from = this.#options.logFrom ? request.clientAddress : undefined;
    const ua = this.#options.logUserAgent ? headerValue(request.headers, 'user-agent') : undefined;
    let text = `${request.method} ${url} -> ${target}`;
    if (from !== undefined) text += ` from=${from}`;
    if (route !== undefined) text += ` route=${route}`;
    text += hold === undefined ? ` code=${status} ${bytes}` : ' accept';
    if (error !== undefined) text += ` error=${error}`;
    if (retry) text += ' retry';
    if (ua !== undefined) text += ` ua=${ua}`;
    const fields = { id: request.id, method: request.method, url, target, route, status, bytes, duration, hold, error };
    this.#log.info({ ...fields, retry: retry || undefined, from, ua }, text);
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
    if (!this.#options.enabled || isSilenced(route?.logLevel)) return;
    const { kind, reason, items, dropped, duration } = end;
    const what = kindRows[kind].label;
    const counts = `items=${items} dropped=${dropped}${bytes === undefined ? '' : ` ${bytes}`}`;
    const text = `${what} ${request.path} id=${request.id} end=${reason} ${counts} ${duration}ms`;
    this.#log.info(
      { id: request.id, kind, reason, items, dropped, bytes, duration, channels: end.channels.length },
      text,
    );
  }
}

function isSilenced(level: LogLevel | undefined): boolean {
  return level === 'error' || level === 'warn';
}

function urlOf(request: ClientRequest, scheme: string): string {
  return `${scheme}://${request.host === '' ? 'localhost' : request.host}${request.path}`;
}
