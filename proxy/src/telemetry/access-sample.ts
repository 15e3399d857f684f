/** Which requests are in the sample of the access log. */

/** FNV-1a, 32 bits: the offset basis and the prime. */
const BASIS = 0x811c9dc5;
const PRIME = 0x01000193;

/**
 * Whether the request of this id is among the share (0 to 1) that is logged. Its id alone decides, so that all lines of one
 * request are there or none, without a mark that a hold would have to keep; ids that follow each other are spread evenly.
 */
export function isSampled(id: string, share: number): boolean {
  let hash = BASIS;
  for (let i = 0; i < id.length; i++) hash = Math.imul(hash ^ id.charCodeAt(i), PRIME);
  // The last characters, in which neighbours differ, have to reach the high bits: the finalizer of MurmurHash3.
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return ((hash ^ (hash >>> 16)) >>> 0) / 2 ** 32 < share;
}
