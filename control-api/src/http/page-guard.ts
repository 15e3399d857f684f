/**
 * Refuses requests of web pages at listeners that are for programs and operators.
 *
 * A browser sends what any page asks it to, also to this machine and to the network behind a firewall: a POST with text/plain
 * without asking first, and anything at all once the page's own name has been moved to our address (DNS rebinding). What it
 * cannot do is to hide that: it names the page in Origin or Sec-Fetch-Site, and the moved name in Host.
 */
import type { IncomingHttpHeaders } from 'node:http';
import { BlockList, isIP } from 'node:net';
import { type Answer, foreignHost, foreignPage } from './answer.js';

const loopback = new BlockList();
loopback.addSubnet('127.0.0.0', 8, 'ipv4');
loopback.addAddress('::1', 'ipv6');

/** Whether a numeric address, IPv6 without brackets, leads to this machine only. Names are no addresses. */
export function isLoopbackAddress(host: string): boolean {
  const family = isIP(host);
  return family !== 0 && loopback.check(host, family === 4 ? 'ipv4' : 'ipv6');
}

const label = /^[a-z][a-z0-9_-]*$/;

/** What a browser sends for its own address bar, and of a page of the listener itself. */
const ownSites: ReadonlySet<string> = new Set(['none', 'same-origin']);

/**
 * Looks at each request of one listener. Refused are requests of pages that the listener has not served itself; on a
 * loopback listener those for any host but `localhost`, loopback addresses and the names that are listed, or, where none are,
 * names without a dot; on another listener, where names are listed, those for any other name. Addresses always reach that one: a probe has no name, and
 * rebinding needs one. Ports are not looked at, as tunnels have their own. Requests without Host pass: no browser sends them.
 */
export class PageGuard {
  readonly #names: ReadonlySet<string>;
  readonly #isLoopback: boolean;
  readonly #takesAnyName: boolean;
  readonly #takesLabels: boolean;
  /** Publishers send the same one all the time. */
  #knownHost = '';

  /**
   * `address` is what the listener is bound to, `bound` the name of it in the configuration, and `names` are those under which
   * it is also reached; case is ignored.
   */
  constructor(address: string, names: readonly string[], bound = address) {
    this.#isLoopback = isLoopbackAddress(address);
    this.#takesAnyName = !this.#isLoopback && names.length === 0;
    this.#takesLabels = this.#isLoopback && names.length === 0;
    this.#names = new Set(['localhost', nameIn(bound), ...names.map(nameIn)]);
  }

  /** The refusal, if there is one. */
  check({ host, origin, 'sec-fetch-site': site }: IncomingHttpHeaders): Answer | undefined {
    if (site !== undefined && !ownSites.has(site as string)) return foreignPage;
    if (host !== undefined && host !== this.#knownHost) {
      if (host !== '' && !this.#takesAnyName && !this.#knows(host) && !this.#isLabel(host)) return foreignHost;
      this.#knownHost = host;
    }
    return origin === undefined || this.#isOwn(origin, host) ? undefined : foreignPage;
  }

  #knows(host: string): boolean {
    const name = nameIn(host);
    if (this.#names.has(name)) return true;
    return this.#isLoopback ? isLoopbackAddress(name) : isIP(name) !== 0;
  }

  /** A name without a dot: of a service or this machine. The public DNS has none, so nobody can move it here from afar. */
  #isLabel(host: string): boolean {
    return this.#takesLabels && label.test(nameIn(host));
  }

  /** A page that was served under the very host of the request; and no name that DNS rebinding has moved here. */
  #isOwn(origin: string, host: string | undefined): boolean {
    if (host === undefined || host === '') return false;
    const page = /^https?:\/\/(.+)$/i.exec(origin)?.[1];
    return page !== undefined && page.toLowerCase() === host.toLowerCase() && this.#knows(host);
  }
}

/** The name or address in `name[:port]`, in lower case; text of another form as it is. */
function nameIn(host: string): string {
  const match = /^(?:\[([^\]]*)\]|([^:[\]]+))(?::\d*)?$/.exec(host);
  const name = (match?.[1] ?? match?.[2] ?? host).toLowerCase();
  return name.endsWith('.') ? name.slice(0, -1) : name;
}
