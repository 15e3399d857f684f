/** The live page of the admin listener: its files, and the control API below it, which it asks with its user's key. */
import { readFileSync } from 'node:fs';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { fileURLToPath } from 'node:url';
import { packageFile } from '../package-files.js';

/** Where it is on the listener. */
const ROOT = '/ui/';
const API = '/ui/api/';

const VIEWS = ['callback', 'channel', 'config', 'connection', 'events', 'overview', 'routes', 'try', 'user'];
const PARTS_OF_VIEWS = ['clients', 'paged', 'publisher', 'tap'];
/** Names of the page's own files, by which they are asked for. */
const OWN = [
  ...['index.html', 'style.css'],
  ...['main', 'api', 'chart', 'dom', 'lines', 'metrics', 'poll'].map((name) => `${name}.js`),
  ...[...VIEWS, ...PARTS_OF_VIEWS].map((name) => `views/${name}.js`),
];

const TYPES: Readonly<Record<string, string>> = {
  html: 'text/html; charset=utf-8',
  css: 'text/css; charset=utf-8',
  js: 'text/javascript; charset=utf-8',
};

/** What a {@link LivePage} is made of. */
export interface LivePageOptions {
  /** Answers a request of the control API, whose `url` is as on its own listener; with its own checks of keys and pages. */
  readonly control: (request: IncomingMessage, response: ServerResponse) => void;
  /** URLs of the listeners of clients, to which the page may open connections. */
  readonly clients: () => readonly string[];
}

/** Serves the page. Its files are read when it is made, and do not change. */
export class LivePage {
  readonly #options: LivePageOptions;
  readonly #files = new Map<string, { readonly type: string; readonly body: Buffer }>();

  /** @throws Error where a file of the package is missing */
  constructor(options: LivePageOptions) {
    this.#options = options;
    for (const name of OWN) this.#add(name, packageFile(`ui/${name}`));
    this.#add('uplot.js', fileURLToPath(import.meta.resolve('uplot/dist/uPlot.esm.js')));
    this.#add('uplot.css', fileURLToPath(import.meta.resolve('uplot/dist/uPlot.min.css')));
  }

  /** Answers a request for the page or what is below it; false where it is for neither. */
  serve(request: IncomingMessage, response: ServerResponse): boolean {
    const { url = '', method } = request;
    if (url.startsWith(API)) {
      request.url = url.slice(API.length - 1);
      this.#options.control(request, response);
      return true;
    }
    if (method !== 'GET' && method !== 'HEAD') return false;
    if (url === ROOT.slice(0, -1)) {
      response.writeHead(308, ['Location', ROOT, 'Content-Length', '0']).end();
      return true;
    }
    const [path = ''] = url.split('?', 1);
    const file = path.startsWith(ROOT) ? this.#files.get(path.slice(ROOT.length) || 'index.html') : undefined;
    if (file === undefined) return false;
    response.writeHead(200, [...this.#headers(request), 'Content-Type', file.type]);
    response.end(method === 'HEAD' ? undefined : file.body);
    return true;
  }

  /** Scripts and styles of the page alone run in it, and it talks to this listener and to those of clients alone. */
  #headers({ headers }: IncomingMessage): string[] {
    // The guard of the listener has looked at the name, but not at its form.
    const [, name] = /^([\w.-]+)(?::\d+)?$/.exec(headers.host ?? '') ?? [];
    const policy = [
      "default-src 'none'",
      "script-src 'self'",
      "style-src 'self'",
      "img-src 'self' data:",
      ["connect-src 'self'", ...new Set(this.#options.clients().flatMap((url) => sourcesOf(url, name)))].join(' '),
      "base-uri 'none'",
      "form-action 'none'",
      "frame-ancestors 'none'",
      "require-trusted-types-for 'script'",
      "trusted-types 'none'",
    ];
    return [
      ...['Content-Security-Policy', policy.join('; ')],
      ...['X-Content-Type-Options', 'nosniff'],
      ...['Referrer-Policy', 'no-referrer'],
      ...['Cross-Origin-Opener-Policy', 'same-origin'],
      ...['Cross-Origin-Resource-Policy', 'same-origin'],
      ...['Cache-Control', 'no-cache'],
    ];
  }

  #add(name: string, file: string): void {
    const type = TYPES[name.slice(name.lastIndexOf('.') + 1)] as string;
    this.#files.set(name, { type, body: readFileSync(file) });
  }
}

/**
 * What a policy has for a listener: its address, and its port under the name by which the page was reached, since a listener of all
 * addresses has no other. Policies have no form for addresses of IPv6 (CSP3 §2.3.1), nor for unix sockets.
 */
function sourcesOf(listener: string, pageHost: string | undefined): string[] {
  const { protocol, hostname, port } = URL.canParse(listener) ? new URL(listener) : { protocol: '' };
  if (protocol !== 'http:' && protocol !== 'https:') return [];
  const schemes = protocol === 'https:' ? ['https', 'wss'] : ['http', 'ws'];
  const hosts = [pageHost, hostname].filter(
    (host) => host !== undefined && /^[\w.-]+$/.test(host) && host !== '0.0.0.0',
  );
  const place = port === '' ? '' : `:${port}`;
  return hosts.flatMap((host) => schemes.map((scheme) => `${scheme}://${host}${place}`));
}
