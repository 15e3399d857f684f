/** Where a link may lead: by a route, straight to a target, to a host of the route's list, or nowhere. */
import { type Route, rewritePath } from '../routes/route.js';
import type { RouteTable } from '../routes/route-table.js';
import { describeHost, type HttpTarget, type Target, withoutRoot } from '../routes/target.js';
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

/** The parts of a link that decide where it leads. */
interface Link {
  /** As the origin wrote it. */
  readonly uri: string;
  readonly url: URL;
  /** It names no host. */
  readonly isRelative: boolean;
}

/** A name that nobody has (RFC 6761 §6.4): a link without a host is resolved to it. */
const NOBODY = 'nobody.invalid';

/**
 * The one place that decides on a link. No name that a client sent is ever looked up for it. In this order:
 *
 * 1. It is on the site of the client's request (the same host, and its port or a default one): see {@link onSite}.
 * 2. It names a target of the route as its origin may know itself, see {@link targetNamed}: to that target.
 * 3. It is relative and a target has named it: the same as on the site.
 * 4. Its host is the domain of a route of ours: by that route.
 * 5. Its host is one of the route's `link_hosts`: over the network.
 *
 * Anything else leads nowhere, and so does a link to another route that asks clients for certificates.
 */
export function placeOf(uri: string, scope: LinkScope, table: RouteTable): LinkPlace {
  const place = placeFor(uri, scope, table);
  if (place.kind !== 'route' || !place.route.clientCert) return place;
  // Our own request would get in where a client without a certificate does not.
  const own = [scope.route, ...(scope.asked === undefined ? [] : [scope.asked])].map((route) => table.current(route));
  if (own.includes(place.route)) return place;
  return { kind: 'nowhere', url: place.url, reason: 'the route that leads there asks clients for certificates' };
}

function placeFor(uri: string, scope: LinkScope, table: RouteTable): LinkPlace {
  const link = parse(uri, scope.url);
  if (link === undefined) return { kind: 'nowhere', url: uri, reason: 'it is no HTTP URL' };
  const { url, isRelative } = link;
  const client = new URL(scope.clientUrl);
  if (isSite(url, client)) return onSite(link, scope, table);
  const own = table.current(scope.route);
  const asked = scope.asked === undefined ? undefined : table.current(scope.asked);
  const target = own && targetNamed(url, own, client);
  if (own !== undefined && target !== undefined) return toTargets(url, own, target, scope.secure);
  if (isRelative && scope.asked !== undefined) return onSite(link, scope, table);
  if ((url.port === '' || url.port === client.port) && table.hasDomain(hostName(url))) {
    const secure = url.protocol === 'https:';
    return byTable(url, asked ?? own ?? scope.route, table, secure) ?? nowhere(url, 'no route leads there');
  }
  if (own?.linkHosts.some((host) => isHost(url, host))) return { kind: 'host', ...outward(url, own) };
  return nowhere(url, 'its host is no target, no domain of a route, and none of the link_hosts of the route');
}

/** The scope of the answer of a place: for the links that it names. */
export function scopeAt(place: Exclude<LinkPlace, { kind: 'nowhere' }>, scope: LinkScope): LinkScope {
  const { kind, url, route } = place;
  const target = kind === 'target' ? route.targets[0] : undefined;
  return {
    ...scope,
    url,
    view: kind === 'route' ? 'client' : 'origin',
    asked: kind === 'host' ? undefined : route,
    target,
  };
}

/**
 * On the site of the client. A path may be as the client sees the site: then it goes by the route that was asked, rewritten
 * like the client's own request. Or as the origin sees it, which knows nothing of the rewriting: then it goes to the target
 * that answered, as it is. Or, if the link is absolute, that of another route, by which it goes as it would from outside. Each
 * of them has a prefix, and the longest that fits decides. Where none does, an absolute link goes by the route of its path,
 * and what is left to the target that answered.
 */
function onSite(link: Link, scope: LinkScope, table: RouteTable): LinkPlace {
  const { url, isRelative } = link;
  const asked = table.current(scope.asked ?? scope.route);
  // An origin behind a TLS terminator may not know of it.
  const secure = url.protocol === 'https:' || scope.secure;
  if (asked === undefined) {
    return byTable(url, scope.route, table, secure) ?? nowhere(url, 'its route is not in force any more');
  }
  const inClients = lengthIn(clientPrefix(asked, scope), url);
  const inOrigins = lengthIn(originPrefix(asked), url);
  if (inClients >= Math.max(inOrigins, 0)) return { kind: 'route', url: url.href, route: asked, secure };
  const routed = isRelative ? undefined : byTable(url, asked, table, secure);
  if (routed !== undefined && routed.route.pathBeg.length > inOrigins) return routed;
  return toTargets(asSeen(link, asked, scope), asked, scope.target, secure);
}

