/** The content codings that node can make, their levels, and which one a client prefers. */
import type { Transform } from 'node:stream';
import * as zlib from 'node:zlib';
import Negotiator from 'negotiator';

/** Names as in Content-Encoding (RFC 9110 §8.4.1, RFC 7932, RFC 8878). */
export type Coding = 'gzip' | 'br' | 'zstd';

/** An encoder of node's, set to flush after every write. */
export type Encoder = Transform & { flush(done: () => void): void };

/** One coding as node makes it. */
export interface Codec {
  readonly coding: Coding;
  /** Encodes as bytes come, each chunk so that all of it can be read. */
  stream(): Encoder;
  /** Encodes in one go, in this turn of the event loop. */
  sync(body: Buffer): Buffer;
  /** Encodes in one go, elsewhere. */
  later(body: Buffer, done: (error: Error | null, encoded: Buffer) => void): void;
}

/**
 * An Accept-Encoding longer than so many characters is that of no client: it is not read, and counts as none.
 *
 * @limit {} characters of an Accept-Encoding of a client
 * @over it counts as absent
 */
export const MAX_ACCEPT_ENCODING = 1_024;

const { constants } = zlib;
const IDENTITY = 'identity';
const GZIP_LEVEL = 5;

const gzip: Codec = {
  coding: 'gzip',
  stream: () => zlib.createGzip({ level: GZIP_LEVEL, flush: constants.Z_SYNC_FLUSH }),
  sync: (body) => zlib.gzipSync(body, { level: GZIP_LEVEL }),
  later: (body, done) => zlib.gzip(body, { level: GZIP_LEVEL }, done),
};

/** Beyond these brotli takes several times as long, and some MiB for each answer. */
const brotliParams = { [constants.BROTLI_PARAM_QUALITY]: 4, [constants.BROTLI_PARAM_LGWIN]: 18 };

const brotli: Codec = {
  coding: 'br',
  stream: () => zlib.createBrotliCompress({ params: brotliParams, flush: constants.BROTLI_OPERATION_FLUSH }),
  sync: (body) => zlib.brotliCompressSync(body, { params: brotliParams }),
  later: (body, done) => zlib.brotliCompress(body, { params: brotliParams }, done),
};

/** What node has of it from 22.15 on, which the types for 20 do not know. */
interface ZstdLibrary {
  readonly createZstdCompress?: (options: object) => Encoder;
  readonly zstdCompressSync?: (body: Buffer) => Buffer;
  readonly zstdCompress?: (body: Buffer, done: (error: Error | null, encoded: Buffer) => void) => void;
  readonly constants: { readonly ZSTD_e_flush?: number };
}

function zstdOf(library: ZstdLibrary): Codec | undefined {
  const { createZstdCompress, zstdCompressSync, zstdCompress, constants } = library;
  if (createZstdCompress === undefined || zstdCompressSync === undefined || zstdCompress === undefined)
    return undefined;
  const stream = () => createZstdCompress({ flush: constants.ZSTD_e_flush });
  return { coding: 'zstd', stream, sync: zstdCompressSync, later: zstdCompress };
}

const zstd = zstdOf(zlib as unknown as ZstdLibrary);

const codecs: ReadonlyMap<string, Codec> = new Map(
  [gzip, brotli, zstd].flatMap((codec) => (codec === undefined ? [] : [[codec.coding, codec] as const])),
);

/** Every coding that this version of node has. */
export const availableCodings: readonly string[] = [...codecs.keys()];

/** The codec of this name; undefined where node has none. */
export function codecOf(coding: string): Codec | undefined {
  return codecs.get(coding);
}

/**
 * Which of these codings a client prefers, by the value of its Accept-Encoding (RFC 9110 §12.5.3); where it does not say,
 * the first. Undefined: the body is to go out as it is, which it is for clients that say nothing, too.
 */
export function preferredCoding(accept: string | undefined, offered: readonly string[]): string | undefined {
  if (accept === undefined || accept.length > MAX_ACCEPT_ENCODING || offered.length === 0) return undefined;
  const negotiator = new Negotiator({ headers: { 'accept-encoding': accept } });
  const [best] = negotiator.encodings([...offered, IDENTITY], { preferred: offered });
  return best === IDENTITY ? undefined : best;
}
