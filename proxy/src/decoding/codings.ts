/** The content codings that this node can take off a body, and those that a head declares (RFC 9110 §8.4). */
import type { Transform } from 'node:stream';
import * as zlib from 'node:zlib';
import { headerValues, type RawHeaders } from '@holdfast/grip';
import { OriginError } from '../errors.js';

/**
 * Most codings of one body, one in the other. Each of them can make a thousand bytes of one.
 *
 * @limit {} content codings, one inside the other, of an answer that Holdfast decodes. Decoded bytes count towards the
 *   limit of the reader
 * @over 502, `ERR_ORIGIN_CODING`
 */
export const CODINGS_MAX = 3;

/**
 * Greatest window of zstd, as a power of two: 8 MiB, which RFC 9659 allows. What asks for more is refused.
 *
 * @limit {} as the power of two of the largest zstd window: 8 MiB
 * @over 502, `ERR_ORIGIN_CODING`
 */
export const ZSTD_WINDOW_LOG = 23;

/** Makes the stream that takes a coding off; given the first byte of the body. */
export type Coding = (first: number) => Transform;

/** What newer versions of node have beside what the types of the oldest one know. */
interface NewerZlib {
  createZstdDecompress?(options: { readonly params: Readonly<Record<number, number>> }): Transform;
  readonly constants: { readonly ZSTD_d_windowLogMax?: number };
}

const { createZstdDecompress, constants } = zlib as unknown as NewerZlib;

/**
 * Most servers mean the format of zlib by deflate, as the name does (RFC 9110 §8.4.1.2), and some bare deflate. The first byte of
 * the former has 8 in its lower half (RFC 1950 §2.2), which no encoder begins the latter with.
 */
const deflate: Coding = (first) => ((first & 0x0f) === 8 ? zlib.createInflate() : zlib.createInflateRaw());

const CODINGS: ReadonlyMap<string, Coding> = new Map([
  ['gzip', () => zlib.createGunzip()],
  ['x-gzip', () => zlib.createGunzip()],
  ['deflate', deflate],
  ['br', () => zlib.createBrotliDecompress()],
  ...zstd(),
]);

function zstd(): [string, Coding][] {
  if (createZstdDecompress === undefined) return [];
  const params = { [constants.ZSTD_d_windowLogMax ?? 100]: ZSTD_WINDOW_LOG };
  return [['zstd', () => createZstdDecompress({ params })]];
}

/**
 * The codings of a body, in the order in which they are to be taken off; empty for one that is as it is. Throws an OriginError
 * ERR_ORIGIN_CODING for one that this node does not know, and for more than {@link CODINGS_MAX}.
 */
export function codingsOf(headers: RawHeaders): readonly Coding[] {
  const values = headerValues(headers, 'content-encoding');
  if (values.length === 0) return NONE;
  const codings: Coding[] = [];
  for (const part of values.join(',').split(',')) {
    const name = part.trim().toLowerCase();
    if (name === '' || name === 'identity') continue;
    const coding = CODINGS.get(name);
    if (coding === undefined)
      throw codingError(`its Content-Encoding '${shortened(name)}' is not one that can be decoded`);
    if (codings.push(coding) > CODINGS_MAX) throw codingError(`it has more than ${CODINGS_MAX} content codings`);
  }
  return codings.reverse();
}

const NONE: readonly Coding[] = [];

/** An answer that must be read and cannot be decoded. */
export function codingError(why: string, cause?: Error): OriginError {
  const text = `The origin's answer cannot be read: ${why}`;
  return new OriginError('ERR_ORIGIN_CODING', text, 'no', cause && { cause });
}

function shortened(name: string): string {
  return name.length > 40 ? `${name.slice(0, 40)}…` : name;
}
