/**
 * The scripts that count in Redis, and the form of their replies. What one shard has lies in one slot:
 *
 * - `beats`: sorted set of nodes, by the time of their last heartbeat in ms;
 * - `dying`: set of nodes whose members are being taken out;
 * - `counts`: hash of keys, see `keyOf`, with the number of nodes that have them;
 * - `sizes`: hash of groups, with the number of their members;
 * - `seq`: the number of the last edge;
 * - one set for each node, of the keys that it has.
 *
 * A count changes only together with the set of the node, so that reports can be repeated.
 */
import { script } from '../backplane/redis/connection/commands.js';
import { HEARTBEAT_MS } from '../cluster/redis.js';
import { type OccupancyEdge, readKey } from './occupancy.js';

/**
 * How long counts are kept of which no node takes care, in ms.
 *
 * @limit {s} that counts are kept in Redis after the last node has gone
 * @over they are forgotten, and nobody is reported as having left
 */
export const COUNTS_TTL_MS = 3_600_000;

/** KEYS of all scripts, in order: beats, dying, counts, sizes, seq, the set of the calling node. */
const COMMON = `
local beats, dying, counts, sizes, seqs, own = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5], KEYS[6]
local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
local micros = clock[1] * 1000000 + clock[2]
local seq = tonumber(redis.call('GET', seqs) or '0')
local reply = {}
local function edge(key, occupied)
  local digits = string.match(key, '^%d+')
  if not digits then return end
  local group = string.sub(key, #digits + 2, #digits + 1 + tonumber(digits))
  local size = redis.call('HINCRBY', sizes, group, occupied and 1 or -1)
  if size <= 0 then
    redis.call('HDEL', sizes, group)
    size = 0
  end
  seq = math.max(seq + 1, micros)
  reply[#reply + 1] = key
  reply[#reply + 1] = occupied and '1' or '0'
  reply[#reply + 1] = tostring(size)
  reply[#reply + 1] = string.format('%.0f', seq)
end
local function without(key)
  if redis.call('HINCRBY', counts, key, -1) > 0 then return end
  redis.call('HDEL', counts, key)
  edge(key, false)
end
local function isKnown(node, isNew)
  if isNew ~= '1' and not redis.call('ZSCORE', beats, node) then return false end
  redis.call('ZADD', beats, now, node)
  redis.call('SREM', dying, node)
  return true
end
local function done()
  if #reply > 0 then redis.call('SET', seqs, string.format('%.0f', seq)) end
  for i = 1, #KEYS do redis.call('PEXPIRE', KEYS[i], ${COUNTS_TTL_MS}) end
  return reply
end
`;

/**
 * Reports what a node has. Arguments: node, whether it is new ('1' or '0'), then pairs of a key and '1' or '0'. Reply: edges; nothing
 * where the node is not new and was forgotten: then nothing has changed, and it has to report all that it has.
 */
export const reportScript = script(`${COMMON}
if not isKnown(ARGV[1], ARGV[2]) then return false end
for i = 3, #ARGV, 2 do
  if ARGV[i + 1] == '1' then
    if redis.call('SADD', own, ARGV[i]) == 1 and redis.call('HINCRBY', counts, ARGV[i], 1) == 1 then edge(ARGV[i], true) end
  elseif redis.call('SREM', own, ARGV[i]) == 1 then
    without(ARGV[i])
  end
end
return done()
`);

/**
 * A heartbeat, which also takes out what dead nodes had. Arguments: node, whether it is new, ms without a heartbeat after which a node is
 * dead, most keys to take out, what the name of a node's set begins with. Reply: '1' where the node was forgotten, '1' where more has to
 * be taken out, edges.
 */
export const beatScript = script(`${COMMON}
-- Where no node could beat, Redis was away: all of them have another chance, or those who are late would count as dead.
local newest = redis.call('ZREVRANGE', beats, 0, 0, 'WITHSCORES')[2]
if newest and now - tonumber(newest) > ${2 * HEARTBEAT_MS} then
  for _, node in ipairs(redis.call('ZRANGE', beats, 0, -1)) do redis.call('ZADD', beats, now, node) end
end
local lost = not isKnown(ARGV[1], ARGV[2])
for _, dead in ipairs(redis.call('ZRANGEBYSCORE', beats, '-inf', now - ARGV[3])) do
  redis.call('ZREM', beats, dead)
  redis.call('SADD', dying, dead)
end
local left = tonumber(ARGV[4])
local more = false
while true do
  local dead = redis.call('SRANDMEMBER', dying)
  if not dead then break end
  if left <= 0 then
    more = true
    break
  end
  local keys = redis.call('SPOP', ARGV[5] .. dead, left)
  for _, key in ipairs(keys) do without(key) end
  if #keys < left then redis.call('SREM', dying, dead) end
  left = left - #keys
end
local edges = done()
table.insert(edges, 1, more and '1' or '0')
table.insert(edges, 1, lost and '1' or '0')
return edges
`);

/** The node ends. Arguments: node, ms as above, ms after which it is to count as dead: others take over its clients meanwhile. */
export const endScript = script(`${COMMON}
if redis.call('SCARD', own) == 0 then
  redis.call('ZREM', beats, ARGV[1])
elseif redis.call('ZSCORE', beats, ARGV[1]) then
  redis.call('ZADD', beats, now - ARGV[2] + ARGV[3], ARGV[1])
end
return 1
`);

/** Reads the edges of a reply, which begin at this place. `noteOf` is asked for those that are there. */
export function parseEdges(
  reply: readonly string[],
  from: number,
  noteOf: (key: string) => string | undefined,
): OccupancyEdge[] {
  const edges: OccupancyEdge[] = [];
  for (let i = from; i + 4 <= reply.length; i += 4) {
    const [key = '', is, size, seq] = reply.slice(i, i + 4);
    const names = readKey(key);
    if (names === undefined) continue;
    const occupied = is === '1';
    edges.push({ ...names, occupied, size: Number(size), seq: Number(seq), note: occupied ? noteOf(key) : undefined });
  }
  return edges;
}
