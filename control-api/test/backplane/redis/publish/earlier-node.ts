/** A node of the version before, as far as Redis sees it: the script by which that accepted one item, and its arguments. */
import type { Redis } from 'ioredis';
import type { ChannelKeys } from '../../../../dist/backplane/redis/keys.js';

/** As it was: one channel in each call, the times of the keys set with each. */
const lua = `
local known = redis.call('GET', KEYS[3])
if known then
  local at = string.find(known, '\\n', 1, true)
  local batch = tonumber(string.sub(known, 1, at - 1))
  if batch == tonumber(ARGV[1]) then return cjson.decode(string.sub(known, at + 1)) end
  if batch > tonumber(ARGV[1]) then return redis.error_reply('STALE A later batch was accepted') end
end
local size, clock = tonumber(ARGV[4]), redis.call('TIME')
local micros = clock[1] .. string.format('%06d', clock[2])
local now, time = string.sub(micros, 1, -4), '.00000000000000000000' .. micros
local meta = redis.call('HMGET', KEYS[1], 'e', 's')
local epoch, top, last = meta[1], tonumber(meta[2] or ''), nil
if not top then epoch = nil end
local function begin()
  epoch, top = ARGV[3], 0
  redis.call('HSET', KEYS[1], 'e', epoch, 's', 0)
  redis.call('DEL', KEYS[2])
end
local function store(payload, id, given)
  local offset = string.format('%.0f', top + 1)
  if given == '1' then
    return redis.pcall('XADD', KEYS[2], 'MAXLEN', size, offset .. '-0', 'd', payload, 't', now, 'i', id)
  end
  return redis.pcall('XADD', KEYS[2], 'MAXLEN', size, offset .. '-0', 'd', payload, 't', now)
end
local reply = {}
for a = 10, #ARGV, 4 do
  local payload, id, given, remember = ARGV[a], ARGV[a + 1], ARGV[a + 2], tonumber(ARGV[a + 3])
  local first = remember > 0 and redis.pcall('GET', KEYS[remember])
  if type(first) == 'table' then first = false end
  if first then
    local at = string.find(first, ' ', 1, true)
    reply[#reply + 1] = string.sub(first, at + 1)
    reply[#reply + 1] = string.sub(first, 1, at - 1)
    reply[#reply + 1] = '-1'
  else
    if not epoch then begin() end
    if size > 0 then
      local stored = store(payload, id, given)
      if type(stored) == 'table' and string.find(stored.err, 'equal or smaller', 1, true) then
        begin()
        stored = store(payload, id, given)
      end
      if type(stored) == 'table' and stored.err then return stored end
    end
    top = top + 1
    local offset = string.format('%.0f', top)
    redis.call('HSET', KEYS[1], 's', offset)
    local receivers = redis.call(ARGV[8], ARGV[9], offset .. time .. ' ' .. epoch .. '\\n' .. payload)
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
`;

/** How the earlier node is set, as the node beside it. */
export interface EarlierSettings {
  readonly historySize: number;
  readonly historyTtl: number;
  readonly idCacheTtl: number;
}

let batches = 0;

/** Publishes an item with an id; resolves with epoch, offset and receivers, -1 for a duplicate. */
export async function publishAsEarlier(
  redis: Redis,
  of: ChannelKeys,
  item: { readonly id: string; readonly payload: string },
  { historySize, historyTtl, idCacheTtl }: EarlierSettings,
): Promise<readonly [epoch: string, offset: string, receivers: string]> {
  batches += 1;
  const keys = [of.meta, of.stream, of.batch('earlier'), of.id(item.id)];
  const args = [batches, 30_000, `earlier${batches}`, historySize, historyTtl, 604_800_000, idCacheTtl, 'PUBLISH'];
  const reply = await redis.eval(lua, keys.length, ...keys, ...args, of.topic, item.payload, item.id, '1', '4');
  return reply as [string, string, string];
}
