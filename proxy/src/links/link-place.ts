/**
 * Owns: where a link may lead: by a route, straight to a target, to a host of the route's list, or nowhere. The one place
 * that decides it, and no name that a client sent is ever looked up for it. Does not own: the request.
 */
import { withoutRoot } from '../routes/host-name.js';
import type { Route } from '../routes/route.js';
import type { RouteTable } from '../routes/route-table.js';
import { describeHost, type HttpTarget, type Target } from '../routes/target.js';
import type { LinkScope } from './link-scope.js';

/**
 * Where a link leads. `route`: by routing, as a client's request would go. `target`: to the targets of a route, with the
 * path as the origin wrote it. `host`: over the network, to a host of `link_hosts`: nothing is signed. `nowhere`: nothing
 * is asked; `reason` is for people.
 */
export type LinkPlace =
  | {
      readonly kind: 'route' | 'target' | 'host';
      readonly url: string;
      /** With what the request is made: its targets are those to ask, its rewriting that of the path. */
      readonly route: Route;
      /** The request counts as one that came over TLS. */
      readonly secure: boolean;
    }
  | { readonly kind: 'nowhere'; readonly url: string; readonly reason: string };

/** What is asked, as far as it decides who is. */
interface Link {
  readonly url: URL;
  /** It names no host. */
  readonly isRelative: boolean;
}

/** A name that nobody has (RFC 6761 §6.4): a link without a host is resolved to it. */
const NOBODY = 'nobody.invalid';

/**
 * Decides on a link, in this order:
 *
 * 1. It is on the site of the client's request (the same host, and its port or the default one): see {@link onSite}.
 * 2. It names a target of the route, by its address, its `host` or the route's `as_host`: to that target.
 * 3. It is relative and a target has named it: the same as on the site.
 * 4. Its host is the domain of a route of ours: by that route.
 * 5. Its host is one of the route's `link_hosts`: over the network.
 *
 * Anything else leads nowhere.
 */
export function placeOf(uri: string, scope: LinkScope, table: RouteTable): LinkPlace {
  const link = parse(uri, scope.url);
  if (link === undefined) return { kind: 'nowhere', url: uri, reason: 'it is no HTTP URL' };
  const { url, isRelative } = link;
  const client = new URL(scope.clientUrl);
  if (isSite(url, client)) return onSite(link, scope, table);
  const own = table.current(scope.route);
  const asked = scope.asked === undefined ? undefined : table.current(scope.asked);
  const target = own && targetNamed(url, own);
  if (own !== undefined && target !== undefined) return toTargets(url, own, target, scope.standing.secure);
  if (isRelative && scope.asked !== undefined) return onSite(link, scope, table);
  if ((url.port === '' || url.port === client.port) && table.hasDomain(hostName(url))) {
    return byTable(url, asked ?? own ?? scope.route, table) ?? nowhere(url, 'no route leads there');
  }
  if (own?.linkHosts.some((host) => isHost(url, host))) return { kind: 'host', ...outward(url, own) };
  return nowhere(url, 'its host is no target, no domain of a route, and none of the link_hosts of the route');
}

/** The scope of the answer of a place: for the links that it names. */
export function scopeAt(place: Exclude<LinkPlace, { kind: 'nowhere' }>, scope: LinkScope): LinkScope {
  const { kind, url, route } = place;
  const target = kind === 'target' ? route.targets[0] : undefined;
  return { ...scope, url, asked: kind === 'host' ? undefined : route, target };
}

/**
 * On the site of the client: within the path of the route that was asked by that route, rewritten like the client's own
 * request. Elsewhere an absolute link goes by the route of its path, as it would from outside. What is left, and a relative
 * link always, is a path as the origin sees it: it goes to the target that answered, as it is.
 */
function onSite({ url, isRelative }: Link, scope: LinkScope, table: RouteTable): LinkPlace {
  const asked = table.current(scope.asked ?? scope.route);
  const secure = url.protocol === 'https:';
  if (asked !== undefined && url.pathname.startsWith(asked.pathBeg)) {
    return { kind: 'route', url: url.href, route: asked, secure };
  }
  const routed = isRelative && asked !== undefined ? undefined : byTable(url, asked ?? scope.route, table);
  if (routed !== undefined) return routed;
  if (asked !== undefined) return toTargets(url, asked, scope.target, secure);
  return nowhere(url, 'its route is not in force any more');
}

