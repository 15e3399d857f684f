/** The field Prefer (RFC 7240), as far as the control API knows preferences. */

/** `wait` with a number, as a token or quoted; parameters of a preference mean nothing here. */
const wait = /(?:^|,)[ \t]*wait[ \t]*=[ \t]*(?:"(\d{1,9})"|(\d{1,9}))[ \t]*(?=[,;]|$)/i;

/**
 * How long a client wants to wait, in milliseconds: here RFC 7240 §4.3 has seconds, which is too coarse for what nodes do within
 * some. Of several the first counts (§2). Undefined where there is none, or one that is no number, or 0.
 */
export function preferredWait(prefer: string | readonly string[] | undefined): number | undefined {
  if (prefer === undefined) return undefined;
  const text = typeof prefer === 'string' ? prefer : prefer.join(',');
  const [, quoted, token] = wait.exec(text) ?? [];
  const ms = Number(quoted ?? token ?? 0);
  return ms > 0 ? ms : undefined;
}
