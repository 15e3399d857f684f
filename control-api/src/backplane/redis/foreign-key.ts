/**
 * Keys of ours that hold something else.
 *
 * Owns: what is said of them. Does not own: what is done then (scripts).
 */

/** For logs, after the words of Redis. */
export const FOREIGN_KEY =
  'a key under redis_prefix is of another type, so another program uses the same prefix: delete the key, or choose another prefix';
