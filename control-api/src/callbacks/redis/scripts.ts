/**
 * The scripts of callbacks in Redis. What one shard of them has, `CallbackKeys`, lies in one slot; the queue of a channel lies in that
 * channel's, and is filled by the publish script. A callback is a consumer group of the queue of each of its channels, under its id. There
 * is one consumer, whichever node it is: who keeps the shard reads on where the last keeper was killed.
 */
import { script } from '../../backplane/redis/connection/commands.js';

/** The only consumer of each group. */
export const CONSUMER = 'keeper';

/**
 * Callbacks of one channel: what a script does for one of them may look at all.
 *
 * @limit {} callbacks of a channel, with Redis
 * @over one more is refused, 503
 */
export const CHANNEL_CALLBACKS_MAX = 1_000;

/** How long a queue is kept that no node looks after, in ms: what is left of callbacks whose removal was cut short. */
export const QUEUE_TTL_MS = 30 * 24 * 3_600_000;

/** Keys: nodes. Arguments: node, ms without a sign after which a node counts no more. Reply: how many there are. */
export const signScript = script(`
local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
redis.call('ZADD', KEYS[1], now, ARGV[1])
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now - ARGV[2])
redis.call('PEXPIRE', KEYS[1], ARGV[2])
return redis.call('ZCARD', KEYS[1])
`);

/**
 * Keys: lease, version, ids. Arguments: node, ms of a lease, `1` where a shard that is free is taken. Reply: 0 where it is not this
 * node's, 1 where it is as before, 2 where it is from now on; the number of the last change; how many callbacks there are.
 */
export const leaseScript = script(`
local owner, held = redis.call('GET', KEYS[1]), 0
if owner == ARGV[1] then
  redis.call('PEXPIRE', KEYS[1], ARGV[2])
  held = 1
elseif not owner and ARGV[3] == '1' then
  redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
  held = 2
end
return { held, tonumber(redis.call('GET', KEYS[2]) or '0'), redis.call('ZCARD', KEYS[3]) }
`);

/** Keys: lease. Argument: node. */
export const releaseScript = script(`
if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end
return 0
`);

/** Keys: nodes. Argument: node. */
export const signOffScript = script("return redis.call('ZREM', KEYS[1], ARGV[1])");

/**
 * Keys: ids, version, record. Arguments: id, the version that the caller has seen (`0` for none), what it is, how it fares, most callbacks
 * of a shard. Reply: its version; 0 where another one was made meanwhile; -1 for one too many.
 */
export const putScript = script(`
local seen = redis.call('HGET', KEYS[3], 'v') or '0'
if seen ~= ARGV[2] then return 0 end
if seen == '0' and redis.call('ZCARD', KEYS[1]) >= tonumber(ARGV[5]) then return -1 end
local version = redis.call('INCR', KEYS[2])
redis.call('HSET', KEYS[3], 'd', ARGV[3], 's', ARGV[4], 'v', version)
redis.call('ZADD', KEYS[1], version, ARGV[1])
return version
`);

/** Keys: ids, version, record. Arguments: id, the version that it has to have, or nothing. Reply: whether it was removed. */
export const removeScript = script(`
if ARGV[2] ~= '' and redis.call('HGET', KEYS[3], 'v') ~= ARGV[2] then return 0 end
if redis.call('DEL', KEYS[3]) == 0 then return 0 end
redis.call('ZREM', KEYS[1], ARGV[1])
redis.call('INCR', KEYS[2])
return 1
`);

/** Keys: record. Reply: what it is, how it fares, its version. */
export const readScript = script("return redis.call('HMGET', KEYS[1], 'd', 's', 'v')");

/** Keys: record. Arguments: version, how it fares. Reply: whether it is still that one. */
export const noteScript = script(`
if redis.call('HGET', KEYS[1], 'v') ~= ARGV[1] then return 0 end
redis.call('HSET', KEYS[1], 's', ARGV[2])
return 1
`);

/**
 * Callbacks by their last change. Keys: ids. Arguments: what the keys of records begin with, the change after which they come, most of
 * them. Reply, for each: the number of its change, what it is, how it fares.
 */
export const changedScript = script(`
local reply = {}
local found = redis.call('ZRANGEBYSCORE', KEYS[1], '(' .. ARGV[2], '+inf', 'WITHSCORES', 'LIMIT', 0, ARGV[3])
for i = 1, #found, 2 do
  local record = redis.call('HMGET', ARGV[1] .. found[i], 'd', 's')
  for _, value in ipairs({ found[i + 1], record[1] or '', record[2] or '' }) do reply[#reply + 1] = value end
end
return reply
`);

/** Keys: ids. Reply: how many there are. */
export const countScript = script("return redis.call('ZCARD', KEYS[1])");

