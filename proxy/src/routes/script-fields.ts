/** Methods and header fields that the script of a page may never choose for the request that is made of its JSON-P call. */

/** Methods with which no script can make a request (Fetch standard, forbidden method). */
const METHODS = new Set(['CONNECT', 'TRACE', 'TRACK']);

/**
 * The forbidden request-header names of the Fetch standard, and those by which proxies, Holdfast included, tell an origin who
 * the client is and what it may do.
 */
const FIELDS = new Set([
  ...[
    'accept',
    'accept-charset',
    'accept-encoding',
    'connection',
    'content-length',
    'cookie',
    'cookie2',
    'date',
    'dnt',
  ],
  ...['expect', 'host', 'http2-settings', 'keep-alive', 'origin', 'permissions-policy', 'referer', 'set-cookie'],
  ...['set-cookie2', 'te', 'trailer', 'transfer-encoding', 'upgrade', 'via'],
  ...['x-http-method', 'x-http-method-override', 'x-method-override'],
  ...['cdn-loop', 'connection-id', 'client-ip', 'forwarded', 'true-client-ip', 'x-client-ip', 'x-real-ip'],
  ...['x-cluster-client-ip', 'x-original-url', 'x-rewrite-url'],
]);

const PREFIXES = [
  ...['access-control-request-', 'proxy-', 'sec-'],
  ...['cf-', 'content-bytes-', 'eb9bf0f5-', 'grip-', 'meta-', 'pushpin-', 'x-envoy-', 'x-forwarded-'],
];

/** Whether no script may choose this method, whatever a route says. */
export function isForbiddenMethod(method: string): boolean {
  return METHODS.has(method.toUpperCase());
}

/**
 * Whether no script may choose a field of this name, whatever a route says. Other characters count as the hyphen, for many
 * origins cannot tell them apart (CGI, WSGI, PHP).
 */
export function isForbiddenField(name: string): boolean {
  const plain = name.toLowerCase().replace(/[^a-z0-9]/g, '-');
  return FIELDS.has(plain) || PREFIXES.some((prefix) => plain.startsWith(prefix));
}
