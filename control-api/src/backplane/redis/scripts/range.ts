/**
 * Reads items from the history of a channel, together with where the channel stands.
 *
 * Owns: the script and its reply. Does not own: whether anything is missing (cursor.ts, history.ts).
 */
import { script } from './script.js';

/** One kept item. */
export interface Entry {
  readonly offset: number;
  /** See envelope.ts. */
  readonly payload: string;
}

/** A part of a history, read at one moment. */
export interface Range {
  readonly epoch: string;
  readonly top: number;
  readonly lastId: string;
  /** In order; of the epoch above. */
  readonly entries: readonly Entry[];
  /** There may be more entries after these. */
  readonly more: boolean;
  /** Why the entries cannot be read: the key of the history holds something else. There are none then. */
  readonly fault: string | undefined;
}

/**
 * Keys: meta, stream. Arguments: epoch, offset to begin with, count, bytes. Begins with the oldest entry if the channel has
 * another epoch, and ends with the one that makes up the bytes, but not with the first. Reply: epoch, offset, id of the last
 * item, entries as XRANGE gives them, `1` if there may be more, and why they cannot be read.
 */
export const rangeScript = script(`
local m = redis.call('HMGET', KEYS[1], 'e', 's', 'l')
if not m[1] then return {'', '0', '', {}, '0', ''} end
local from = '-'
if m[1] == ARGV[1] then from = ARGV[2] .. '-0' end
local left, bytes, list = tonumber(ARGV[3]), tonumber(ARGV[4]), {}
local more = '1'
while left > 0 and (bytes > 0 or #list < 2) do
  local step = math.min(left, 64)
  local part = redis.pcall('XRANGE', KEYS[2], from, '+', 'COUNT', step)
  if part.err then return {m[1], m[2] or '0', m[3] or '', {}, '0', part.err} end
  for _, entry in ipairs(part) do
    if bytes <= 0 and #list >= 2 then break end
    list[#list + 1] = entry
    from = '(' .. entry[1]
    for _, field in ipairs(entry[2]) do bytes = bytes - #field end
  end
  left = left - #part
  if #part < step then
    if bytes > 0 then more = '0' end
    break
  end
end
return {m[1], m[2] or '0', m[3] or '', list, more, ''}
`);

/** Reads the reply of {@link rangeScript}. */
export function parseRange(reply: unknown): Range {
  const [epoch, top, lastId, list, more, fault] = reply as [
    string,
    string,
    string,
    readonly [string, readonly string[]][],
    string,
    string,
  ];
  const entries = list.map(parseEntry);
  return { epoch, top: Number(top), lastId, entries, more: more === '1', fault: fault || undefined };
}

/** The fields are those that the publish script writes: `d` first. */
function parseEntry([id, fields]: readonly [string, readonly string[]]): Entry {
  return { offset: Number.parseInt(id, 10), payload: fields[1] ?? '' };
}