/** How much of the path of a URL a prefix is; -1 where it is none of it. */
function lengthIn(prefix: string | undefined, { pathname }: URL): number {
  return prefix !== undefined && pathname.startsWith(prefix) ? prefix.length : -1;
}

/** What all paths begin with that go by a route, as clients name them: what the rewriting takes away, and `path_beg`. */
function clientPrefix(route: Route, { url, view, clientUrl, route: own }: LinkScope): string {
  const { pathBeg, pathRem, replaceBeg } = route;
  const named = route.key === own.key ? clientUrl : view === 'client' ? url : undefined;
  if (named === undefined || replaceBeg !== undefined || pathRem <= pathBeg.length) return pathBeg;
  return new URL(named).pathname.slice(0, pathRem);
}

/** What paths begin with as the origin sees them; undefined where it sees them as clients do. */
function originPrefix({ pathRem, replaceBeg }: Route): string | undefined {
  if (replaceBeg === undefined) return pathRem === 0 ? undefined : '';
  return replaceBeg === '' || replaceBeg.startsWith('/') ? replaceBeg : `/${replaceBeg}`;
}

/** The URL of a link as its origin means it: relative to what that was asked for, not to what the client named. */
function asSeen({ url, uri, isRelative }: Link, asked: Route, scope: LinkScope): URL {
  if (!isRelative || scope.view === 'origin') return url;
  const { origin, pathname, search } = new URL(scope.url);
  return new URL(uri, origin + rewritePath(asked, pathname + search));
}

/** By the route of its host and path; `asked` is whose answer named it. */
function byTable(
  url: URL,
  asked: Route,
  table: RouteTable,
  secure: boolean,
): Exclude<LinkPlace, { kind: 'nowhere' }> | undefined {
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
    return { uri, url, isRelative: new URL(uri, `${from.protocol}//${NOBODY}${from.pathname}`).hostname === NOBODY };
  } catch {
    return undefined;
  }
}

/** An origin may know neither the port to which its clients connect, nor that they use TLS. */
function isSite(url: URL, client: URL): boolean {
  if (withoutRoot(url.hostname) !== withoutRoot(client.hostname)) return false;
  return url.port === '' || portOf(url) === portOf(client) || (client.port === '' && isUsual(url));
}

/**
 * The target that the host of a URL means: its address, or the name by which its origin knows itself, since it gets it as Host.
 * Without an exact match, a target whose origin has the scheme or the port wrong: it may write its own port behind its address or
 * its name, and no port, or a usual one, behind its name.
 */
function targetNamed(url: URL, route: Route, client: URL): Target | undefined {
  const ssl = url.protocol === 'https:';
  const find = (named: (target: HttpTarget) => boolean) =>
    route.targets.find((target) => target.kind === 'http' && named(target));
  const nameOf = ({ hostHeader }: HttpTarget) => hostHeader ?? route.asHost;
  return (
    find((target) => target.ssl === ssl && sameAuthority(url, describeHost(target))) ??
    find((target) => sameAuthority(url, nameOf(target))) ??
    find((target) => portOf(url) === target.port && sameHost(url, describeHost(target))) ??
    find((target) => (isUsual(url) || portOf(url) === target.port) && sameHost(url, nameOf(target))) ??
    find((target) => portOf(url) === target.port && nameOf(target) === undefined && url.hostname === client.hostname)
  );
}

/** Whether a URL has no port, or that which HTTP or HTTPS has without one. */
function isUsual(url: URL): boolean {
  return [80, 443].includes(portOf(url));
}

/** Whether a URL is of the host of this `host[:port]`, whatever the port. */
function sameHost({ hostname }: URL, authority: string | undefined): boolean {
  const named = `http://${authority}`;
  return authority !== undefined && URL.canParse(named) && new URL(named).hostname === hostname;
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
  return target.kind === 'http' ? `${describeHost(target)} ${target.ssl} ${target.hostHeader}` : target.kind;
}

function isUntrusted({ targets }: Route): boolean {
  return targets.some((target) => target.kind === 'http' && target.untrusted);
}

function distrusted(route: Route): Route {
  return { ...route, targets: route.targets.map((one) => (one.kind === 'http' ? { ...one, untrusted: true } : one)) };
}
