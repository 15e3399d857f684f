/** Reading a request body up to a limit, and undoing its Content-Encoding (RFC 9110 §8.4). */
import type { IncomingHttpHeaders, IncomingMessage } from 'node:http';
import * as zlib from 'node:zlib';

/**
 * The whole body; `too-large` as soon as it exceeds `limit` bytes (the rest is then read and thrown away as long as
 * the connection lasts); `aborted` if the connection ends first. Never rejects. With Content-Length as with chunked
 * framing. `kept` is called with the size of each piece that is kept, and may destroy the connection.
 */
export function readBody(
  request: IncomingMessage,
  limit: number,
  kept: (bytes: number) => void,
): Promise<Buffer | 'too-large' | 'aborted'> {
  return new Promise((resolve) => {
    // NaN without a length, which no size equals.
    const length = Number(request.headers['content-length']);
    let chunks: Buffer[] = [];
    let size = 0;
    const finish = () => resolve(chunks.length === 1 ? (chunks[0] as Buffer) : Buffer.concat(chunks));
    request.on('data', (chunk: Buffer) => {
      size += chunk.length;
      if (size <= limit) {
        chunks.push(chunk);
        // With its last byte and not with the stream's end, which node emits some ticks later.
        if (size === length) finish();
        else kept(chunk.length);
      } else {
        chunks = [];
        resolve('too-large');
      }
    });
    request.on('end', finish);
    // A stream that has been read from gives what comes at once, without waiting for a tick.
    request.read(0);
    // An abort is an 'error' (ECONNRESET) followed by 'close'; without a listener the former ends the process.
    request.on('error', () => resolve('aborted'));
    request.on('close', () => resolve('aborted'));
  });
}

/** Undoes one coding; throws where the bytes are none of it, or become more than `limit`. */
type Decode = (body: Buffer, limit: number) => Buffer;

/** Newer versions of node have it. */
type Zstd = (body: Buffer, options: { maxOutputLength: number; params: Record<number, number> }) => Buffer;

const zstd = (zlib as { zstdDecompressSync?: Zstd }).zstdDecompressSync;

/** `ZSTD_d_windowLogMax`: what decoders have to support, 8 MiB (RFC 8878 §3.1.1.1.2); a frame can ask for 2 GiB. */
const ZSTD_WINDOW = { 100: 23 };

const codings: Readonly<Record<string, Decode>> = {
  gzip: (body, maxOutputLength) => zlib.gunzipSync(body, { maxOutputLength }),
  deflate: (body, maxOutputLength) =>
    (isZlib(body) ? zlib.inflateSync : zlib.inflateRawSync)(body, { maxOutputLength }),
  br: (body, maxOutputLength) => zlib.brotliDecompressSync(body, { maxOutputLength }),
  ...(zstd && {
    zstd: (body: Buffer, maxOutputLength: number) => zstd(body, { maxOutputLength, params: ZSTD_WINDOW }),
  }),
};

/** For `Accept-Encoding` of a 415. */
export const acceptedCodings = Object.keys(codings).join(', ');

/**
 * The coding of a body: undefined for none, `unknown` for one that is not taken, as for several, one on top of the other.
 */
export function codingOf(headers: IncomingHttpHeaders): string | undefined {
  const names = (headers['content-encoding'] ?? '')
    .split(',')
    .map((name) => name.trim().toLowerCase())
    .filter((name) => name !== '' && name !== 'identity');
  const [name, ...more] = names;
  if (name === undefined) return undefined;
  const known = name === 'x-gzip' ? 'gzip' : name;
  return more.length === 0 && Object.hasOwn(codings, known) ? known : 'unknown';
}

/**
 * The body without a coding that {@link codingOf} knows: `too-large` if it is more than `limit` bytes, `malformed` if it is not
 * in that coding, or cut short. At once, and not on another thread: what is published by pipelined requests keeps its order, and
 * it takes no longer than parsing what comes out.
 */
export function decodeBody(body: Buffer, coding: string, limit: number): Buffer | 'too-large' | 'malformed' {
  try {
    return (codings[coding] as Decode)(body, limit);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'ERR_BUFFER_TOO_LARGE' ? 'too-large' : 'malformed';
  }
}

/** `deflate` is zlib (RFC 1950), but some send it without its head. */
function isZlib(body: Buffer): boolean {
  return body.length >= 2 && ((body[0] as number) & 0x0f) === 8 && body.readUInt16BE(0) % 31 === 0;
}
