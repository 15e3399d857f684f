/**
 * Finds an item in the history of a channel by the id that its publisher gave.
 *
 * Owns: the script and its reply. Does not own: what follows the item (history.ts).
 */
import { script } from './script.js';

/**
 * Keys: meta, stream. Argument: id. Reply: epoch and offset of the newest item with this id, or nil. A history that is something else has none. Looks from the
 * newest to the oldest, as whoever comes back has usually missed little.
 */
export const findIdScript = script(`
local epoch = redis.call('HGET', KEYS[1], 'e')
if not epoch then return false end
local upper = '+'
while true do
  local part = redis.pcall('XREVRANGE', KEYS[2], upper, '-', 'COUNT', 100)
  for _, entry in ipairs(part) do
    if entry[2][6] == ARGV[1] then return {epoch, string.match(entry[1], '^%d+')} end
    upper = '(' .. entry[1]
  end
  if #part < 100 then return false end
end
`);

/** Reads the reply of {@link findIdScript}. */
export function parseFound(reply: unknown): { readonly epoch: string; readonly offset: number } | undefined {
  if (!Array.isArray(reply)) return undefined;
  const [epoch, offset] = reply as [string, string];
  return { epoch, offset: Number(offset) };
}