/** Keys: ids. */
export const idsScript = script("return redis.call('ZRANGE', KEYS[1], 0, -1)");

/**
 * Makes the group of a callback, unless it is there. Keys: queue. Arguments: group, ms that the queue is kept, most groups. Reply: the number
 * of the last item that the group was given, and `1` where it was made; -1 where that would be one too many.
 */
export const openScript = script(`
local made = redis.pcall('XGROUP', 'CREATE', KEYS[1], ARGV[1], '$', 'MKSTREAM')
local isNew = not made.err
if made.err and not string.find(made.err, 'BUSYGROUP', 1, true) then return made end
local groups = redis.call('XINFO', 'GROUPS', KEYS[1])
if isNew and #groups > tonumber(ARGV[3]) then
  redis.call('XGROUP', 'DESTROY', KEYS[1], ARGV[1])
  return -1
end
redis.call('PEXPIRE', KEYS[1], ARGV[2])
for _, group in ipairs(groups) do
  local about = {}
  for i = 1, #group, 2 do about[group[i]] = group[i + 1] end
  if about.name == ARGV[1] then return { string.match(about['last-delivered-id'], '^%d+'), isNew and 1 or 0 } end
end
return { '0', 0 }
`);

/**
 * Reads what waits. Keys: queue. Arguments: group, consumer, `>` or the id after which items come that were given before, most of them,
 * ms that the queue is kept. Reply: -1 where there is no such group; else for each its id, payload, place and time, the latter three
 * empty where it is not kept any more.
 */
export const takeScript = script(`
local read = redis.pcall('XREADGROUP', 'GROUP', ARGV[1], ARGV[2], 'COUNT', ARGV[4], 'STREAMS', KEYS[1], ARGV[3])
if not read then return {} end
if read.err then
  if string.find(read.err, 'NOGROUP', 1, true) then return -1 end
  return read
end
redis.call('PEXPIRE', KEYS[1], ARGV[5])
local reply = {}
for _, entry in ipairs(read[1][2]) do
  local about, fields = {}, entry[2] or {}
  for i = 1, #fields, 2 do about[fields[i]] = fields[i + 1] end
  for _, value in ipairs({ entry[1], about.d or '', about.p or '', about.t or '' }) do reply[#reply + 1] = value end
end
return reply
`);

/**
 * Is done with items. Keys: queue. Arguments: group, `1` where what all groups are done with is let go of, ids. The last item stays: it has
 * the number after which those of the next one are counted.
 */
export const doneScript = script(`
if redis.call('EXISTS', KEYS[1]) == 0 then return 0 end
local count = redis.call('XACK', KEYS[1], ARGV[1], unpack(ARGV, 3))
if ARGV[2] ~= '1' then return count end
local least
for _, group in ipairs(redis.call('XINFO', 'GROUPS', KEYS[1])) do
  local about = {}
  for i = 1, #group, 2 do about[group[i]] = group[i + 1] end
  local id = about['last-delivered-id']
  if about.pending > 0 then id = redis.call('XPENDING', KEYS[1], about.name)[2] or id end
  local number = tonumber(string.match(id, '^%d+'))
  if not least or number < least then least = number end
end
if least then redis.call('XTRIM', KEYS[1], 'MINID', string.format('%.0f-0', least)) end
return count
`);

/** Ends a group, and the queue with the last one. Keys: queue. Argument: group. */
export const closeScript = script(`
if redis.call('EXISTS', KEYS[1]) == 0 then return 0 end
local ended = redis.call('XGROUP', 'DESTROY', KEYS[1], ARGV[1])
if #redis.call('XINFO', 'GROUPS', KEYS[1]) == 0 then redis.call('DEL', KEYS[1]) end
return ended
`);

/** How much waits for a group. Keys: queue. Argument: group. */
export const backlogScript = script(`
local groups = redis.pcall('XINFO', 'GROUPS', KEYS[1])
if groups.err then return 0 end
for _, group in ipairs(groups) do
  local about = {}
  for i = 1, #group, 2 do about[group[i]] = group[i + 1] end
  if about.name == ARGV[1] then
    local function numberOf(entries) return entries[1] and tonumber(string.match(entries[1][1], '^%d+')) or 0 end
    local newest = numberOf(redis.call('XREVRANGE', KEYS[1], '+', '-', 'COUNT', 1))
    local oldest = numberOf(redis.call('XRANGE', KEYS[1], '-', '+', 'COUNT', 1))
    local given = tonumber(string.match(about['last-delivered-id'], '^%d+'))
    return about.pending + newest - math.min(newest, math.max(given, oldest - 1))
  end
end
return 0
`);
