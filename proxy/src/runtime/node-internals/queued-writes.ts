/** Counts the writes that wait in a stream of node's: each takes memory beside its bytes, even if it is of one byte. */
import type { Writable } from 'node:stream';

/**
 * What a write counts beside its bytes: measured, 40 for one whose buffer is shared with others, 145 for one with a buffer
 * of its own.
 *
 * @limit {} bytes that each write counts on top of its own, where what waits for a client is counted
 * @over –
 */
export const WRITE_BYTES = 64;

interface Inside {
  /** By names that have been the same since node 14. */
  readonly _writableState?: { readonly buffered?: readonly unknown[]; readonly bufferedIndex?: number };
}

/** How many writes wait for those that the kernel has been given; 0 where this version of node does not show it. */
export function queuedWrites(stream: Writable): number {
  const { buffered, bufferedIndex = 0 } = (stream as unknown as Inside)._writableState ?? {};
  return buffered === undefined ? 0 : buffered.length - bufferedIndex;
}
