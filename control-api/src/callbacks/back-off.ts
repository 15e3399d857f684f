/** How long a callback waits after an attempt that has failed. */

/**
 * Milliseconds before the second attempt; doubled each time up to {@link CALLBACK_LAST_RETRY_MS}, and shortened by up to a quarter, at
 * random, so that the callbacks of one server do not keep in step.
 *
 * @limit {s} before a request to a callback is sent again, the first time; doubled each time up to `CALLBACK_LAST_RETRY_MS`
 * @over –
 */
export const CALLBACK_FIRST_RETRY_MS = 500;

/**
 * @limit {min} as the longest such pause
 * @over –
 */
export const CALLBACK_LAST_RETRY_MS = 5 * 60_000;

/**
 * Milliseconds that a server may ask for in Retry-After.
 *
 * @limit a day as the longest pause that a server can ask for with Retry-After
 * @over it is shortened
 */
export const RETRY_AFTER_MAX_MS = 24 * 3_600_000;

/** The pause after so many failures, 1 or more, in ms; `random` is in [0, 1). What the server asks for comes first, where it is longer. */
export function pauseAfter(failures: number, retryAfter: number | undefined, random: number): number {
  const whole = Math.min(CALLBACK_FIRST_RETRY_MS * 2 ** Math.min(failures - 1, 20), CALLBACK_LAST_RETRY_MS);
  return Math.max(Math.round(whole * (1 - random / 4)), retryAfter ?? 0);
}

/** The value of Retry-After, in ms from `now` on: seconds, or a date (RFC 9110 §10.2.3). Undefined for what is neither. */
export function readRetryAfter(value: string | undefined, now: number): number | undefined {
  if (value === undefined) return undefined;
  const ms = /^\d{1,10}$/.test(value) ? Number(value) * 1_000 : dateOf(value) - now;
  return Number.isNaN(ms) ? undefined : Math.min(Math.max(ms, 0), RETRY_AFTER_MAX_MS);
}

/** Only the preferred form of a date (RFC 9110 §5.6.7): Date.parse takes much that is none. */
function dateOf(value: string): number {
  return /^[A-Z][a-z]{2}, \d{2} [A-Z][a-z]{2} \d{4} \d{2}:\d{2}:\d{2} GMT$/.test(value)
    ? Date.parse(value)
    : Number.NaN;
}
