/**
 * Owns: requests that the proxy makes by itself to where the links of an origin lead. Does not own: where that is
 * (`link-place`), when they are made, or what their answers mean.
 */
import type { Log } from '@holdfast/control-api';
import type { RawHeaders } from '@holdfast/grip';
import type { OriginError } from '../origin/errors.js';
import { Failover } from '../origin/failover.js';
import type { Forwarder } from '../origin/forwarder.js';
import type { Origin, OriginCall, OriginHandler } from '../origin/origin.js';
import type { Route } from '../routes/route.js';
import type { RouteTable } from '../routes/route-table.js';
import type { Target } from '../routes/target.js';
import type { Troubles } from '../troubles.js';
import { type LinkPlace, placeOf } from './link-place.js';
import type { LinkScope } from './link-scope.js';

/** A place that may be asked. */
export type AskedPlace = Exclude<LinkPlace, { kind: 'nowhere' }>;

/** One request to a link. */
export interface LinkRequest {
  readonly method: 'GET' | 'POST';
  /** Of the routes in force at this moment. */
  readonly place: AskedPlace;
  /** Further header fields. None of the client's goes along. */
  readonly headers: RawHeaders;
  /** Sent as `Grip-Last`. */
  readonly lastIds?: ReadonlyMap<string, string>;
  readonly body?: Buffer;
}

/** What the client of links is given. */
export interface LinkClientParts {
  readonly forwarder: Forwarder;
  readonly originOf: (target: Target, route: Route, host: string) => Origin;
  readonly routes: () => RouteTable;
  readonly log: Log;
  /** Left out: failures are told by what they lead to. */
  readonly troubles?: Troubles | undefined;
}

/** Follows links. Requests to targets are signed like any request of their route, others are not. */
export class LinkClient {
  readonly #parts: LinkClientParts;
  /** Routes of which the log has said that a link of theirs leads nowhere. */
  readonly #told = new WeakSet<Route>();

  constructor(parts: LinkClientParts) {
    this.#parts = parts;
  }

  /** Where a link leads now. A route whose link leads nowhere is named in the log, once until the routes are reloaded. */
  place(uri: string, scope: LinkScope): LinkPlace {
    const table = this.#parts.routes();
    const place = placeOf(uri, scope, table);
    if (place.kind === 'nowhere') this.#tell(place.url, place.reason, table.current(scope.route) ?? scope.route);
    return place;
  }

  /** Starts a request; the handler hears as from any origin. */
  send(link: LinkRequest, handler: OriginHandler): OriginCall {
    const { targets } = link.place.route;
    const attempts = {
      repeatable: link.method === 'GET',
      replayable: true,
      send: (target: Target, attempt: OriginHandler) => this.#dispatch(link, target, attempt),
      failed: (target: Target, error: OriginError) =>
        this.#parts.troubles?.targetFailed({ id: undefined, route: link.place.route, target }, error),
    };
    const call = new Failover(targets, attempts, handler);
    call.start();
    return call;
  }

  #dispatch(link: LinkRequest, target: Target, handler: OriginHandler): OriginCall {
    const { forwarder, originOf } = this.#parts;
    const { kind, route, secure } = link.place;
    const { pathname, search, host } = new URL(link.place.url);
    const unsigned = kind === 'host';
    const request = { path: pathname + search, host, headers: [], clientAddress: '', unsigned };
    const forwarded = forwarder.forward(request, route, { secure, trusted: false }, target, link.lastIds);
    forwarded.headers.push(...link.headers);
    const body = link.body ?? null;
    return originOf(target, route, forwarded.host).dispatch({ method: link.method, body, ...forwarded }, handler);
  }

  #tell(url: string, reason: string, route: Route): void {
    const { log } = this.#parts;
    const line = { route: route.id ?? route.key, url };
    const text = `link not followed: ${reason}`;
    if (this.#told.has(route)) log.debug(line, text);
    else log.warn(line, text);
    this.#told.add(route);
  }
}
