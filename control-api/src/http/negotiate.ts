/** What a request prefers: the format of its answer, by Accept as with Pushpin's control server, and how long it waits, by Prefer. */

/** Formats in which the control API answers. */
export type Format = 'text' | 'json';

const formats: ReadonlyMap<string, Format> = new Map([
  ['text/plain', 'text'],
  ['text/*', 'text'],
  ['*/*', 'text'],
  ['*', 'text'],
  ['application/json', 'json'],
  ['application/*', 'json'],
]);

/**
 * The format to answer in, or undefined if the client accepts neither. Takes the value of the Accept header with
 * repeated fields joined by commas. Of the media types listed the last known one wins, and weights are ignored: not
 * RFC 9110 §12.5.1, but what publishers written for Pushpin expect. No preference means text.
 */
export function negotiate(accept: string | undefined): Format | undefined {
  if (accept === undefined || accept === '*/*') return 'text';
  let chosen: Format | undefined;
  let named = false;
  for (const range of accept.split(',')) {
    const semicolon = range.indexOf(';');
    const type = (semicolon < 0 ? range : range.slice(0, semicolon)).trim().toLowerCase();
    if (type === '') continue;
    named = true;
    chosen = formats.get(type) ?? chosen;
  }
  return named ? chosen : 'text';
}

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
