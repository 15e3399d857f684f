/** Requests that the proxy itself makes to where the links of an origin lead. */
import { CauseLog, type Containment, type Log, uncontained } from '@holdfast/control-api';
import { type GoneLink, headerValue, type RawHeaders } from '@holdfast/grip';
import { DecodedAnswer } from '../decoding/decoded-answer.js';
import type { RequestMarks } from '../edge/port.js';
import type { Forwarder } from '../origin/forwarder.js';
import type { AnswerSink, Origin, OriginCall, OriginHandler } from '../origin/port.js';
import { send, type TargetRequest } from '../origin/send.js';
import { marksOf, type OriginWarnings } from '../origin/warnings.js';
import type { Route } from '../routes/route.js';
import type { RouteTable } from '../routes/route-table.js';
import type { Target } from '../routes/target.js';
import type { Clock } from '../runtime/clock.js';
import { dispatchTraced, type OriginTraces } from '../tracing/origin-traces.js';
import { type LinkPlace, placeOf } from './link-place.js';
import type { LinkScope } from './link-scope.js';

/**
 * Most bytes of an answer that are read, so that its connection can be used again; with more it is broken off.
 *
 * @limit {} bytes of the answer to a gone link
 * @over it is broken off
 */
export const ANSWER_MAX = 100_000;

/** A place that may be asked. */
export type AskedPlace = Exclude<LinkPlace, { kind: 'nowhere' }>;

/** One request to a link. */
export interface LinkRequest {
  /** Names the client's request that it is made for; of a request made for several, that of the first. */
  readonly marks: RequestMarks;
  /** It is made for an item and one of its subscribers, of which there may be many: it has no span. */
  readonly isPerItem?: true;
  readonly method: 'GET' | 'POST';
  /** Of the routes in force at this moment. */
  readonly place: AskedPlace;
  /** Further header fields. None of the client's goes along. */
  readonly headers: RawHeaders;
  /** Sent as `Grip-Last`. */
  readonly lastIds?: ReadonlyMap<string, string>;
  readonly body?: Buffer;
}

export interface LinkClientDeps {
  readonly forwarder: Forwarder;
  readonly originOf: (target: Target, route: Route, host: string) => Origin;
  readonly routes: () => RouteTable;
  readonly clock: Clock;
  readonly log: Log;
  /** Left out: nothing is contained. */
  readonly faults?: Containment;
  /** Left out: no spans are recorded. */
  readonly originTraces?: OriginTraces | undefined;
  /** Left out: failures are visible by their effects. */
  readonly warnings?: OriginWarnings | undefined;
}

/** Follows links. Requests to targets are signed like any request of their route, others are not. */
export class LinkClient {
  readonly #deps: LinkClientDeps;
  readonly #causes: CauseLog;

  constructor(deps: LinkClientDeps) {
    this.#deps = deps;
    this.#causes = new CauseLog(deps.log, deps.clock);
  }

  /** Where a link leads now. One that leads nowhere is named in the log. */
  place(uri: string, scope: LinkScope): LinkPlace {
    const table = this.#deps.routes();
    const place = placeOf(uri, scope, table);
    if (place.kind === 'nowhere') this.warn(`link not followed: ${place.reason}`, place.url, scope);
    return place;
  }

  /** Logs what is wrong with a link, once per second for each route and text. */
  warn(text: string, url: string, { route, requestId, trace }: LinkScope, error?: Error): void {
    const name = route.id ?? route.key;
    this.#causes.warn(
      `${name} ${text}`,
      { route: name, url, ...marksOf({ requestId, trace }), ...(error && { err: error }) },
      text,
    );
  }

  /** As `send`, for an answer that is read: its body comes decoded. */
  read(link: LinkRequest, handler: OriginHandler): OriginCall {
    const answer = new DecodedAnswer(handler, this.#deps.faults ?? uncontained);
    return answer.start((outer) => this.send(link, outer));
  }

  /** Starts a request; the handler is called as by any origin. */
  send(link: LinkRequest, handler: OriginHandler): OriginCall {
    const { place, marks } = link;
    const { route } = place;
    const request: TargetRequest = {
      repeatable: link.method === 'GET',
      replayable: true,
      dispatch: (target, attempt) => this.#dispatch(link, target, attempt),
      targetFailed: (target, error) =>
        this.#deps.warnings?.targetFailed({ id: undefined, route, target, marks }, error),
    };
    return send(route.targets, request, handler);
  }

  #dispatch(link: LinkRequest, target: Target, handler: OriginHandler): OriginCall {
    const { forwarder, originOf } = this.#deps;
    const { kind, route, secure } = link.place;
    const { pathname, search, host } = new URL(link.place.url);
    const unsigned = kind === 'host';
    const { method, marks, isPerItem } = link;
    const path = pathname + search;
    const traces = isPerItem ? undefined : this.#deps.originTraces;
    const span = traces?.begin({ method, path, route, target, marks, isLater: true });
    const about = { requestId: marks.requestId, trace: span ?? marks.trace };
    const request = { path, host, headers: [], clientAddress: '', unsigned, ...about };
    const forwarded = forwarder.forward(request, route, { secure, trusted: false }, target, link.lastIds);
    forwarded.headers.push(...link.headers);
    // The answer is for us: what it is compressed for would be undone here. A route's `header=` may say otherwise.
    if (headerValue(forwarded.headers, 'accept-encoding') === undefined) {
      forwarded.headers.push('Accept-Encoding', 'identity');
    }
    const asked = { method, body: link.body ?? null, ...forwarded };
    const origin = originOf(target, route, forwarded.host);
    return span === undefined ? origin.dispatch(asked, handler) : dispatchTraced(span, origin, asked, handler);
  }
}

/**
 * Reports to an origin that a connection that it held is over (GRIP `rel=gone`): posts to the link once, with an empty body, if it
 * leads anywhere. The answer is not used, and a failure only logged.
 */
export function reportGone(link: GoneLink, scope: LinkScope, client: LinkClient): void {
  const place = client.place(link.uri, scope);
  if (place.kind === 'nowhere') return;
  let bytes = 0;
  const handler: OriginHandler & AnswerSink = {
    onInformation() {},
    onHead: ({ status }) => {
      if (status > 299) client.warn(`gone link not taken: it was answered ${status}`, place.url, scope);
      return handler;
    },
    onData: (chunk) => {
      bytes += chunk.length;
      if (bytes > ANSWER_MAX) call.abort();
      return true;
    },
    onEnd() {},
    onError: (error) => client.warn(`gone link not delivered: ${error.message}`, place.url, scope, error),
  };
  const call = client.send({ marks: scope, method: 'POST', place, headers: [], body: Buffer.alloc(0) }, handler);
}
