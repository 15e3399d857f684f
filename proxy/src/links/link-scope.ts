/** From where links are followed: the URL that they are relative to, and whose answer named them. */
import type { ClientRequest, RequestMarks } from '../edge/port.js';
import type { ClientTrust } from '../origin/forwarder.js';
import type { Route } from '../routes/route.js';
import type { Target } from '../routes/target.js';

/** What a link is relative to, and who named it. */
export interface LinkScope extends RequestMarks {
  /** Absolute URL of the response that named the link. Its host may come from the client: no name to look up. */
  readonly url: string;
  /** Whose view of the site its path is: as the client named it, before the route rewrites it, or as the origin saw it. */
  readonly view: 'client' | 'origin';
  /** Absolute URL of the client's own request. Its host comes from the client: no name to look up. */
  readonly clientUrl: string;
  /** The client's route: whose channels, key and `link_hosts` count. */
  readonly route: Route;
  /** The client's connection counts as TLS. */
  readonly secure: boolean;
  /** The route by which the response was asked for; undefined when it came from one of the `link_hosts`. */
  readonly asked: Route | undefined;
  /** Its target that answered, where that is known. */
  readonly target?: Target | undefined;
}

/** The scope of the answer to a client's own request. */
export function scopeOf(request: ClientRequest, route: Route, { secure }: ClientTrust, target?: Target): LinkScope {
  const scheme = secure ? 'https' : 'http';
  const named = `${scheme}://${request.host === '' ? 'localhost' : request.host}${request.path}`;
  // A host that no URL can have does not keep links from leading to the origin.
  const url = URL.canParse(named) ? named : `${scheme}://localhost${request.path}`;
  const { requestId, trace } = request;
  return { url, view: 'client', clientUrl: url, route, secure, asked: route, target, requestId, trace };
}