/** By the route of its host and path; `asked` is whose answer named it. */
function byTable(url: URL, asked: Route, table: RouteTable): LinkPlace | undefined {
  const secure = url.protocol === 'https:';
  const path = url.pathname + url.search;
  const route = table.match({ proto: 'http', host: hostName(url), path, secure });
  if (route === undefined) return undefined;
  // An origin that is not trusted gets to no private address by a detour either.
  const kept = isUntrusted(asked) && route.key !== asked.key ? distrusted(route) : route;
  return { kind: 'route', url: url.href, route: kept, secure };
}

/** To the targets of a route, the one given first, with the path as it is. */
function toTargets(url: URL, route: Route, first: Target | undefined, secure: boolean): LinkPlace {
  const key = first && targetKey(first);
  const [named, others] = [true, false].map((is) => route.targets.filter((one) => (targetKey(one) === key) === is));
  const targets = [...(named ?? []), ...(others ?? [])];
  // The path prefix is left out, too: the test target would take it off.
  return {
    kind: 'target',
    url: url.href,
    route: { ...route, pathBeg: '', pathRem: 0, replaceBeg: undefined, targets },
    secure,
  };
}

/** To a host of the list, without anything that a route does for its targets. */
function outward(url: URL, route: Route): { url: string; route: Route; secure: boolean } {
  const ssl = url.protocol === 'https:';
  const target: HttpTarget = {
    kind: 'http',
    host: hostName(url),
    port: portOf(url),
    ssl,
    insecure: false,
    trustConnectHost: false,
    untrusted: isUntrusted(route),
    subs: [],
    overHttp: false,
    oneEvent: false,
  };
  const plain = { pathBeg: '', pathRem: 0, replaceBeg: undefined, asHost: undefined, headers: [], targets: [target] };
  return { url: url.href, route: { ...route, ...plain }, secure: false };
}

function nowhere(url: URL, reason: string): LinkPlace {
  return { kind: 'nowhere', url: url.href, reason };
}

/** Undefined for what is no http URL, or none at all. */
function parse(uri: string, base: string): Link | undefined {
  try {
    const from = new URL(base.replace(/^ws/, 'http'));
    const url = new URL(uri, from);
    if (url.protocol !== 'http:' && url.protocol !== 'https:') return undefined;
    // Whether it names a host is for the parser to say: `\\host`, `/\t/host` and `http:path` are not what they look like.
    return { url, isRelative: new URL(uri, `${from.protocol}//${NOBODY}${from.pathname}`).hostname === NOBODY };
  } catch {
    return undefined;
  }
}

function isSite(url: URL, client: URL): boolean {
  const isSame = withoutRoot(url.hostname) === withoutRoot(client.hostname);
  return isSame && (url.port === '' || url.port === client.port);
}

/** The target that the host of a URL stands for: its address, or a name by which its origin knows itself. */
function targetNamed(url: URL, route: Route): Target | undefined {
  const ssl = url.protocol === 'https:';
  const find = (named: (target: HttpTarget) => boolean) =>
    route.targets.find((target) => target.kind === 'http' && named(target));
  return (
    find((target) => target.ssl === ssl && sameAuthority(url, describeHost(target))) ??
    find((target) => sameAuthority(url, target.hostHeader ?? route.asHost))
  );
}

/** Whether a URL is of this `host[:port]`; without a port, of the default one. */
function sameAuthority(url: URL, authority: string | undefined): boolean {
  const named = `${url.protocol}//${authority}`;
  return authority !== undefined && URL.canParse(named) && new URL(named).host === url.host;
}

/** Whether a URL is of a host of a list; without a port, of any port of it. */
function isHost(url: URL, { host, port }: Route['linkHosts'][number]): boolean {
  return hostName(url) === host && (port === undefined || port === portOf(url));
}

/** In lower case, IPv6 addresses without brackets, as routes have it. */
function hostName({ hostname }: URL): string {
  return hostname.replace(/^\[|\]$/g, '');
}

function portOf({ port, protocol }: URL): number {
  return port === '' ? (protocol === 'https:' ? 443 : 80) : Number(port);
}

function targetKey(target: Target): string {
  return target.kind === 'test' ? 'test' : `${describeHost(target)} ${target.ssl} ${target.hostHeader}`;
}

function isUntrusted({ targets }: Route): boolean {
  return targets.some((target) => target.kind === 'http' && target.untrusted);
}

function distrusted(route: Route): Route {
  return { ...route, targets: route.targets.map((one) => (one.kind === 'http' ? { ...one, untrusted: true } : one)) };
}
