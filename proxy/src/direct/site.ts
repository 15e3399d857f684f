/** Which pages may use a `subscribe` target, and what they may do with its answers. */
import { headerValue, type RawHeaders } from '@holdfast/grip';
import { AllowedOrigins } from '../config/types/allowed-origins.js';
import { type CrossOriginRequest, corsHeaders, mayAsk } from '../cross-origin/cors.js';
import type { SubscribeTarget } from '../routes/subscribe-target.js';

type Sites = Pick<SubscribeTarget, 'sites' | 'isForAnySite'>;

/** What the page may do that makes a request; a client that is no page may do all of it. */
export interface Visit {
  /** Whether it may ask at all. */
  readonly isAllowed: boolean;
  /** Whether a cookie of its request counts: its user may not know of the request (CSRF, cross-site WebSocket hijacking). */
  readonly hasCookies: boolean;
}

/**
 * By Origin, which browsers put into every handshake and every request for another site; and where there is none, by Sec-Fetch-Site: an
 * image or a script of another site says nothing else.
 */
export function visitOf(request: CrossOriginRequest, { sites, isForAnySite }: Sites): Visit {
  const isKnown = mayAsk(request, sites);
  const isPlain = headerValue(request.headers, 'origin') === undefined;
  const from = headerValue(request.headers, 'sec-fetch-site') ?? 'none';
  return {
    isAllowed: isKnown || isForAnySite,
    hasCookies: isKnown && (!isPlain || from === 'none' || from === 'same-origin'),
  };
}

/**
 * The fields of an answer with those by which the page may read it (Fetch standard). With credentials only for sites that are named:
 * never for all at once.
 */
export function readable(request: RawHeaders, answer: RawHeaders, { sites, isForAnySite }: Sites): string[] {
  const origin = headerValue(request, 'origin');
  if (origin === undefined || sites.allows(origin) || !isForAnySite) return corsHeaders(request, answer, sites);
  return corsHeaders(withoutOrigin(request), answer, AllowedOrigins.any);
}

function withoutOrigin(headers: RawHeaders): RawHeaders {
  const others: string[] = [];
  for (let i = 0; i < headers.length; i += 2) {
    const name = headers[i] as string;
    if (name.toLowerCase() !== 'origin') others.push(name, headers[i + 1] as string);
  }
  return others;
}
