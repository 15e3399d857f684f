/**
 * A Lua script that runs inside Redis.
 *
 * Owns: its text and digest. Does not own: sending it (commands.ts).
 */
import { createHash } from 'node:crypto';

/** A script and the name under which Redis caches it. */
export interface Script {
  readonly lua: string;
  /** SHA-1 in hexadecimal. */
  readonly sha: string;
}

/** Makes a script of its text. */
export function script(lua: string): Script {
  return { lua, sha: createHash('sha1').update(lua).digest('hex') };
}
