/**
 * The scripts that count in Redis, and the form of their replies. What one shard has lies in one slot:
 *
 * - `beats`: sorted set of nodes, by the time of their last heartbeat in ms;
 * - `dying`: set of nodes whose members are being taken out;
 * - `counts`: hash of keys, see `keyOf`, with the number of nodes that have them;
 * - `sizes`: hash of groups, with the number of their members;
 * - `seq`: the number of the last edge;
 * - one set for each node, of the keys that it has;
 * - `last` of each node: the number of its last call, a space, and the edges of its reply as a JSON list.
 *
 * A count changes only together with the set of the node, so that reports can be repeated. The edges are given again then: a node numbers its
 * calls and says which was the last whose reply has come. Where there is a later one, a call does nothing but return its edges.
 * So a reply that is lost or late loses none, and nothing comes of a call that arrives after its successors, out of a dead connection.
 *
 * The first arguments of all scripts are: node, whether it is new ('1' or '0'), number of the call, number of the last call whose reply has
 * come. All replies begin with a {@link CallState}, after which come edges.
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

/**
 * What became of a call. `lost`: the node is not new and was forgotten; nothing has changed, no edges come, and it has to report all that it
 * has. `again`: nothing was done, for these are the edges of an earlier call. `more`: dead nodes have left more to take out.
 */
export type CallState = 'done' | 'more' | 'again' | 'lost';

/** KEYS of all scripts, in order: beats, dying, counts, sizes, seq, the set of the calling node, and its last call. */
const COMMON = `
local beats, dying, counts, sizes, seqs, own, last = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5], KEYS[6], KEYS[7]
local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
local micros = clock[1] * 1000000 + clock[2]
local seq = tonumber(redis.call('GET', seqs) or '0')
-- A key of another program fails here, before anything is written.
redis.call('HLEN', counts)
redis.call('HLEN', sizes)
redis.call('SCARD', own)
redis.call('SCARD', dying)
local kept = redis.call('GET', last)
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
local function isKnown()
  if ARGV[2] ~= '1' and not redis.call('ZSCORE', beats, ARGV[1]) then return false end
  redis.call('ZADD', beats, now, ARGV[1])
  redis.call('SREM', dying, ARGV[1])
  return true
end
local function unseen()
  local number, edges = string.match(kept or '', '^(%d+) (.*)$')
  return number and tonumber(number) > tonumber(ARGV[4]) and cjson.decode(edges)
end
local function with(state, edges)
  table.insert(edges, 1, state)
  return edges
end
local function done(state)
  if #reply > 0 then redis.call('SET', seqs, string.format('%.0f', seq)) end
  redis.call('SET', last, ARGV[3] .. ' ' .. cjson.encode(reply))
  for i = 1, #KEYS do redis.call('PEXPIRE', KEYS[i], ${COUNTS_TTL_MS}) end
  return with(state, reply)
end
`;

/** Goes before what may change counts. */
const BEGIN = `
if not isKnown() then return {'lost'} end
local before = unseen()
if before then return with('again', before) end
`;

/** Reports what a node has. Further arguments: pairs of a key and '1' or '0'. */
export const reportScript = script(`${COMMON}${BEGIN}
for i = 5, #ARGV, 2 do
  if ARGV[i + 1] == '1' then
    if redis.call('SADD', own, ARGV[i]) == 1 and redis.call('HINCRBY', counts, ARGV[i], 1) == 1 then edge(ARGV[i], true) end
  elseif redis.call('SREM', own, ARGV[i]) == 1 then
    without(ARGV[i])
  end
end
return done('done')
`);

/**
 * A heartbeat, which also takes out what dead nodes had. Further arguments: ms without a heartbeat after which a node is dead, most keys to
 * take out, what the name of a node's set begins with.
 */
export const beatScript = script(`${COMMON}
-- Where no node could beat, Redis was away: all of them have another chance, or those who are late would count as dead.
local newest = redis.call('ZREVRANGE', beats, 0, 0, 'WITHSCORES')[2]
if newest and now - tonumber(newest) > ${2 * HEARTBEAT_MS} then
  for _, node in ipairs(redis.call('ZRANGE', beats, 0, -1)) do redis.call('ZADD', beats, now, node) end
end
${BEGIN}
for _, dead in ipairs(redis.call('ZRANGEBYSCORE', beats, '-inf', now - ARGV[5])) do
  redis.call('ZREM', beats, dead)
  redis.call('SADD', dying, dead)
end
local left = tonumber(ARGV[6])
local state = 'done'
while true do
  local dead = redis.call('SRANDMEMBER', dying)
  if not dead then break end
  if left <= 0 then
    state = 'more'
    break
  end
  local keys = redis.call('SPOP', ARGV[7] .. dead, left)
  for _, key in ipairs(keys) do without(key) end
  if #keys < left then redis.call('SREM', dying, dead) end
  left = left - #keys
end
return done(state)
`);

/**
 * The node ends. Further arguments: ms as above, ms after which it is to count as dead: others take over its clients meanwhile. Reply: the
 * edges of the last call, where its reply has not come.
 */
export const endScript = script(`${COMMON}
local before = unseen() or {}
redis.call('DEL', last)
if redis.call('SCARD', own) == 0 then
  redis.call('ZREM', beats, ARGV[1])
elseif redis.call('ZSCORE', beats, ARGV[1]) then
  redis.call('ZADD', beats, now - ARGV[5] + ARGV[6], ARGV[1])
end
return with('done', before)
`);

/** What the state of a reply is followed by. `noteOf` is asked for those that are there. */
export function parseEdges(reply: readonly string[], noteOf: (key: string) => string | undefined): OccupancyEdge[] {
  const edges: OccupancyEdge[] = [];
  for (let i = 1; i + 4 <= reply.length; i += 4) {
    const [key = '', is, size, seq] = reply.slice(i, i + 4);
    const names = readKey(key);
    if (names === undefined) continue;
    const occupied = is === '1';
    edges.push({ ...names, occupied, size: Number(size), seq: Number(seq), note: occupied ? noteOf(key) : undefined });
  }
  return edges;
}
