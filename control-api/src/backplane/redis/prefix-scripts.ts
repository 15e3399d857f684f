/** The scripts by which nodes agree which prefixes are published to, with the form of their replies. */
import { script } from './connection/commands.js';
import { MAX_PREFIXES, PREFIX_TTL_MS } from './limits.js';

/**
 * Keys: see `PrefixKeys`. Arguments: prefixes. Keeps them for {@link PREFIX_TTL_MS} from now, and forgets those whose time is over.
 * Reply: which of them were not there, and which are too many. The version changes when the set does, after it: what is published
 * from then on goes by the new set, for the publish script looks at the version.
 */
export const wantPrefixesScript = script(`
local call, clock = redis.call, redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
local changed = call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now) > 0
local count, added, refused = call('ZCARD', KEYS[1]), {}, {}
for i = 1, #ARGV do
  local isNew = not call('ZSCORE', KEYS[1], ARGV[i])
  if isNew and count >= ${MAX_PREFIXES} then
    refused[#refused + 1] = ARGV[i]
  else
    call('ZADD', KEYS[1], string.format('%.0f', now + ${PREFIX_TTL_MS}), ARGV[i])
    if isNew then
      added[#added + 1], count, changed = ARGV[i], count + 1, true
    end
  end
end
call('PEXPIRE', KEYS[1], ${2 * PREFIX_TTL_MS})
if changed or call('EXISTS', KEYS[2]) == 0 then
  call('SET', KEYS[2], clock[1] .. '.' .. clock[2], 'PX', ${2 * PREFIX_TTL_MS})
else
  call('PEXPIRE', KEYS[2], ${2 * PREFIX_TTL_MS})
end
return {added, refused}
`);

/** What became of prefixes that are wanted. */
export interface WantedPrefixes {
  /** They were not published to before: what was accepted up to now did not go to them. */
  readonly added: readonly string[];
  /** There are too many. */
  readonly refused: readonly string[];
}

/** Reads the reply of {@link wantPrefixesScript}. */
export function parseWanted(reply: unknown): WantedPrefixes {
  const [added, refused] = reply as [readonly string[], readonly string[]];
  return { added, refused };
}

/** Keys: see `PrefixKeys`. Reply: the version, empty where there is none, and the prefixes, {@link MAX_PREFIXES} at most. */
export const readPrefixesScript = script(`
return {redis.call('GET', KEYS[2]) or '', redis.call('ZREVRANGE', KEYS[1], 0, ${MAX_PREFIXES - 1})}
`);

/** Reads the reply of {@link readPrefixesScript}. */
export function parsePrefixes(reply: unknown): { readonly version: string; readonly prefixes: readonly string[] } {
  const [version, prefixes] = reply as [string, readonly string[]];
  return { version, prefixes };
}
