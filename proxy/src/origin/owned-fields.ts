/** The one list of the header fields of requests that only the proxy sends, and of names that an origin may take for them. */

/**
 * Fields of the hop between client and proxy. Accept-Encoding is not among them: what is relayed passes as it is, and what has to
 * be read is decoded (`decoding`). TE asks for transfer codings of the hop; for trailers the proxy asks itself, where it can pass
 * them on (`headers`). Proxy is no field at all: CGI would make it HTTP_PROXY, which many libraries obey as the proxy for
 * their own requests (RFC 3875 §4.1.18, CVE-2016-5385).
 */
const HOP = new Set([
  'host',
  'connection',
  'keep-alive',
  'proxy',
  'proxy-connection',
  'te',
  'transfer-encoding',
  'expect',
  'upgrade',
  'http2-settings',
]);

/** Marks a copy of a client's header on `orig_headers` routes. */
export const MARK = 'eb9bf0f5-';

/** Other fields that the proxy sets, or reads for the origin; with their hyphens some of a client's pass, by their rules. */
const OWNED = new Set([
  'connection-id',
  'sub-meta',
  'pub-meta',
  'content-length',
  'content-type',
  'cdn-loop',
  'pushpin-route',
]);

const OWNED_BEGINNINGS = ['grip-', 'meta-', 'content-bytes-', 'x-forwarded-', 'sec-websocket-', MARK];

/** All of a name but what every server takes for itself. */
const OTHER_CHARACTER = /[^a-z0-9-]/;

/** Whether a field, by its name in lower case, is of the hop. */
export function isHopField(lower: string): boolean {
  return HOP.has(lower);
}

/**
 * Whether a field of this name, in lower case, is one that an origin believes to be its GRIP proxy's, as it does `Grip-*`: the
 * session of WebSocket-over-HTTP and its state, and what a filter asks about.
 */
export function isGripField(lower: string): boolean {
  if (lower === 'connection-id' || lower === 'sub-meta' || lower === 'pub-meta') return true;
  return lower.startsWith('meta-') || lower.startsWith('content-bytes-');
}

/**
 * Whether a name, in lower case, has other characters where one of the proxy's fields has hyphens: `grip_sig`, `meta.user`. CGI
 * (RFC 3875 §4.1.18), WSGI, Rack and PHP give applications `HTTP_GRIP_SIG` for both, so the origin could not tell them apart.
 */
export function posesAsOwned(lower: string): boolean {
  if (!OTHER_CHARACTER.test(lower)) return false;
  const name = foldedName(lower);
  return HOP.has(name) || OWNED.has(name) || OWNED_BEGINNINGS.some((beginning) => name.startsWith(beginning));
}

/** A name, in lower case, as origins that know no other separator see it. */
export function foldedName(lower: string): string {
  return OTHER_CHARACTER.test(lower) ? lower.replace(/[^a-z0-9-]/g, '-') : lower;
}
