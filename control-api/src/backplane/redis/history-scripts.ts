/** The scripts that read where channels stand and what their histories hold, with the form of their replies. */
import { script } from './connection/commands.js';

/** Where a channel stood at a moment. */
export interface ChannelHead {
  /** Empty if the channel has had no item, or not for so long that it was forgotten. */
  readonly epoch: string;
  /** The offset of the last item. */
  readonly top: number;
  /** The id of the last item. */
  readonly lastId: string;
  /** When the last item was accepted, in ms since the Unix epoch by the clock of Redis. */
  readonly time: number;
  /** What that clock showed when this was read. */
  readonly now: number;
  /** Why it is not known: the key holds something else. All but `now` is then as of a channel that has had no item. */
  readonly fault?: string;
}

/**
 * Keys: metas. Argument: meta ttl in ms, by which the meta of a channel somebody listens to is kept, or 0 to leave it as it is: looking at
 * it costs as much as reading it. Reply, per key: epoch, offset, id and time of the last item, and why these cannot be read; then the time.
 */
export const positionsScript = script(`
local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
local ttl = tonumber(ARGV[1])
local reply = {}
for i = 1, #KEYS do
  local m = redis.pcall('HMGET', KEYS[i], 'e', 's', 'l', 't')
  if ttl > 0 and m[1] and redis.call('PTTL', KEYS[i]) < ttl / 2 then redis.call('PEXPIRE', KEYS[i], ttl) end
  reply[#reply + 1] = m[1] or ''
  reply[#reply + 1] = m[2] or '0'
  reply[#reply + 1] = m[3] or ''
  reply[#reply + 1] = m[4] or '0'
  reply[#reply + 1] = m.err or ''
end
reply[#reply + 1] = tostring(now)
return reply
`);

/** Reads the reply of {@link positionsScript}: one head per key, in order. */
export function parseHeads(reply: unknown): ChannelHead[] {
  const fields = reply as readonly string[];
  const now = Number(fields.at(-1));
  const heads: ChannelHead[] = [];
  for (let i = 0; i + 5 <= fields.length; i += 5) {
    const [epoch = '', top, lastId = '', time, fault] = fields.slice(i, i + 5);
    heads.push({ epoch, top: Number(top), lastId, time: Number(time), now, ...(fault && { fault }) });
  }
  return heads;
}

/** One kept item. */
export interface Entry {
  readonly offset: number;
  /** See envelope.ts. */
  readonly payload: string;
  /** When it was accepted, in ms since the Unix epoch by the clock of Redis; not a number where that does not stand there. */
  readonly time: number;
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
  /** Why the entries cannot be read: the key of the history holds something else. Then there are no entries. */
  readonly fault: string | undefined;
}

/**
 * Keys: meta, stream. Arguments: epoch, offset to begin with, count, bytes. Begins with the oldest entry if the channel has
 * another epoch; a negative offset without an epoch counts back from the newest, which is -1. It ends with the one that makes up the bytes, but not with the first. Reply: epoch, offset, id of the last
 * item, entries as XRANGE gives them, `1` if there may be more, and why they cannot be read.
 */
export const rangeScript = script(`
local m = redis.call('HMGET', KEYS[1], 'e', 's', 'l')
if not m[1] then return {'', '0', '', {}, '0', ''} end
local from = '-'
if m[1] == ARGV[1] then
  from = ARGV[2] .. '-0'
elseif ARGV[1] == '' and tonumber(ARGV[2]) < 0 then
  from = string.format('%.0f', math.max(0, tonumber(m[2] or '0') + tonumber(ARGV[2]) + 1)) .. '-0'
end
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

/** The fields are those that the publish script writes: `d` first, then `t`. */
function parseEntry([id, fields]: readonly [string, readonly string[]]): Entry {
  return { offset: Number.parseInt(id, 10), payload: fields[1] ?? '', time: Number.parseInt(fields[3] ?? '', 10) };
}

/** Keys: stream. Forgets it; refuses one that is something else. */
export const removeScript = script(`
local part = redis.pcall('XRANGE', KEYS[1], '-', '+', 'COUNT', 1)
if part.err then return redis.error_reply(part.err) end
return redis.call('DEL', KEYS[1])
`);

/** Where the items since a moment begin. */
export interface Since {
  readonly epoch: string;
  /** The offset of the last item before them. */
  readonly before: number;
  /** The offset up to which items may be missing, because the history does not reach back far enough; else undefined. */
  readonly missing: number | undefined;
}

/**
 * Keys: meta, stream. Argument: the moment, in ms since the Unix epoch by the clock of Redis. Reply: epoch, offset of the
 * last older item, `1` if it is not kept itself.
 */
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

/**
 * Keys: meta, stream. Argument: id. Reply: epoch and offset of the newest item with this id, or nil. A history that is
 * something else has none. Looks from the newest to the oldest, as a client that comes back has usually missed little.
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
