/** Owns: reading a short request body whole. Does not own: what is in it. */
import type { ClientBody } from '../edge/edge.js';

/** So many chunks are made one: a body may come in as many as it has bytes, and each weighs more than it holds. */
const CHUNKS_MAX = 256;

/**
 * Calls `done` with the body once it is here, with undefined as soon as it is known to be longer than `max` bytes, and
 * never when the client breaks off. Without a body, at once.
 */
export function readWhole(
  body: ClientBody | undefined,
  max: number,
  done: (content: Buffer | undefined) => void,
): void {
  if (body === undefined) done(Buffer.alloc(0));
  else if ((body.length ?? 0) > max) done(undefined);
  else {
    let chunks: Buffer[] | undefined = [];
    let bytes = 0;
    body.read({
      onData: (chunk) => {
        bytes += chunk.length;
        if (bytes <= max) {
          if (chunks !== undefined && chunks.push(chunk) > CHUNKS_MAX) chunks = [Buffer.concat(chunks)];
        } else if (chunks !== undefined) {
          chunks = undefined;
          done(undefined);
        }
      },
      onEnd: () => {
        if (chunks !== undefined) done(Buffer.concat(chunks));
      },
      onAbort: () => {},
    });
  }
}
