/** The table of routes, immutable: which route a request takes. */
import { prefixWarnings } from './channel-name.js';
import type { Route } from './route.js';
import { withoutRoot } from './target.js';

/** What of a request decides its route. */
export interface RouteQuery {
  readonly proto: 'http' | 'ws';
  /** Lower case, without port; a dot of the root at its end counts for nothing. */
  readonly host: string;
  /** Encoded, in origin form; a query may follow. */
  readonly path: string;
  /** The client is on TLS, or `X-Forwarded-Proto` says so and is believed. */
  readonly secure: boolean;
  /** Value of `Pushpin-Route`, if `accept_pushpin_route` is on. Empty counts as absent. */
  readonly routeId?: string | undefined;
}

/**
 * The order in which matching routes win: one that names a protocol first, then the longest path, then one that names
 * `ssl`. The first match in this order is the result, so the order of lines means nothing. (Pushpin lets a later `ssl`
 * rule with a shorter path win; that is a fault of its scan.)
 */
function byPriority(a: Route, b: Route): number {
  return (
    Number(b.proto !== undefined) - Number(a.proto !== undefined) ||
    b.pathBeg.length - a.pathBeg.length ||
    Number(b.ssl !== undefined) - Number(a.ssl !== undefined)
  );
}

export class RouteTable {
  /** In the order given, without duplicates. */
  readonly routes: readonly Route[];
  /** `skipping duplicate condition …` for every route left out, and what is wrong with prefixes. */
  readonly warnings: readonly string[];
  readonly #byDomain = new Map<string, Route[]>();
  /** Those of stanzas. */
  readonly #byXmpp = new Map<string, Route[]>();
  readonly #byKey = new Map<string, Route>();
  /** Undefined: the id is shared, and so names none of its routes. */
  readonly #byExplicitId = new Map<string, Route | undefined>();

  constructor(routes: readonly Route[]) {
    const kept: Route[] = [];
    const warnings: string[] = [];
    for (const route of routes) {
      if (route.domain !== '' && this.#byKey.has(route.key)) {
        warnings.push(`skipping duplicate condition ${route.key}`);
        continue;
      }
      kept.push(route);
      this.#add(route);
    }
    for (const domain of this.#byDomain.values()) domain.sort(byPriority);
    for (const domain of this.#byXmpp.values()) domain.sort(byPriority);
    this.routes = kept;
    this.warnings = [...warnings, ...kept.flatMap(domainWarnings), ...prefixWarnings(kept)];
  }

  #add(route: Route): void {
    if (route.xmpp !== undefined) {
      this.#byKey.set(route.key, route);
      this.#byXmpp.set(route.xmpp, [...(this.#byXmpp.get(route.xmpp) ?? []), route]);
      return;
    }
    if (route.id !== undefined) this.#byExplicitId.set(route.id, this.#byExplicitId.has(route.id) ? undefined : route);
    if (route.domain === '') return;
    this.#byKey.set(route.key, route);
    const domain = this.#byDomain.get(route.domain);
    if (domain === undefined) this.#byDomain.set(route.domain, [route]);
    else domain.push(route);
  }

  /**
   * The route of a request; undefined means 502. A domain that any line names is served by its own lines only, never by
   * `*`. An id chooses a route without regard to its domain, protocol and `ssl`, but the path must fit; an unknown id
   * fits nothing. An id that several routes share fits nothing for HTTP and is disregarded for WebSockets.
   * Called for every request: allocates nothing.
   */
  match(query: RouteQuery): Route | undefined {
    const { routeId, path } = query;
    if (routeId !== undefined && routeId !== '') {
      const route = this.#byExplicitId.get(routeId);
      if (route !== undefined) return path.startsWith(route.pathBeg) ? route : undefined;
      if (query.proto === 'http' || !this.#byExplicitId.has(routeId)) return undefined;
    }
    const domain = this.#byDomain.get(withoutRoot(query.host)) ?? this.#byDomain.get('*');
    if (domain === undefined) return undefined;
    for (const route of domain) {
      if (route.proto !== undefined && route.proto !== query.proto) continue;
      if (route.ssl !== undefined && route.ssl !== query.secure) continue;
      if (path.startsWith(route.pathBeg)) return route;
    }
    return undefined;
  }

  /** The route of a stanza for this domain of ours, in lower case: the one with the longest `path_beg` that the path begins with. */
  matchStanza(domain: string, path: string): Route | undefined {
    return this.#byXmpp.get(domain)?.find(({ pathBeg }) => path.startsWith(pathBeg));
  }

  /** Whether any line could take a request for this host, in lower case, if its path, protocol and TLS fitted. */
  serves(host: string): boolean {
    return this.#byDomain.has(withoutRoot(host)) || this.#byDomain.has('*');
  }

  /** Whether a line names this domain, in lower case; `*` is no name. */
  hasDomain(domain: string): boolean {
    return domain !== '*' && this.#byDomain.has(withoutRoot(domain));
  }

  /** The route with this explicit id, if no other has it, or else with this generated key. */
  byId(id: string): Route | undefined {
    return this.#byExplicitId.get(id) ?? this.#byKey.get(id);
  }

  /**
   * What has become of a route of an earlier table: for retries and link requests, which must not use targets that are
   * gone. Undefined when neither its id nor its condition is in this table.
   */
  current(route: Route): Route | undefined {
    return (route.id === undefined ? undefined : this.#byExplicitId.get(route.id)) ?? this.#byKey.get(route.key);
  }
}

/** Pushpin takes such a domain too, and never finds it. */
function domainWarnings({ domain, key }: Route): string[] {
  const [host = '', ...path] = domain.split('/');
  const never = `route ${key}: no request has the domain '${domain}'`;
  if (path.length > 0) return [`${never}: for a path write ${host || '*'},path_beg=/${path.join('/')}`];
  return /^[^:]+:\d+$/.test(domain) ? [`${never}: routes have names without a port`] : [];
}
