/** What is counted and logged of the requests of the control API. */
import type { IncomingMessage } from 'node:http';
import type { Action } from './auth/rights.js';
import type { Answer } from './http/answer.js';
import type { Principal } from './http/router.js';
import type { ControlResult, PublishEvents } from './publisher.js';
import type { Log } from './runtime/log.js';

/** The result of a status. */
export function controlResult(status: number): ControlResult {
  if (status < 400) return 'ok';
  if (status === 401) return 'unauthenticated';
  if (status === 403) return 'forbidden';
  if (status === 429) return 'rate';
  return status < 500 ? 'refused' : 'failed';
}

/** A request, as far as it is reported. */
export interface ReportedRequest {
  readonly request: Pick<IncomingMessage, 'method' | 'url' | 'headers' | 'socket'>;
  /** What it needs the permission for; undefined where it needs none. */
  readonly action: Action | undefined;
  /** Who sent it, once that is known. */
  readonly principal: Principal | undefined;
}

/** Writes one line for each request, and counts it. */
export class RequestReport {
  readonly #events: PublishEvents;
  readonly #log: Log;

  constructor(events: PublishEvents, log: Log) {
    this.#events = events;
    this.#log = log;
  }

  /** An answer has begun that goes on. */
  begun(reported: ReportedRequest): void {
    this.#count(reported, 200);
    if (reported.principal) this.#log.info(describe(reported), 'control request');
  }

  /** It is over, after so many items. */
  ended(reported: ReportedRequest, items: number): void {
    this.#log.info({ ...describe(reported), items }, 'control request ended');
  }

  /**
   * A request is answered, after so many bytes of body: debug, or info where its key is known and it is no publish; warn for a refused
   * POST or page or caller, error for our own fault.
   */
  answered(reported: ReportedRequest, answer: Answer, bytes: number | undefined): void {
    const { request, action, principal } = reported;
    const { status, code, message, detail, channel, items, cause, logged, limit } = answer;
    this.#count(reported, status);
    if (code) this.#events.rejected(code);
    if (limit !== undefined) this.#events.limited(limit);
    const isFault = request.method === 'POST' && !USUAL.has(code ?? '');
    if (code && (isFault || status === 401 || status === 403)) {
      const fields = {
        ...describe(reported),
        ...(isPageRefusal(code) && describePage(request)),
        status,
        code,
        bytes,
        answer: message,
        ...(detail !== undefined && { detail }),
        ...(channel !== undefined && { channel }),
        ...logged,
        err: cause,
      };
      if (status === 500) this.#log.error(fields, 'control request failed');
      else this.#log.warn(fields, 'control request refused');
    } else if (principal !== undefined && action !== 'publish') {
      this.#log.info({ ...describe(reported), status, code }, 'control request');
    } else if (this.#log.isDebug()) {
      this.#log.debug({ ...describe(reported), status, code, bytes, items: items?.length }, 'control request');
    }
  }

  #count({ action, principal }: ReportedRequest, status: number): void {
    if (action !== undefined) this.#events.requested(action, principal?.name ?? '', controlResult(status));
  }
}

function describe({ request, action, principal }: ReportedRequest): object {
  return { ...describeRequest(request), ...(principal && { action, key: principal.name, ...principal.described }) };
}

/** Refusals of a POST that say how things are: connections end all the time, and nobody has done anything wrong. */
const USUAL: ReadonlySet<string> = new Set(['ERR_CONTROL_CONNECTION', 'ERR_CONTROL_USER', 'ERR_CONTROL_GONE']);

function isPageRefusal(code: string): boolean {
  return code === 'ERR_CONTROL_PAGE' || code === 'ERR_CONTROL_HOST';
}

/** Characters of a path, or of a header field, in the log: as long as it may be, it need not be there. */
const MAX_LOGGED = 200;

/** Of every request. */
export function describeRequest({ method, url, socket }: ReportedRequest['request']): object {
  return { method, path: url === undefined ? undefined : withoutQuery(url), client: socket.remoteAddress };
}

/** By what a page, or a name that leads here, is found. */
function describePage({ headers }: ReportedRequest['request']): object {
  const { origin, host, referer } = headers;
  return {
    origin: origin?.slice(0, MAX_LOGGED),
    host: host?.slice(0, MAX_LOGGED),
    referer: referer === undefined ? undefined : withoutQuery(referer),
  };
}

/** Somebody may have put a key into the query, where it does not count. */
function withoutQuery(url: string): string {
  const at = url.indexOf('?');
  return at < 0 ? url.slice(0, MAX_LOGGED) : `${url.slice(0, Math.min(at, MAX_LOGGED))}?…`;
}
