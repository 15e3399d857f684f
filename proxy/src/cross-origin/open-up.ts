/**
 * Owns: what `aco` does to a request: automatic CORS, or JSON-P where the request asks for it. Does not own: whether a
 * route has it.
 */
import type { ClientRequest, ClientResponse } from '../edge/edge.js';
import type { JsonpRule } from '../routes/route.js';
import { CorsResponse } from './cors.js';
import { readJsonp } from './jsonp-request.js';
import { JsonpResponse } from './jsonp-response.js';

/** A request and response as the rest of the proxy is to see them. Throws a `JsonpFault` for a bad JSON-P call. */
export function openUp(
  request: ClientRequest,
  response: ClientResponse,
  rule: JsonpRule,
): { request: ClientRequest; response: ClientResponse } {
  const call = readJsonp(request, rule);
  if (call === undefined) return { request, response: new CorsResponse(response, request.headers) };
  return { request: call.request, response: new JsonpResponse(response, call) };
}
