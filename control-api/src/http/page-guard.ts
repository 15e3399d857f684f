/**
 * Refuses requests of web pages at listeners that are for programs and operators.
 *
 * A browser sends what any page asks it to, also to this machine and to the network behind a firewall: a POST with text/plain
 * without asking first, and anything at all once the page's own name has been moved to our address (DNS rebinding). What it
 * cannot do is to hide that: it names the page in Origin or Sec-Fetch-Site, and the moved name in Host.
 */
import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from 'node:http';
import { BlockList, isIP } from 'node:net';
import { type Answer, foreignHost, foreignPage, granted } from './answer.js';

const loopback = new BlockList();
loopback.addSubnet('127.0.0.0', 8, 'ipv4');
loopback.addAddress('::1', 'ipv6');

/** Whether a numeric address, IPv6 without brackets, leads to this machine only. Names are no addresses. */
export function isLoopbackAddress(host: string): boolean {
  const family = isIP(host);
  return family !== 0 && loopback.check(host, family === 4 ? 'ipv4' : 'ipv6');
}

/** How long a browser may keep what a preflight granted: no longer than an operator waits who takes an origin off the list. */
const PREFLIGHT_SECONDS = 60;

/** Fields that pages may send: those that the control API reads and a page must ask for. */
const TAKEN = 'Authorization, X-API-Key, Fastly-Key, Content-Type, Content-Encoding';

/** Fields of answers that pages may read. */
const EXPOSED = 'Retry-After, WWW-Authenticate, RateLimit, RateLimit-Policy, Allow';

const label = /^[a-z][a-z0-9_-]*$/;

/** What a browser sends for its own address bar, and of a page of the listener itself. */
const ownSites: ReadonlySet<string> = new Set(['none', 'same-origin']);

/** Origins of pages (RFC 6454) that may use a listener although they are others' pages. */
export interface OriginList {
  /** `origin` is what Origin says, of any length and form; `null` must never be allowed. */
  allows(origin: string): boolean;
}

const noOrigins: OriginList = { allows: () => false };

/**
 * Looks at each request of one listener. Refused are requests of pages that the listener has not served itself, unless `origins`
 * has them; on a loopback listener, and where names are listed, those for any host but addresses, `localhost` and these names. Where
 * none are listed, programs may use names without a dot on loopback, and any name elsewhere; browsers may not. Addresses always
 * pass: a probe has no name, and rebinding needs one. Ports are not looked at, as tunnels have their own. Requests without Host
 * pass: no browser sends them.
 */
export class PageGuard {
  readonly #names: ReadonlySet<string>;
  /** What other names programs may use; browsers none. */
  readonly #others: 'none' | 'labels' | 'all';
  readonly #origins: OriginList;
  /** Publishers send the same one all the time. */
  #knownHost = '';

  /**
   * `address` is what the listener is bound to, `bound` the name of it in the configuration, and `names` are those under which
   * it is also reached; case is ignored.
   */
  constructor(address: string, names: readonly string[], bound = address, origins: OriginList = noOrigins) {
    this.#others = names.length > 0 ? 'none' : isLoopbackAddress(address) ? 'labels' : 'all';
    this.#names = new Set(['localhost', nameIn(bound), ...names.map(nameIn)]);
    this.#origins = origins;
  }

  /** The refusal, if there is one. */
  check(headers: IncomingHttpHeaders): Answer | undefined {
    const { host, origin, 'sec-fetch-site': site } = headers;
    // Only a page that names itself can be one that is allowed.
    const isAllowed = origin !== undefined && this.#origins.allows(origin);
    if (site !== undefined && !ownSites.has(site as string) && !isAllowed) return foreignPage;
    if (host !== undefined && host !== '' && host !== this.#knownHost) {
      if (this.#knows(host)) this.#knownHost = host;
      else if (isOfBrowser(headers) || !this.#takes(host)) return foreignHost;
    }
    return origin === undefined || isAllowed || this.#isOwn(origin, host) ? undefined : foreignPage;
  }

  /** Lets the page of a request that passed read the answer, if it is another's page; to be called before the answer has a head. */
  admit({ origin }: IncomingHttpHeaders, response: ServerResponse): void {
    if (origin === undefined || !this.#origins.allows(origin)) return;
    response.setHeader('Access-Control-Allow-Origin', origin);
    response.setHeader('Access-Control-Expose-Headers', EXPOSED);
    response.setHeader('Vary', 'Origin');
  }

  /**
   * Grants what a page asks for before its request (CORS preflight), if the page is allowed: the methods and fields of the whole
   * listener. Whether the request then may do what it does is not looked at: a preflight has no credentials.
   */
  preflight({ method, headers }: IncomingMessage, response: ServerResponse): Answer | undefined {
    const { origin, 'access-control-request-method': asked } = headers;
    if (method !== 'OPTIONS' || asked === undefined || origin === undefined || !this.#origins.allows(origin)) {
      return undefined;
    }
    response.setHeader('Access-Control-Allow-Methods', 'GET, HEAD, POST, DELETE');
    response.setHeader('Access-Control-Allow-Headers', TAKEN);
    response.setHeader('Access-Control-Max-Age', PREFLIGHT_SECONDS);
    // Of a page on a public address at a listener on a private one: browsers that ask so before the request.
    if (headers['access-control-request-private-network'] === 'true') {
      response.setHeader('Access-Control-Allow-Private-Network', 'true');
    }
    return granted;
  }

  #knows(host: string): boolean {
    const name = nameIn(host);
    return this.#names.has(name) || isIP(name) !== 0;
  }

  /** A name without a dot is of a service or this machine: the public DNS has none, so that nobody moves it here from afar. */
  #takes(host: string): boolean {
    return this.#others === 'all' || (this.#others === 'labels' && label.test(nameIn(host)));
  }

  /** A page that was served under the very host of the request; and no name that DNS rebinding has moved here. */
  #isOwn(origin: string, host: string | undefined): boolean {
    if (host === undefined || host === '') return false;
    const page = /^https?:\/\/(.+)$/i.exec(origin)?.[1];
    return page !== undefined && page.toLowerCase() === host.toLowerCase() && this.#knows(host);
  }
}

/**
 * Whether a browser sent this by plain HTTP under a name, where it says nothing of the page that is behind a GET: then it leaves
 * out all Sec-Fetch fields. Accept-Language it always sends, and scripts cannot take it off; of programs Node's fetch sends it,
 * always with Sec-Fetch-Mode, which scripts cannot set.
 */
function isOfBrowser(headers: IncomingHttpHeaders): boolean {
  return headers['accept-language'] !== undefined && headers['sec-fetch-mode'] === undefined;
}

/** The name or address in `name[:port]`, in lower case; text of another form as it is. */
function nameIn(host: string): string {
  const match = /^(?:\[([^\]]*)\]|([^:[\]]+))(?::\d*)?$/.exec(host);
  const name = (match?.[1] ?? match?.[2] ?? host).toLowerCase();
  return name.endsWith('.') ? name.slice(0, -1) : name;
}
