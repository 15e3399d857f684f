/**
 * Reading a request body.
 *
 * Owns: collecting it up to a limit. Does not own: its meaning, and what becomes of a body that is too large.
 */
import type { IncomingMessage } from 'node:http';

/**
 * The whole body; `too-large` as soon as it exceeds `limit` bytes (the rest is then read and thrown away as long as
 * the connection lasts); `aborted` if the connection ends first. Never rejects. With Content-Length as with chunked
 * framing.
 */
export function readBody(request: IncomingMessage, limit: number): Promise<Buffer | 'too-large' | 'aborted'> {
  return new Promise((resolve) => {
    let chunks: Buffer[] = [];
    let size = 0;
    request.on('data', (chunk: Buffer) => {
      size += chunk.length;
      if (size <= limit) {
        chunks.push(chunk);
      } else {
        chunks = [];
        resolve('too-large');
      }
    });
    request.on('end', () => {
      resolve(chunks.length === 1 ? (chunks[0] as Buffer) : Buffer.concat(chunks));
    });
    // An abort is an 'error' (ECONNRESET) followed by 'close'; without a listener the former ends the process.
    request.on('error', () => resolve('aborted'));
    request.on('close', () => resolve('aborted'));
  });
}
