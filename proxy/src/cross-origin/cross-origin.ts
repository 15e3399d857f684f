/** What `aco` does to a request: automatic CORS, or JSON-P where the request asks for it. */
import type { AllowedOrigins } from '../config/types/allowed-origins.js';
import type { ClientRequest, ClientResponse } from '../edge/port.js';
import type { JsonpRule } from '../routes/route.js';
import { CorsResponse, mayLoad } from './cors.js';
import { readJsonp } from './jsonp-request.js';
import { JsonpResponse } from './jsonp-response.js';

/** A JSON-P call of a site that is not allowed any. */
export class JsonpRefusal extends Error {}

/**
 * A request and response as the rest of the proxy is to see them. Throws a `JsonpFault` for a bad JSON-P call, and a
 * `JsonpRefusal` for one of a site that is not in `origins`.
 */
export function applyCrossOrigin(
  request: ClientRequest,
  response: ClientResponse,
  rule: JsonpRule,
  origins: AllowedOrigins,
): { request: ClientRequest; response: ClientResponse } {
  const call = readJsonp(request, rule);
  if (call === undefined) return { request, response: new CorsResponse(response, request.headers, origins) };
  if (!mayLoad(request, origins)) throw new JsonpRefusal('JSON-P is not for scripts of this site.');
  return { request: call.request, response: new JsonpResponse(response, { ...call, isRestricted: !origins.isAny }) };
}
