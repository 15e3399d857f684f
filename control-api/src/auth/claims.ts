/** The claims of a token whose signature is right (RFC 7519 §4.1): whether it counts now, and for how long. */
import type { JwtClaims } from '@holdfast/grip';

/**
 * Seconds by which the clocks of publishers may differ from ours.
 *
 * @limit {s} of difference between a publisher's clock and the node's
 * @over a token counts as expired, or as not valid yet, 401
 */
export const SKEW_S = 60;

/** Until when a token counts, in ms since the epoch, or why it does not, for the log. */
export type ClaimsRead = { readonly until: number } | { readonly fault: string };

/**
 * Looks at exp, which must be there, nbf and, where the key has an audience, aud. `now` is in ms since the epoch; `lateS` is for how
 * many seconds after exp the token still counts.
 */
export function readClaims(
  { exp, nbf, aud, sub, jti }: JwtClaims,
  audience: string | undefined,
  now: number,
  lateS = SKEW_S,
): ClaimsRead {
  if (!isTime(exp)) return { fault: exp === undefined ? 'it has no exp' : 'its exp is no number of seconds' };
  const until = (exp + lateS) * 1_000;
  if (now >= until) return { fault: 'it has expired' };
  if (nbf !== undefined) {
    if (!isTime(nbf)) return { fault: 'its nbf is no number of seconds' };
    if (now < (nbf - SKEW_S) * 1_000) return { fault: 'it is not valid yet' };
  }
  if (audience !== undefined && !(Array.isArray(aud) ? aud.includes(audience) : aud === audience)) {
    return { fault: 'its aud is not that of the key' };
  }
  if (!isName(sub) || !isName(jti)) return { fault: 'its sub or jti is no text' };
  return { until };
}

function isTime(value: unknown): value is number {
  return typeof value === 'number' && Number.isFinite(value) && value > 0;
}

function isName(value: unknown): boolean {
  return value === undefined || typeof value === 'string';
}
