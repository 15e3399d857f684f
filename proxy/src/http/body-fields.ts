/** The header fields that are true of one body only, and what becomes of them where another or a changed body goes out. */
import type { RawHeaders } from '@holdfast/grip';

/**
 * Fields that describe one body, and nothing else: validators, digests, its coding and its place among others (RFC 9110 §8.4,
 * §8.7, §8.8, §14.3, §14.4; RFC 9530, and RFC 3230 and RFC 2616 before it). Content-Type and Content-Language are not among
 * them: by GRIP an origin says with them what kind of items its channel has. Length and framing are the edge's.
 */
const OF_ONE_BODY = new Set([
  'accept-ranges',
  'content-digest',
  'content-encoding',
  'content-location',
  'content-md5',
  'content-range',
  'digest',
  'etag',
  'last-modified',
  'repr-digest',
]);

/** Those that are untrue as soon as a byte of the body changes, beside its ETag. */
const OF_ITS_BYTES = new Set([
  'accept-ranges',
  'content-digest',
  'content-md5',
  'content-range',
  'digest',
  'repr-digest',
]);

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
    weak[i + 1] = `W/${value}`;
  }
  return weak ?? kept;
}

/** The same for a body that goes out decoded. */
export function ofDecodedBody(headers: RawHeaders): RawHeaders {
  return without(ofChangedBytes(headers), CODING);
}

const CODING: ReadonlySet<string> = new Set(['content-encoding']);

function without(headers: RawHeaders, names: ReadonlySet<string>): RawHeaders {
  let kept: string[] | undefined;
  for (let i = 0; i < headers.length; i += 2) {
    if (names.has((headers[i] as string).toLowerCase())) kept ??= headers.slice(0, i);
    else kept?.push(headers[i] as string, headers[i + 1] as string);
  }
  return kept ?? headers;
}
