/**
 * What the nodes keep in Redis about each other.
 *
 * Owns: the scripts that write and read it. Does not own: when they run (redis.ts).
 */
import { script } from '../backplane/redis/scripts/script.js';

/**
 * Keys: states, seen. Arguments: id, state as JSON, ms after which a node that is not heard of is forgotten. Forgets the
 * others that were not heard of, so that nothing is left of nodes that were killed.
 */
export const heartbeatScript = script(`
local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
redis.call('ZADD', KEYS[2], now, ARGV[1])
for _, id in ipairs(redis.call('ZRANGEBYSCORE', KEYS[2], '-inf', now - ARGV[3])) do
  redis.call('HDEL', KEYS[1], id)
  redis.call('ZREM', KEYS[2], id)
end
redis.call('PEXPIRE', KEYS[1], ARGV[3])
redis.call('PEXPIRE', KEYS[2], ARGV[3])
return 1
`);

/** Keys: states, seen. Argument: id. */
export const leaveScript = script(`
redis.call('HDEL', KEYS[1], ARGV[1])
redis.call('ZREM', KEYS[2], ARGV[1])
return 1
`);

/** Keys: states, seen. Argument: ms as above. Reply, per node: state as JSON, ms since it was heard of. */
export const listScript = script(`
local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
local reply = {}
local seen = redis.call('ZRANGEBYSCORE', KEYS[2], now - ARGV[1], '+inf', 'WITHSCORES')
for i = 1, #seen, 2 do
  local state = redis.call('HGET', KEYS[1], seen[i])
  if state then
    reply[#reply + 1] = state
    reply[#reply + 1] = tostring(now - tonumber(seen[i + 1]))
  end
end
return reply
`);

/** Key: a name of pub/sub. Arguments: PUBLISH or SPUBLISH, text. A script, as that finds its way in a cluster. */
export const tellScript = script('return redis.call(ARGV[1], KEYS[1], ARGV[2])');
