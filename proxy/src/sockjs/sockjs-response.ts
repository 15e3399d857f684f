/** The answers of SockJS: the response that every one goes through, and those that belong to no session. */

import { createHash, randomInt } from 'node:crypto';
import { headerValue, headerValues, type RawHeaders, type ResponseHead, reasonPhrase } from '@holdfast/grip';
import type { AllowedOrigins } from '../config/types/allowed-origins.js';
import { askedHeaders, type Grant, grantOf, varyingByOrigin } from '../cross-origin/cors.js';
import { type ClientResponse, type ResponseHandler, ResponseWrapper } from '../edge/port.js';
import { methodsOf, type SockJsPlace } from './sockjs-path.js';

/** How an answer ended. `status` is 0 when the client was gone before. */
export type ResponseEnd = (status: number, end: 'complete' | 'cut' | 'gone') => void;

/** The type of answers that are text. */
export const PLAIN = 'text/plain; charset=UTF-8';

const NO_CACHE = 'no-store, no-cache, no-transform, must-revalidate, max-age=0';

/** Fields that Holdfast sets itself, even in an origin's refusal of a session. */
const ACCESS = new Set([
  'access-control-allow-origin',
  'access-control-allow-credentials',
  'access-control-allow-headers',
]);

/** A client response that scripts of the origins in a list may read and that no cache keeps unless it says so itself. */
export class SockJsResponse extends ResponseWrapper implements ResponseHandler {
  readonly #request: RawHeaders;
  readonly #origins: AllowedOrigins;
  readonly #onEnd: ResponseEnd;
  #handler: ResponseHandler | undefined;
  #status = 0;
  #over = false;

  /** `request` are the client's header fields; `onEnd` is called once. */
  constructor(inner: ClientResponse, request: RawHeaders, origins: AllowedOrigins, onEnd: ResponseEnd) {
    super(inner);
    this.#request = request;
    this.#origins = origins;
    this.#onEnd = onEnd;
  }

  /** Whether it is complete or broken off, or the client is known to have gone. */
  get over(): boolean {
    return this.#over;
  }

  override setHandler(handler: ResponseHandler): void {
    this.#handler = handler;
    super.setHandler(this);
  }

