/** The answers of SockJS that belong to no session. */
import { createHash, randomInt } from 'node:crypto';
import { headerValue, type RawHeaders } from '@holdfast/grip';
import type { AllowedOrigins } from '../config/types/allowed-origins.js';
import type { SockJsPlace } from './sockjs-path.js';
import { PLAIN, type SockJsResponse } from './sockjs-response.js';

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

/** Methods by transport. */
export function methodsOf(transport: string): readonly string[] {
  switch (transport) {
    case 'eventsource':
    case 'htmlfile':
      return ['GET'];
    case 'jsonp':
    case 'jsonp_send':
      return ['GET', 'POST'];
    default:
      return ['POST'];
  }
}

/** The answer to a plain request at the path of a WebSocket. */
export const NO_UPGRADE = 'Can "Upgrade" only to "WebSocket".\n';

/** The answer to what no WebSocket can be asked for with. */
export function onlyGet(response: SockJsResponse): void {
  response.writeHead({ status: 405, reason: 'Method Not Allowed', headers: ['Allow', 'GET'] }, 0);
  response.end();
}
