/**
 * Accepts the items of one channel.
 *
 * Owns: the script, its arguments and its reply. Does not own: retries (flight-lane.ts).
 */
import { script } from './script.js';

/**
 * Keys: meta, stream, flight, then one per id to look for. Arguments: 1 number of the flight, 2 ms that the flight's result
 * is kept, 3 epoch if there is none yet, 4 history size, 5 history ttl in ms, 6 meta ttl in ms, 7 id ttl in ms,
 * 8 PUBLISH or SPUBLISH, 9 pub/sub name, then per item: payload, id, `1` if the publisher gave the id, index of the key
 * that remembers the id or 0. Reply, per item: epoch, offset, receivers or -1 for a duplicate.
 *
 * A flight that is sent again, because its first reply was lost, is answered with the first result and does nothing; one
 * that comes out of a dead connection after its successors does nothing either.
 * PUBLISH comes after the offset within one script, so that messages travel in the order of offsets.
 */
export const publishScript = script(`
local known = redis.call('GET', KEYS[3])
if known then
  local at = string.find(known, '\\n', 1, true)
  local flight = tonumber(string.sub(known, 1, at - 1))
  if flight == tonumber(ARGV[1]) then return cjson.decode(string.sub(known, at + 1)) end
  if flight > tonumber(ARGV[1]) then return redis.error_reply('STALE A later flight has landed') end
end
local size, clock = tonumber(ARGV[4]), redis.call('TIME')
local now = clock[1] .. string.format('%03d', math.floor(tonumber(clock[2]) / 1000))
local epoch, last = redis.call('HGET', KEYS[1], 'e'), nil
local reply = {}
for a = 10, #ARGV, 4 do
  local payload, id, given, remember = ARGV[a], ARGV[a + 1], ARGV[a + 2], tonumber(ARGV[a + 3])
  local first = remember > 0 and redis.call('GET', KEYS[remember])
  if first then
    local at = string.find(first, ' ', 1, true)
    reply[#reply + 1] = string.sub(first, at + 1)
    reply[#reply + 1] = string.sub(first, 1, at - 1)
    reply[#reply + 1] = '-1'
  else
    if not epoch then
      epoch = ARGV[3]
      redis.call('HSET', KEYS[1], 'e', epoch, 's', 0)
      redis.call('DEL', KEYS[2])
    end
    local offset = string.format('%.0f', redis.call('HINCRBY', KEYS[1], 's', 1))
    if size > 0 then
      if given == '1' then
        redis.call('XADD', KEYS[2], 'MAXLEN', size, offset .. '-0', 'd', payload, 't', now, 'i', id)
      else
        redis.call('XADD', KEYS[2], 'MAXLEN', size, offset .. '-0', 'd', payload, 't', now)
      end
    end
    local receivers = redis.call(ARGV[8], ARGV[9], offset .. ' ' .. epoch .. '\\n' .. payload)
    if remember > 0 then redis.call('SET', KEYS[remember], offset .. ' ' .. epoch, 'PX', ARGV[7]) end
    last = id
    reply[#reply + 1] = epoch
    reply[#reply + 1] = offset
    reply[#reply + 1] = tostring(receivers)
  end
end
if last then
  redis.call('HSET', KEYS[1], 'l', last, 't', now)
  redis.call('PEXPIRE', KEYS[1], ARGV[6])
  if size > 0 then redis.call('PEXPIRE', KEYS[2], ARGV[5]) end
end
redis.call('SET', KEYS[3], ARGV[1] .. '\\n' .. cjson.encode(reply), 'PX', ARGV[2])
return reply
`);
