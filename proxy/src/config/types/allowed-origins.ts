/** Lists of web origins (RFC 6454) whose scripts may use a route: their syntax, and which origins they cover. */

/** The origin of a page, as browsers write it: scheme, host and, if it is not the usual one, port. Neither `null` nor a URL. */
const ORIGIN = /^[a-z][a-z0-9+.-]*:\/\/(?:[a-z0-9._~%-]+|\[[0-9a-f:.]+\])(?::\d{1,5})?$/;

/** The same, where `*.` stands for whatever is below a host. */
const PATTERN = /^([a-z][a-z0-9+.-]*:\/\/)(\*\.)?([a-z0-9._~%-]+|\[[0-9a-f:.]+\])(:\d{1,5})?$/;

/** Ports that an origin does not name. */
const USUAL: Readonly<Record<string, string>> = { 'http://': ':80', 'https://': ':443' };

/** Whether a text is the origin of a page that can be identified; `null` is not, nor is text that is not an origin. */
export function isOrigin(text: string): boolean {
  return ORIGIN.test(text.toLowerCase());
}

/** Hosts below another, with the scheme and port that they must have. */
interface Below {
  readonly scheme: string;
  /** Host and port, from the dot before them on. */
  readonly rest: string;
}

/** A list of origins. */
export class AllowedOrigins {
  /** Every origin. */
  static readonly any = new AllowedOrigins(['*']);

  /** Whether every origin is in it. */
  readonly isAny: boolean;
  readonly #exact = new Set<string>();
  readonly #below: Below[] = [];
  readonly #entries: readonly string[];

  /**
   * Reads entries: `https://a.example`, `https://*.a.example` (any number of labels below, not the host itself), each with a
   * port if it is not the usual one, or `*`. Throws an Error that says which is none.
   */
  constructor(entries: readonly string[]) {
    this.#entries = entries;
    this.isAny = entries.includes('*');
    for (const entry of entries) if (entry !== '*') this.#add(entry);
  }

  /** Whether a script of this origin may use the route. `null`, and what is no origin, never may by name. */
  allows(origin: string): boolean {
    const lower = origin.toLowerCase();
    if (!ORIGIN.test(lower)) return false;
    if (this.isAny || this.#exact.has(lower)) return true;
    return this.#below.some(
      ({ scheme, rest }) =>
        lower.startsWith(scheme) && lower.endsWith(rest) && lower.length > scheme.length + rest.length,
    );
  }

  /** The entries as sources of a Content-Security-Policy (CSP3 §2.3.1). */
  get sources(): readonly string[] {
    return this.#entries;
  }

  #add(entry: string): void {
    const [, scheme = '', star, host = '', port = ''] = PATTERN.exec(entry.toLowerCase()) ?? [];
    if (scheme === '') {
      throw new Error(`${JSON.stringify(entry)} is no origin such as https://a.example or https://*.a.example`);
    }
    const rest = host + (port === USUAL[scheme] ? '' : port);
    if (star === undefined) this.#exact.add(scheme + rest);
    else this.#below.push({ scheme, rest: `.${rest}` });
  }
}
