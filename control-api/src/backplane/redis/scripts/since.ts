/**
 * Finds where the items begin that were accepted since a moment.
 *
 * Owns: the script and its reply. Does not own: why anybody asks (interest.ts).
 */
import { script } from './script.js';

/** Where the items since a moment begin. */
export interface Since {
  readonly epoch: string;
  /** The offset of the last item before them. */
  readonly before: number;
  /** The offset up to which items may be missing, because the history does not reach back far enough; else undefined. */
  readonly missing: number | undefined;
}

/** Keys: meta, stream. Argument: the moment, in ms since the Unix epoch by the clock of Redis. Reply: epoch, offset of the last older item, `1` if it is not kept itself. */
export const sinceScript = script(`
local m = redis.call('HMGET', KEYS[1], 'e', 's')
if not m[1] then return {'', '0', '0'} end
local since = tonumber(ARGV[1])
local oldest, upper = tonumber(m[2]) + 1, '+'
while true do
  local part = redis.pcall('XREVRANGE', KEYS[2], upper, '-', 'COUNT', 100)
  for _, entry in ipairs(part) do
    local offset = string.match(entry[1], '^%d+')
    if (tonumber(entry[2][4] or '') or 0) < since then return {m[1], offset, '0'} end
    oldest, upper = tonumber(offset), '(' .. entry[1]
  end
  if #part < 100 then break end
end
return {m[1], string.format('%.0f', oldest - 1), oldest > 1 and '1' or '0'}
`);

/** Reads the reply of {@link sinceScript}. */
export function parseSince(reply: unknown): Since {
  const [epoch, before, missing] = reply as [string, string, string];
  return { epoch, before: Number(before), missing: missing === '1' ? Number(before) : undefined };
}
