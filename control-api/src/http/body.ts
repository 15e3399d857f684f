/**
 * Reading a request body.
 *
 * Owns: collecting it up to a limit. Does not own: its meaning, and what becomes of a body that is too large.
 */
import type { IncomingMessage } from 'node:http';

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
        // With its last byte and not with the stream's end, which node tells some ticks later.
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
