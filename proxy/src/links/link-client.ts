/**
 * Owns: requests that the proxy makes by itself to where an origin's links point: by the route that the client came by,
 * or over the network. Does not own: when they are made, or what their answers mean.
 */
import type { RawHeaders } from '@holdfast/grip';
import { Failover } from '../origin/failover.js';
import type { Forwarder } from '../origin/forwarder.js';
import type { Origin, OriginCall, OriginHandler } from '../origin/origin.js';
import type { Route } from '../routes/route.js';
import type { RouteTable } from '../routes/route-table.js';
import type { HttpTarget, Target } from '../routes/target.js';
import type { LinkScope } from './link-scope.js';

/** One request to a link. */
export interface LinkRequest {
  readonly method: 'GET' | 'POST';
  /** Absolute. */
  readonly url: string;
  /** Where the link was named. */
  readonly scope: LinkScope;
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
}

/**
 * Follows links. A link to the very scheme, host and port of the client's request goes by that request's route (if its
 * path is one of the route's), so that it reaches the same targets under the same rules; any other is requested at the
 * host that it names, signed like any request of the route, and never at a private address if the route's target is
 * untrusted.
 */
export class LinkClient {
  readonly #parts: LinkClientParts;

  constructor(parts: LinkClientParts) {
    this.#parts = parts;
  }

  /** Starts a request; the handler hears as from any origin. */
  send(link: LinkRequest, handler: OriginHandler): OriginCall {
    const url = new URL(link.url);
    const client = new URL(link.scope.clientUrl.replace(/^ws/, 'http'));
    const present = this.#parts.routes().current(link.scope.route);
    const isInternal =
      url.origin === client.origin && present !== undefined && url.pathname.startsWith(present.pathBeg);
    const route = isInternal ? present : outward(present ?? link.scope.route, url);
    const attempts = {
      repeatable: link.method === 'GET',
      replayable: true,
      send: (target: Target, attempt: OriginHandler) => this.#dispatch(link, url, route, target, attempt),
    };
    const call = new Failover(route.targets, attempts, handler);
    call.start();
    return call;
  }

  #dispatch(link: LinkRequest, url: URL, route: Route, target: Target, handler: OriginHandler): OriginCall {
    const { forwarder, originOf } = this.#parts;
    const request = { path: url.pathname + url.search, host: url.host, headers: link.headers, clientAddress: '' };
    const standing = { secure: url.protocol === 'https:', trusted: false };
    const forwarded = forwarder.forward(request, route, standing, target, link.lastIds);
    const body = link.body ?? null;
    return originOf(target, route, forwarded.host).dispatch({ method: link.method, body, ...forwarded }, handler);
  }
}

/** A route to the host of a URL: signed as the route's requests are, without its rewriting and its targets. */
function outward(route: Route, url: URL): Route {
  const ssl = url.protocol === 'https:';
  const target: HttpTarget = {
    kind: 'http',
    host: url.hostname.replace(/^\[|\]$/g, ''),
    port: url.port === '' ? (ssl ? 443 : 80) : Number(url.port),
    ssl,
    insecure: false,
    trustConnectHost: false,
    untrusted: route.targets.some((candidate) => candidate.kind === 'http' && candidate.untrusted),
    subs: [],
    overHttp: false,
    oneEvent: false,
  };
  const { replaceBeg: _, ...rest } = { ...route, pathRem: 0, asHost: undefined, headers: [], targets: [target] };
  return { ...rest, replaceBeg: undefined };
}
