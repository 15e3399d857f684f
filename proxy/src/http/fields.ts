/** Which header fields go no further: those of the hop, those of one body, and those that must not be trailers. */
import { headerFault, type RawHeaders } from '@holdfast/grip';

/**
 * Fields that Connection may not remove: nobody must be able to hide from the other side what proxies before said of a
 * message, or take the meaning from its body.
 */
const END_TO_END = /^(x-|forwarded$|via$|cdn-loop$|content-|authorization$|cookie$|set-cookie$|cache-control$|grip-)/;

const NOBODY: ReadonlySet<string> = new Set();

/** Names, in lower case, of the fields that are to go no further. Almost always none, which costs no allocation. */
export function namedByConnection(headers: RawHeaders): ReadonlySet<string> {
  let named: Set<string> | undefined;
  for (let i = 0; i < headers.length; i += 2) {
    const name = headers[i] as string;
    if (name.length !== 10 || name.toLowerCase() !== 'connection') continue;
    for (const part of (headers[i + 1] as string).split(',')) {
      const lower = part.trim().toLowerCase();
      if (lower === '' || lower === 'close' || lower === 'keep-alive' || END_TO_END.test(lower)) continue;
      named ??= new Set();
      named.add(lower);
    }
  }
  return named ?? NOBODY;
}

/** Fields that describe the bytes of a body as they are: with other bytes they would be false. */
export const DIGESTS = ['content-digest', 'content-md5', 'digest', 'repr-digest'] as const;

/** Those that are untrue as soon as a byte of the body changes, beside its ETag. */
const OF_ITS_BYTES: ReadonlySet<string> = new Set([...DIGESTS, 'accept-ranges', 'content-range']);

/**
 * Fields that describe one body, and nothing else: validators, digests, its coding and its place among others (RFC 9110 §8.4,
 * §8.7, §8.8, §14.3, §14.4; RFC 9530, and RFC 3230 and RFC 2616 before it). Content-Type and Content-Language are not among
 * them: by GRIP an origin says with them what kind of items its channel has. Length and framing are the edge's.
 */
const OF_ONE_BODY: ReadonlySet<string> = new Set([
  ...OF_ITS_BYTES,
  'content-encoding',
  'content-location',
  'etag',
  'last-modified',
]);

const CODING: ReadonlySet<string> = new Set(['content-encoding']);

/** Whether a field, by its name in lower case, describes one body. */
export function isOfOneBody(lower: string): boolean {
  return OF_ONE_BODY.has(lower);
}

/** Fields of an answer whose body is not the one that goes out: without those that describe it. The same list if it has none. */
export function ofAnotherBody(headers: RawHeaders): RawHeaders {
  return without(headers, OF_ONE_BODY);
}

/**
 * Fields of an answer whose body goes out with other bytes that say the same: an ETag is weak from here on (RFC 9110 §8.8.1), so
 * that a client's If-None-Match still finds it, but parts of the two are not joined. The same list if nothing changes.
 */
export function ofChangedBytes(headers: RawHeaders): RawHeaders {
  const kept = without(headers, OF_ITS_BYTES);
  let weak: string[] | undefined;
  for (let i = 0; i < kept.length; i += 2) {
    const value = kept[i + 1] as string;
    if ((kept[i] as string).toLowerCase() !== 'etag' || !value.startsWith('"')) continue;
    weak ??= kept.slice();
    weak[i + 1] = weakTag(value);
  }
  return weak ?? kept;
}

/** An entity tag that does not promise the same bytes (RFC 9110 §8.8.1). */
export function weakTag(tag: string): string {
  return tag.startsWith('"') ? `W/${tag}` : tag;
}

/** The same for a body that goes out decoded. */
export function ofDecodedBody(headers: RawHeaders): RawHeaders {
  return without(ofChangedBytes(headers), CODING);
}

function without(headers: RawHeaders, names: ReadonlySet<string>): RawHeaders {
  let kept: string[] | undefined;
  for (let i = 0; i < headers.length; i += 2) {
    if (names.has((headers[i] as string).toLowerCase())) kept ??= headers.slice(0, i);
    else kept?.push(headers[i] as string, headers[i + 1] as string);
  }
  return kept ?? headers;
}

/**
 * Fields that mean nothing, or another thing, once a body has gone (RFC 9110 §6.5.1): framing, routing, conditions,
 * authentication, how to read the body, how to keep it; and what proxies say of a message.
 */
const BEFORE_BODIES: ReadonlySet<string> = new Set(
  `
  connection content-length expect host http2-settings keep-alive max-forwards te trailer transfer-encoding
  upgrade range accept-ranges authorization authentication-info www-authenticate cookie set-cookie set-cookie2
  origin referer age cache-control date expires location pragma retry-after vary warning clear-site-data
  strict-transport-security refresh content-encoding content-type content-range content-location
  content-disposition content-security-policy forwarded via cdn-loop connection-id sub-meta pub-meta
  pushpin-route client-cert client-cert-chain
  `
    .trim()
    .split(/\s+/),
);

/** The same by how names begin: the proxy's own, and those of proxies and browsers. */
const BEGINNINGS = [
  ...['grip-', 'meta-', 'content-bytes-', 'eb9bf0f5-', 'x-forwarded-', 'x-real-', 'proxy', 'if-', 'sec-'],
  ...['access-control-', 'cross-origin-'],
];

/** Whether a request says that its client takes trailers: `TE: trailers` (RFC 9110 §10.1.4). */
export function saysTrailers(headers: RawHeaders): boolean {
  for (let i = 0; i < headers.length; i += 2) {
    const name = headers[i] as string;
    if (name.length === 2 && name.toLowerCase() === 'te' && asksFor(headers[i + 1] as string)) return true;
  }
  return false;
}

const asksFor = (codings: string) => codings.split(',').some((coding) => coding.trim().toLowerCase() === 'trailers');

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
