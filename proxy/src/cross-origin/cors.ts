/**
 * Owns: the CORS fields that `aco` adds to every answer. Does not own: which answers (the proxy's own errors and holds get
 * them like any other), or which origins are granted what (`grant`).
 */
import type { RawHeaders, ResponseHead } from '@holdfast/grip';
import type { AllowedOrigins } from '../config/types/allowed-origins.js';
import { clientHeaders } from '../edge/client-headers.js';
import type { ClientResponse } from '../edge/port.js';
import { ResponseWrapper } from '../edge/response-wrapper.js';
import { askedHeaders, askedMethod, grantOf, varyingByOrigin } from './grant.js';

const METHODS = 'OPTIONS, HEAD, GET, POST, PUT, DELETE';

/** Fields that scripts may read without being told so, and those that they may not read (Fetch standard). */
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
