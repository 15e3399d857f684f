/** Owns: reading a short request body whole. Does not own: what is in it. */
import type { ClientBody } from '../edge/port.js';
import { KeptBytes } from '../runtime/kept-bytes.js';

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
    let kept: KeptBytes | undefined = new KeptBytes();
    body.read({
      onData: (chunk) => {
        kept?.add(chunk);
        if (kept !== undefined && kept.length > max) {
          kept = undefined;
          done(undefined);
        }
      },
      onEnd: () => {
        if (kept !== undefined) done(kept.whole());
      },
      onAbort: () => {},
    });
  }
}
