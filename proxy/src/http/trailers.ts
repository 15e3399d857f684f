/** Trailers: which clients take them, and which fields may follow a body (RFC 9110 §6.5). */
import { headerFault, type RawHeaders } from '@holdfast/grip';

/**
 * Fields that mean nothing, or another thing, once a body has gone (RFC 9110 §6.5.1): framing, routing, conditions,
 * authentication, how to read the body, how to keep it; and what proxies say of a message.
 */
const BEFORE_BODIES: ReadonlySet<string> = new Set([
  ...[
    'connection',
    'content-length',
    'expect',
    'host',
    'http2-settings',
    'keep-alive',
    'max-forwards',
    'te',
    'trailer',
  ],
  ...[
    'transfer-encoding',
    'upgrade',
    'range',
    'accept-ranges',
    'authorization',
    'authentication-info',
    'www-authenticate',
  ],
  ...[
    'cookie',
    'set-cookie',
    'set-cookie2',
    'origin',
    'referer',
    'age',
    'cache-control',
    'date',
    'expires',
    'location',
  ],
  ...['pragma', 'retry-after', 'vary', 'warning', 'clear-site-data', 'strict-transport-security', 'refresh'],
  ...['content-encoding', 'content-type', 'content-range', 'content-location', 'content-disposition'],
  ...[
    'content-security-policy',
    'forwarded',
    'via',
    'cdn-loop',
    'client-cert',
    'client-cert-chain',
    'connection-id',
    'sub-meta',
    'pub-meta',
    'pushpin-route',
  ],
]);

/** The same by how names begin: the proxy's own, and those of proxies and browsers. */
const BEGINNINGS = [
  ...['grip-', 'meta-', 'content-bytes-', 'eb9bf0f5-', 'x-forwarded-', 'x-real-', 'proxy', 'if-', 'sec-'],
  ...['access-control-', 'cross-origin-'],
];

/** Whether a request says that its client takes trailers: `TE: trailers` (RFC 9110 §10.1.4). */
export function saysTrailers(headers: RawHeaders): boolean {
  for (let i = 0; i < headers.length; i += 2) {
    const name = headers[i] as string;
    if (name.length === 2 && name.toLowerCase() === 'te' && hasWord(headers[i + 1] as string)) return true;
  }
  return false;
}

const hasWord = (value: string) => value.split(',').some((word) => word.trim().toLowerCase() === 'trailers');

/**
 * The trailers that may be passed on, in their order; a new list. A field that may not, or cannot be written, is left out. Names
 * count as origins read them: `grip_sig` is `Grip-Sig` to some.
 */
export function passableTrailers(trailers: RawHeaders): string[] {
  const passed: string[] = [];
  for (let i = 0; i < trailers.length; i += 2) {
    const name = trailers[i] as string;
    const value = trailers[i + 1] as string;
    if (mayTrail(name) && headerFault(name, value) === undefined) passed.push(name, value);
  }
  return passed;
}

/** The names of a Trailer field that may be sent as trailers, as one value; undefined where there is none. */
export function passableNames(value: string): string | undefined {
  const names = value.split(',').map((name) => name.trim());
  const passed = names.filter((name) => mayTrail(name) && headerFault(name, '') === undefined);
  return passed.length === 0 ? undefined : passed.join(', ');
}

function mayTrail(name: string): boolean {
  const folded = name.toLowerCase().replace(/[^a-z0-9-]/g, '-');
  return !BEFORE_BODIES.has(folded) && !BEGINNINGS.some((beginning) => folded.startsWith(beginning));
}
