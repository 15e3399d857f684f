/**
 * Owns: the CORS fields that `aco` adds to every answer. Does not own: which answers: the proxy's own errors and holds
 * get them like any other.
 */
import { headerValue, type RawHeaders, type ResponseHead } from '@holdfast/grip';
import { clientHeaders } from '../edge/client-headers.js';
import type { ClientResponse } from '../edge/edge.js';
import { ResponseWrapper } from '../edge/response-wrapper.js';

const METHODS = 'OPTIONS, HEAD, GET, POST, PUT, DELETE';

/** Fields that scripts may read without being told so (Fetch standard, CORS-safelisted response-header names). */
const SIMPLE = new Set([
  'cache-control',
  'content-language',
  'content-length',
  'content-type',
  'expires',
  'last-modified',
  'pragma',
]);

/** Adds, each only where the answer has none, the fields that let scripts of the request's origin read it. */
export function corsHeaders(request: RawHeaders, answer: RawHeaders): string[] {
  const present = new Set<string>();
  const exposed: string[] = [];
  for (let i = 0; i < answer.length; i += 2) {
    const name = answer[i] as string;
    const lower = name.toLowerCase();
    if (present.has(lower)) continue;
    present.add(lower);
    if (!SIMPLE.has(lower) && !lower.startsWith('access-control-') && !lower.startsWith('grip-')) exposed.push(name);
  }
  const headers = answer.slice();
  const add = (name: string, value: string | undefined) => {
    if (value !== undefined && value !== '' && !present.has(name.toLowerCase())) headers.push(name, value);
  };
  add('Access-Control-Allow-Methods', headerValue(request, 'access-control-request-method') ?? METHODS);
  add('Access-Control-Allow-Headers', headerValue(request, 'access-control-request-headers'));
  add('Access-Control-Expose-Headers', exposed.join(', '));
  add('Access-Control-Allow-Credentials', 'true');
  add('Access-Control-Allow-Origin', headerValue(request, 'origin') ?? '*');
  add('Access-Control-Max-Age', '3600');
  return headers;
}

/** A client response whose answer may be read by scripts of other origins. */
export class CorsResponse extends ResponseWrapper {
  readonly #request: RawHeaders;

  /** `request` are the client's header fields. */
  constructor(inner: ClientResponse, request: RawHeaders) {
    super(inner);
    this.#request = request;
  }

  override writeHead(head: ResponseHead, length: number | undefined, flush?: boolean): void {
    // Without the fields of the hop, which scripts cannot read in any case.
    const headers = corsHeaders(this.#request, clientHeaders(head.headers));
    super.writeHead({ ...head, headers }, length, flush);
  }
}
