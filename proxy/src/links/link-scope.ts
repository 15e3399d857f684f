/**
 * Owns: from where links are followed: the URL that they are relative to, and the route by which requests to the same
 * place go. Does not own: requests.
 */
import type { ClientRequest } from '../edge/edge.js';
import type { ClientStanding } from '../origin/forwarder.js';
import type { Route } from '../routes/route.js';

/** Where a connection stands when it names a link. */
export interface LinkScope {
  /** Absolute URL of the response that named the link. */
  readonly url: string;
  /** Absolute URL of the client's own request: what is at the same place may be asked for by its route. */
  readonly clientUrl: string;
  readonly route: Route;
  readonly standing: ClientStanding;
}

/** The scope of a client's own request. */
export function scopeOf(request: ClientRequest, route: Route, standing: ClientStanding): LinkScope {
  const host = request.host === '' ? 'localhost' : request.host;
  const url = `${standing.secure ? 'https' : 'http'}://${host}${request.path}`;
  return { url, clientUrl: url, route, standing };
}

/** An absolute URL, or undefined for one that is no http URL or none at all. */
export function resolveLink(uri: string, scope: LinkScope): string | undefined {
  try {
    const base = scope.url.replace(/^ws/, 'http');
    const url = new URL(uri, base);
    return url.protocol === 'http:' || url.protocol === 'https:' ? url.href : undefined;
  } catch {
    return undefined;
  }
}
