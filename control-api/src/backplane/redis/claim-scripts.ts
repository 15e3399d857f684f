/** The scripts by which nodes agree who gives an item with `deliver: one` to a subscriber. */
import { script } from './connection/commands.js';
import { CLAIM_AGE_MS, CLAIM_BEGIN_MS, CLAIM_PATIENCE_MS, TURNS_TTL_MS } from './limits.js';

/**
 * Keys: see `ClaimKeys`: the claim of the item, the turns of its channel, and what says that these have just begun. Arguments: 1 the
 * node, 2 a token of this attempt, 3 when the item was accepted, and 4 for how long its id is that of the same item, both in
 * microseconds. Reply: 1 it is the node's, 0 it is not, -1 it is another node's turn: ask again.
 *
 * The turns are a sorted set of nodes by when each was last given an item. The first that asks about an item has it assigned to the
 * node whose turn it is, be that itself or another, so that many items at once go round whatever the order in which the nodes ask.
 * A node takes what is assigned to it. One that does not within {@link CLAIM_PATIENCE_MS} has gone, or has nobody: it is taken out of the
 * turns, and the next one is assigned. A node that asks and is not among the turns is put there as if it had been given something
 * when the item was accepted. In their first moment nothing is assigned: the others are still to come.
 *
 * A claim that was taken says so until no node can ask for the item any more: those that are older than {@link CLAIM_AGE_MS} are
 * refused, by the clock of Redis, which has also said when they were accepted. The value has that time too: an id may be used
 * again for another item. An attempt whose reply was lost finds its own token.
 */
export const claimScript = script(`
local call = redis.call
local claim, turns, begun, node = KEYS[1], KEYS[2], KEYS[3], ARGV[1]
local clock, accepted, same = call('TIME'), tonumber(ARGV[3]), tonumber(ARGV[4])
local now = clock[1] * 1000000 + clock[2]
if now - accepted > ${CLAIM_AGE_MS * 1_000} then return 0 end
local stamp = string.format('%.0f', now)
if not call('ZSCORE', turns, node) then
  if call('EXISTS', turns) == 0 then call('SET', begun, '', 'PX', ${CLAIM_BEGIN_MS}) end
  call('ZADD', turns, ARGV[3], node)
end
call('PEXPIRE', turns, ${TURNS_TTL_MS})
local keep = math.ceil(math.max(${2 * CLAIM_AGE_MS}, same / 1000))
local at, kind, whose, since = string.match(call('GET', claim) or '', '^(%d+) (%l) (%S+) ?(%d*)$')
local gap = at and accepted - tonumber(at)
if gap and (gap == 0 or gap < same) then
  if kind == 't' then return whose == ARGV[2] and 1 or 0 end
  if whose ~= node then
    if now - tonumber(since) <= ${CLAIM_PATIENCE_MS * 1_000} then return -1 end
    call('ZREM', turns, whose)
    whose = nil
  end
elseif call('EXISTS', begun) == 1 then
  return -1
else
  whose = nil
end
if not whose then
  whose = call('ZRANGE', turns, 0, 0)[1]
  call('ZADD', turns, stamp, whose)
end
if whose ~= node then
  call('SET', claim, ARGV[3] .. ' a ' .. whose .. ' ' .. stamp, 'PX', keep)
  return -1
end
call('SET', claim, ARGV[3] .. ' t ' .. ARGV[2] .. ' ', 'PX', keep)
return 1
`);

/**
 * Keys and arguments as for {@link claimScript}, without the token. The node has nobody for this item: it leaves the turns until it asks
 * for another one, and what was assigned to it is the next node's.
 */
export const passScript = script(`
local call = redis.call
local claim, turns, node = KEYS[1], KEYS[2], ARGV[1]
call('ZREM', turns, node)
local at, kind, whose = string.match(call('GET', claim) or '', '^(%d+) (%l) (%S+) ?%d*$')
if kind ~= 'a' or whose ~= node then return 0 end
local clock, nextOne = call('TIME'), call('ZRANGE', turns, 0, 0)[1]
if not nextOne then return call('DEL', claim) end
local stamp = string.format('%.0f', clock[1] * 1000000 + clock[2])
call('ZADD', turns, stamp, nextOne)
call('SET', claim, at .. ' a ' .. nextOne .. ' ' .. stamp, 'KEEPTTL')
return 1
`);
