/**
 * Owns: from where links are followed: the URL that they are relative to, and whose answer named them. Does not own:
 * where they lead (`link-place`), or requests.
 */
import type { ClientRequest } from '../edge/port.js';
import type { ClientTrust } from '../origin/forwarder.js';
import type { Route } from '../routes/route.js';
import type { Target } from '../routes/target.js';

/** Where a connection stands when it names a link. */
export interface LinkScope {
  /** Absolute URL of the response that named the link. Its host may be a word of the client: no name to look up. */
  readonly url: string;
  /** Whose view of the site its path is: as the client named it, before the route rewrites it, or as the origin saw it. */
  readonly view: 'client' | 'origin';
  /** Absolute URL of the client's own request. Its host is a word of the client: no name to look up. */
  readonly clientUrl: string;
  /** The client's route: whose channels, key and `link_hosts` count. */
  readonly route: Route;
  readonly standing: ClientTrust;
  /** The route by which the response was asked for; undefined when it came from one of the `link_hosts`. */
  readonly asked: Route | undefined;
  /** Its target that answered, where that is known. */
  readonly target?: Target | undefined;
}

/** The scope of the answer to a client's own request. */
export function scopeOf(request: ClientRequest, route: Route, standing: ClientTrust, target?: Target): LinkScope {
  const scheme = standing.secure ? 'https' : 'http';
  const named = `${scheme}://${request.host === '' ? 'localhost' : request.host}${request.path}`;
  // A host that no URL can have does not keep links from leading to the origin.
  const url = URL.canParse(named) ? named : `${scheme}://localhost${request.path}`;
  return { url, view: 'client', clientUrl: url, route, standing, asked: route, target };
}