  override writeHead(head: ResponseHead, length: number | undefined, flush?: boolean): void {
    this.#status = head.status;
    super.writeHead({ ...head, headers: this.#headers(head.headers) }, length, flush);
  }

  override end(chunk?: Buffer): void {
    super.end(chunk);
    this.#end(this.#status, 'complete');
  }

  override abort(discard?: boolean): void {
    super.abort(discard);
    this.#end(this.#status, 'cut');
  }

  fault(error: unknown): void {
    if (this.#handler?.fault !== undefined) this.#handler.fault(error);
    else {
      this.abort(true);
      this.#handler?.onGone();
    }
  }

  onWritable(): void {
    this.#handler?.onWritable();
  }

  onGone(): void {
    this.#end(0, 'gone');
    this.#handler?.onGone();
  }

  /** Answers with a whole body. */
  answer(status: number, contentType: string, body: string): void {
    const bytes = Buffer.from(body);
    this.writeHead({ status, reason: reasonPhrase(status), headers: ['Content-Type', contentType] }, bytes.length);
    this.end(bytes);
  }

  #end(status: number, end: 'complete' | 'cut' | 'gone'): void {
    if (this.#over) return;
    this.#over = true;
    this.#onEnd(status, end);
  }

  #headers(answer: RawHeaders): string[] {
    const headers: string[] = [];
    for (let i = 0; i < answer.length; i += 2) {
      const name = answer[i] as string;
      if (!ACCESS.has(name.toLowerCase())) headers.push(name, answer[i + 1] as string);
    }
    if (headerValue(headers, 'cache-control') === undefined) headers.push('Cache-Control', NO_CACHE);
    if (headerValue(headers, 'x-content-type-options') === undefined) headers.push('X-Content-Type-Options', 'nosniff');
    const grant = sockJsGrant(this.#request, this.#origins);
    if (grant !== undefined) headers.push('Access-Control-Allow-Origin', grant.origin);
    if (grant?.credentials) headers.push('Access-Control-Allow-Credentials', 'true');
    const asked = grant && askedHeaders(this.#request);
    if (asked !== undefined) headers.push('Access-Control-Allow-Headers', asked);
    return varyingByOrigin(headers);
  }
}

/** An Origin that can be repeated: one value without spaces, which is not the wildcard. */
const REPEATABLE = /^(?!\*$)[!-+\--~]+$/;

/**
 * The library asks with the user's cookies, and browsers do not give it an answer that is for `*`. Where every site may ask, so
 * may a page that has no origin (`null`: a file, an app's own page, a sandbox), with no more than all others have. A list of
 * origins never has it.
 */
function sockJsGrant(request: RawHeaders, origins: AllowedOrigins): Grant | undefined {
  const grant = grantOf(request, origins);
  const [origin, ...others] = headerValues(request, 'origin');
  const isAnyones = origins.isAny && others.length === 0 && origin !== undefined && REPEATABLE.test(origin);
  return isAnyones ? { origin, credentials: true } : grant;
}

const YEAR_S = 31_536_000;

/** For answers that never change; `now` in ms since the epoch. They name the client's origin: caches keep one for each. */
const cacheFields = (now: number) => [
  ...['Cache-Control', `public, max-age=${YEAR_S}`, 'Vary', 'Origin'],
  ...['Expires', new Date(now + YEAR_S * 1_000).toUTCString()],
];

const framedBy = (origins: AllowedOrigins) => ["frame-ancestors 'self'", ...origins.sources].join(' ');

const attribute = (text: string) => text.replaceAll('&', '&amp;').replaceAll('"', '&quot;').replaceAll('<', '&lt;');

/** The page that transports in an iframe load; its text is the protocol's. */
const iframePage = (sockjsUrl: string) => `<!DOCTYPE html>
<html>
<head>
  <meta http-equiv="X-UA-Compatible" content="IE=edge" />
  <meta http-equiv="Content-Type" content="text/html; charset=UTF-8" />
  <script src="${attribute(sockjsUrl)}"></script>
  <script>
    document.domain = document.domain;
    SockJS.bootstrap_iframe();
  </script>
</head>
<body>
  <h2>Don't panic!</h2>
  <p>This is a SockJS hidden iframe. It's used for cross domain magic.</p>
</body>
</html>
`;

/** The fixed pages of all services. */
export class Pages {
  readonly #iframe: Buffer;
  readonly #etag: string;

  /** `sockjsUrl` is where the iframe page loads the client library from. */
  constructor(sockjsUrl: string) {
    this.#iframe = Buffer.from(iframePage(sockjsUrl));
    this.#etag = `"${createHash('md5').update(this.#iframe).digest('hex')}"`;
  }

  greeting(response: SockJsResponse): void {
    response.answer(200, PLAIN, 'Welcome to SockJS!\n');
  }

  /** What the service can do. The random number is for browsers that have none of their own. */
  info(response: SockJsResponse): void {
    const info = { cookie_needed: false, entropy: randomInt(2 ** 32), origins: ['*:*'], websocket: true };
    response.answer(200, 'application/json; charset=UTF-8', `${JSON.stringify(info)}\n`);
  }

  /**
   * 304 when the client has the page already (RFC 9110 §13.1.2). The page works in every frame, with the user's
   * cookies: only pages of these origins may.
   */
  iframe(response: SockJsResponse, request: RawHeaders, now: number, origins: AllowedOrigins): void {
    const ancestors = origins.isAny ? [] : ['Content-Security-Policy', framedBy(origins)];
    const fields = ['ETag', this.#etag, ...cacheFields(now), ...ancestors];
    if (this.#isKnown(headerValue(request, 'if-none-match') ?? '')) {
      response.writeHead({ status: 304, reason: 'Not Modified', headers: fields }, this.#iframe.length);
      response.end();
      return;
    }
    const headers = ['Content-Type', 'text/html; charset=UTF-8', ...fields];
    response.writeHead({ status: 200, reason: 'OK', headers }, this.#iframe.length);
    response.end(this.#iframe);
  }

  /** The answer to OPTIONS: which methods there are, to be remembered for a year. */
  options(response: SockJsResponse, place: SockJsPlace, now: number): void {
    const methods = place.kind === 'receive' || place.kind === 'send' ? methodsOf(place.transport) : ['GET'];
    const headers = [
      ...['Content-Type', PLAIN, ...cacheFields(now)],
      ...['Access-Control-Allow-Methods', ['OPTIONS', ...methods].join(', ')],
      ...['Access-Control-Max-Age', String(YEAR_S)],
    ];
    response.writeHead({ status: 204, reason: 'No Content', headers }, 0);
    response.end();
  }

  #isKnown(field: string): boolean {
    return field.split(',').some((tag) => tag.trim() === '*' || tag.trim().replace(/^W\//, '') === this.#etag);
  }
}

/** The answer to a plain request at the path of a WebSocket. */
export const NO_UPGRADE = 'Can "Upgrade" only to "WebSocket".\n';

/** The answer to what no WebSocket can be asked for with. */
export function onlyGet(response: SockJsResponse): void {
  response.writeHead({ status: 405, reason: 'Method Not Allowed', headers: ['Allow', 'GET'] }, 0);
  response.end();
}
