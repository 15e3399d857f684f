/** Which site a request comes from, what scripts of that site are granted, and the CORS fields that say so. */
import { headerValue, headerValues, isToken, type RawHeaders, type ResponseHead } from '@holdfast/grip';
import { type AllowedOrigins, isOrigin } from '../config/types/allowed-origins.js';
import { clientHeaders } from '../edge/client-headers.js';
import { type ClientResponse, ResponseWrapper } from '../edge/port.js';

/** What a script of the request's origin may do with the answer. */
export interface Grant {
  /** Value of Access-Control-Allow-Origin. */
  readonly origin: string;
  /** Whether it may be one of the user's own: made with cookies. */
  readonly credentials: boolean;
}

/** The parts of a request that say where it comes from. */
export interface CrossOriginRequest {
  readonly host: string;
  readonly headers: RawHeaders;
}

/** The origin that a request names; undefined where it names none, more than one, or one that any page can have (`null`). */
function namedOrigin(headers: RawHeaders): string | undefined {
  const [origin, ...others] = headerValues(headers, 'origin');
  return origin !== undefined && others.length === 0 && isOrigin(origin) ? origin : undefined;
}

/**
 * What is granted to the script that makes a request; undefined for nothing. Where the list has every origin, one that is
 * not named, `null` included, may read answers that are the same for everybody: without credentials.
 */
export function grantOf(headers: RawHeaders, origins: AllowedOrigins): Grant | undefined {
  const named = namedOrigin(headers);
  if (named !== undefined) return origins.allows(named) ? { origin: named, credentials: true } : undefined;
  return origins.isAny ? { origin: '*', credentials: false } : undefined;
}

/**
 * Whether a page that loads the answer as a script or frame may have it. The browser does not ask before (there is no CORS),
 * so the request itself must show that it comes from the host's own pages or from one in the list: by Origin, by
 * Sec-Fetch-Site, or by Referer.
 */
export function mayLoad({ host, headers }: CrossOriginRequest, origins: AllowedOrigins): boolean {
  if (origins.isAny) return true;
  if (headerValue(headers, 'origin') !== undefined) return isListed(namedOrigin(headers), host, origins);
  if (headerValue(headers, 'sec-fetch-site') === 'same-origin') return true;
  return isListed(originOfUrl(headerValue(headers, 'referer') ?? ''), host, origins);
}

/** Whether the origin of a request, if it has one, is the host's own or in the list. */
export function mayAsk({ host, headers }: CrossOriginRequest, origins: AllowedOrigins): boolean {
  const has = headerValue(headers, 'origin') !== undefined;
  return origins.isAny || !has || isListed(namedOrigin(headers), host, origins);
}

/** Names of fields that a script wants to send, without invalid ones. */
export function askedHeaders(request: RawHeaders): string | undefined {
  const names = headerValue(request, 'access-control-request-headers')?.split(',') ?? [];
  const valid = names.map((name) => name.trim()).filter(isToken);
  return valid.length === 0 ? undefined : valid.join(', ');
}

/** The method that a script wants to use, if it is one. */
export function askedMethod(request: RawHeaders): string | undefined {
  const method = headerValue(request, 'access-control-request-method');
  return method !== undefined && isToken(method) ? method : undefined;
}

/** Fields to which is added that they depend on the Origin of the request (RFC 9110 §12.5.5), unless they say so. */
export function varyingByOrigin(headers: readonly string[]): string[] {
  const result = headers.slice();
  let first = -1;
  for (let i = 0; i < result.length; i += 2) {
    if ((result[i] as string).toLowerCase() !== 'vary') continue;
    const names = (result[i + 1] as string).split(',').map((name) => name.trim().toLowerCase());
    if (names.includes('origin') || names.includes('*')) return result;
    if (first < 0) first = i;
  }
  if (first < 0) result.push('Vary', 'Origin');
  else result[first + 1] = [result[first + 1], 'Origin'].filter((text) => text?.trim() !== '').join(', ');
  return result;
}

function isListed(origin: string | undefined, host: string, origins: AllowedOrigins): boolean {
  if (origin === undefined) return false;
  const own = origin.slice(origin.indexOf('://') + 3).toLowerCase();
  return own === host.toLowerCase() || origins.allows(origin);
}

function originOfUrl(text: string): string | undefined {
  const origin = URL.canParse(text) ? new URL(text).origin : '';
  return isOrigin(origin) ? origin : undefined;
}

const METHODS = 'OPTIONS, HEAD, GET, POST, PUT, DELETE';

/** Fields that scripts may read unnamed, and those that they may not read (Fetch standard). */
const UNNAMED = new Set([
  'cache-control',
  'content-language',
  'content-length',
  'content-type',
  'expires',
  'last-modified',
  'pragma',
  'set-cookie',
  'set-cookie2',
]);

/**
 * Adds, each only where the answer has none, the fields that let scripts of the request's origin read it, if it is one of
 * `origins`. Vary names Origin in any case: a cache must not give the answer to another origin. An answer that says
 * itself who may read it says it without credentials unless it allows them itself.
 */
export function corsHeaders(request: RawHeaders, answer: RawHeaders, origins: AllowedOrigins): string[] {
  const headers = varyingByOrigin(answer);
  const grant = grantOf(request, origins);
  if (grant === undefined) return headers;
  const present = new Set<string>();
  const exposed: string[] = [];
  for (let i = 0; i < answer.length; i += 2) {
    const name = answer[i] as string;
    const lower = name.toLowerCase();
    if (present.has(lower)) continue;
    present.add(lower);
    if (!UNNAMED.has(lower) && !lower.startsWith('access-control-') && !lower.startsWith('grip-')) exposed.push(name);
  }
  const add = (name: string, value: string | undefined) => {
    if (value !== undefined && value !== '' && !present.has(name.toLowerCase())) headers.push(name, value);
  };
  add('Access-Control-Allow-Methods', askedMethod(request) ?? METHODS);
  add('Access-Control-Allow-Headers', askedHeaders(request));
  add('Access-Control-Expose-Headers', exposed.join(', '));
  if (grant.credentials && !present.has('access-control-allow-origin')) add('Access-Control-Allow-Credentials', 'true');
  add('Access-Control-Allow-Origin', grant.origin);
  add('Access-Control-Max-Age', '3600');
  return headers;
}

/** A client response whose answer may be read by scripts of other origins. */
export class CorsResponse extends ResponseWrapper {
  readonly #request: RawHeaders;
  readonly #origins: AllowedOrigins;

  /** `request` are the client's header fields. */
  constructor(inner: ClientResponse, request: RawHeaders, origins: AllowedOrigins) {
    super(inner);
    this.#request = request;
    this.#origins = origins;
  }

  override writeHead(head: ResponseHead, length: number | undefined, flush?: boolean): void {
    // Without the fields of the hop, which scripts cannot read in any case.
    const headers = corsHeaders(this.#request, clientHeaders(head.headers), this.#origins);
    super.writeHead({ ...head, headers }, length, flush);
  }
}
