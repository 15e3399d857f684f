/** The script that accepts the items of one channel or many: its text, its arguments, and what its reply says. */
import type { Item } from '@holdfast/grip';
import { type Acceptance, isForCallbacks, type Message } from '../../backplane.js';
import { type Script, script } from '../connection/commands.js';
import { TIME_MARK } from '../envelope.js';
import type { ChannelKeys } from '../keys.js';
import { BATCH_TTL_MS, META_TTL_MS } from '../limits.js';
import type { BatchEntry, Tail } from './batch.js';

/** What is the same for all batches that a node sends. */
export interface PublishSettings {
  /** Unique among all nodes that ever ran. */
  readonly node: string;
  /** Items kept per channel; 0 keeps none. */
  readonly historySize: number;
  readonly historyTtl: number;
  /** How long ids are remembered; 0 remembers none. */
  readonly idCacheTtl: number;
  /** Use the sharded pub/sub of a cluster. */
  readonly sharded: boolean;
  /** Items that wait for callbacks, per channel; at least 1. */
  readonly queueSize: number;
}

/**
 * Which part of its time a key is kept longer than asked for, so that the time need not be set with each item. Not a setting of
 * its own: what is kept stays within the bounds of one.
 */
const SLACK = 8;

/**
 * Keys: the result of the last batch, the version of the prefixes, then per channel: meta, stream, and one per id to look for. Arguments: 1 number of the
 * batch, 2 ms that its result is kept, 3 epoch of channels that have none yet, 4 history size, 5 history ttl in ms, 6 meta ttl
 * in ms, 7 ms after which these are set anew, 8 id ttl in ms, 9 PUBLISH or SPUBLISH, 10 version of the prefixes that
 * the batch was made for, 11 number of ends that several payloads have; then these; then per channel: pub/sub name, number of items,
 * number of ids to look for, and per item: payload, id, and `0` if the publisher gave no id, `1` if it gave one, `2` if that is also
 * to be remembered, by the channel's next key; of an item with a version, that follows with its epoch: `1 42 e`; where it is fed, by the argument of its payload: `1 =17`. Reply: lines. Per item:
 * receivers, or -1 for a duplicate, or -2 for one that is stale, offset, epoch; or one for the whole channel, `!` and the error that refused it. Frames: see envelope.ts.
 *
 * A batch that is sent again, because its first reply was lost, is answered with the first result and does nothing; one
 * that comes out of a dead connection after its successors does nothing either.
 *
 * A batch that was made for other prefixes than there are now is refused as a whole, and made anew (`PREFIXES`): no item is
 * accepted that does not go to all of them. What goes to a prefix is one more channel of the batch.
 *
 * A payload is JSON, and begins with a brace. Where it begins with a number, that is the argument with its end, and what follows the line
 * is its beginning: an item to many channels is sent once.
 *
 * PUBLISH comes after the offset within one script, so that messages travel in the order of offsets. An item is stored before
 * its offset is taken: what Redis did before an error stays done, and an offset without an item would look like a gap. So a
 * key of another type in the place of the history refuses the channel, and changes nothing; one in the place of an id is taken for
 * no id, and overwritten. A history that is ahead of the count, which no script of ours leaves behind, begins anew.
 *
 * A channel's version is in its hash, `n`, with its epoch, `m`: only items that have one look at them, and set them once for the
 * batch. Nodes of earlier versions pass over both, and publish such items as any other.
 *
 * Most of what an item costs is the number of commands. So both keys of a channel live a little longer than asked for, and their time is
 * set anew only when that is used up (`x`: when it was set last), when the key is new, or when a node of another version counted the last
 * item (`v`: the last offset that was counted here). A stream that has gone meanwhile, as it was evicted, is never made without
 * a time: XADD with NOMKSTREAM says that it is not there.
 *
 * `queues`: the same for batches in which items have the format http-request. Each channel has its queue as a third key, the last
 * argument is the most items of one, and 3 more than the digit of an item says that it is for callbacks. It is put in the queue before it is sent, so
 * that who gets it from pub/sub finds it there. Batches of other items pay nothing for callbacks.
 */
const publishText = (queues: boolean) => `
local call, pcall, find, sub, format = redis.call, redis.pcall, string.find, string.sub, string.format
local byte = string.byte
local first = call('MGET', KEYS[1], KEYS[2])
local known, version = first[1], first[2] or ''
if known then
  local at = find(known, '\\n', 1, true)
  local batch = tonumber(sub(known, 1, at - 1))
  if batch == tonumber(ARGV[1]) then return sub(known, at + 1) end
  if batch > tonumber(ARGV[1]) then return redis.error_reply('STALE A later batch was accepted') end
end
if version ~= ARGV[10] then return redis.error_reply('PREFIXES Others are wanted') end
local size, keeps, refresh, clock = ARGV[4], ARGV[4] ~= '0', tonumber(ARGV[7]), call('TIME')
local micros = clock[1] .. format('%06d', clock[2])
local now, time = sub(micros, 1, -4), '${TIME_MARK}' .. micros .. ' '
local ms = tonumber(now)
local reply, counts, none, stale = {}, {}, {}, {}
local function add(stream, make, offset, payload, id, kind)
  if kind == '0' then
    if make then return pcall('XADD', stream, 'MAXLEN', size, offset .. '-0', 'd', payload, 't', now) end
    return pcall('XADD', stream, 'NOMKSTREAM', 'MAXLEN', size, offset .. '-0', 'd', payload, 't', now)
  end
  if make then return pcall('XADD', stream, 'MAXLEN', size, offset .. '-0', 'd', payload, 't', now, 'i', id) end
  return pcall('XADD', stream, 'NOMKSTREAM', 'MAXLEN', size, offset .. '-0', 'd', payload, 't', now, 'i', id)
end
local function payloadAt(at)
  local text = ARGV[at]
  if byte(text) == 123 then return text end
  local line = find(text, '\\n', 1, true)
  return sub(text, line + 1) .. ARGV[tonumber(sub(text, 1, line - 1))]
end
local function accept(k, a, count)
  local meta, stream, topic, n = KEYS[k], KEYS[k + 1], ARGV[a], #reply
  local m = pcall('HMGET', meta, 'e', 's', 'x', 'v')
  if m.err then return m.err end
  local epoch, top, set = m[1], tonumber(m[2] or ''), tonumber(m[3] or '')
  local isNew = not (epoch and top) or find(epoch, '\\n', 1, true)
  local lasts = set and m[4] == m[2] and ms - set >= 0 and ms - set < refresh
  if isNew then epoch, top, lasts = ARGV[3], 0, false end
  local offsets, keys, seen, last, offset = {}, none, none, nil, nil
  local version, series, isRead, isNewer = nil, nil, false, false
  if ARGV[a + 2] ~= '0' then keys, seen = {}, {} end
${
  queues
    ? `  local queue, queued = KEYS[k + 2], {}
  local newest = pcall('XREVRANGE', queue, '+', '-', 'COUNT', 1)
  if newest.err then return newest.err end
  local depth = newest[1] and tonumber(string.match(newest[1][1], '^%d+')) or 0
`
    : ''
}  k = k + ${queues ? 3 : 2}
  for i = 1, count do
    local at = a + 3 * i
    local id, kind, first, own, ownSeries, isStale = ARGV[at + 1], ARGV[at + 2], false, nil, nil, false
${
  queues
    ? `    if byte(kind) > 50 then queued[i], kind = true, string.char(byte(kind) - 3) .. sub(kind, 2) end
`
    : ''
}    if #kind > 1 and byte(kind, 3) == 61 then
      isStale = stale[tonumber(sub(kind, 4))]
      kind = sub(kind, 1, 1)
    elseif #kind > 1 then
      kind, own, ownSeries = string.match(kind, '^(%d) (%d+) (.*)$')
      if not isRead then
        local v = pcall('HMGET', meta, 'n', 'm')
        if v.err then return v.err end
        version, series, isRead = v[1], v[2], true
      end
    end
    if kind == '2' then
      first = seen[id] or pcall('GET', KEYS[k])
      if type(first) ~= 'string' or not find(first, '^%d+ [^\\n]+$') then first = false end
      keys[i], k = KEYS[k], k + 1
    end
    if first then
      reply[n + i] = '-1 ' .. first
    elseif isStale or own and version and series == ownSeries and tonumber(own) <= (tonumber(version) or -1) then
      stale[at] = true
      reply[n + i] = '-2 ' .. format('%.0f', top) .. ' ' .. epoch
    else
      offset = format('%.0f', top + 1)
      if keeps then
        local payload = payloadAt(at)
        local stored = add(stream, false, offset, payload, id, kind)
        if type(stored) == 'table' and find(stored.err, 'equal or smaller', 1, true) then
          epoch, top, offset, isNew, stored = ARGV[3], 0, '1', true, false
          pcall('DEL', stream)
        end
        if not stored then
          lasts, stored = false, add(stream, true, offset, payload, id, kind)
        end
        if type(stored) == 'table' and stored.err then return stored.err end
      end
      top, last, offsets[i] = top + 1, id, offset
      if kind == '2' then seen[id] = offset .. ' ' .. epoch end
      if own then version, series, isNewer = own, ownSeries, true end
    end
  end
  if not last then return nil end
  local done
  if isNew then done = pcall('HSET', meta, 's', offset, 'l', last, 't', now, 'v', offset, 'x', now, 'e', epoch)
  elseif lasts then done = pcall('HSET', meta, 's', offset, 'l', last, 't', now, 'v', offset)
  else done = pcall('HSET', meta, 's', offset, 'l', last, 't', now, 'v', offset, 'x', now) end
  if type(done) == 'table' then return done.err end
  if isNewer then call('HSET', meta, 'n', version, 'm', series) end
  if not lasts then
    call('PEXPIRE', meta, ARGV[6])
    if keeps then call('PEXPIRE', stream, ARGV[5]) end
  end
  for i = 1, count do
    local offset = offsets[i]
    if offset then
      local place = offset .. ' ' .. epoch
${
  queues
    ? `      if queued[i] and depth then
        local number = format('%.0f', depth + 1)
        local added = pcall('XADD', queue, 'NOMKSTREAM', 'MAXLEN', ARGV[#ARGV], number .. '-0', 'd', payloadAt(a + 3 * i), 'p', place, 't', now)
        if type(added) == 'table' then return added.err end
        depth = added and depth + 1
      end
`
    : ''
}      local receivers = pcall(ARGV[9], topic, offset .. time .. epoch .. '\\n' .. payloadAt(a + 3 * i))
      if type(receivers) == 'table' then return receivers.err end
      if keys[i] then call('SET', keys[i], place, 'PX', ARGV[8]) end
      local count = counts[receivers]
      if not count then
        count = receivers .. ' '
        counts[receivers] = count
      end
      reply[n + i] = count .. place
    end
  end
end
local k, a, total = 3, 12 + ARGV[11], #ARGV${queues ? ' - 1' : ''}
while a <= total do
  local n, count = #reply, tonumber(ARGV[a + 1])
  local refusal = accept(k, a, count)
  if refusal then
    for i = n + 1, n + count do reply[i] = nil end
    reply[n + 1] = '!' .. refusal
  end
  k, a = k + ${queues ? 3 : 2} + ARGV[a + 2], a + 3 + 3 * count
end
reply = table.concat(reply, '\\n')
pcall('SET', KEYS[1], ARGV[1] .. '\\n' .. reply, 'PX', ARGV[2])
return reply
`;

/** For batches of items that no callback takes. */
export const publishScript: Script = script(publishText(false));

/** For batches with items of the format http-request. */
export const queueingScript: Script = script(publishText(true));

/** The ends that several payloads of a batch have. */
function tailsOf(channels: readonly ChannelItems[]): readonly Tail[] {
  let once: Set<Tail> | undefined;
  let several: Set<Tail> | undefined;
  for (const { entries } of channels) {
    for (const { shared } of entries) {
      if (shared === undefined) continue;
      once ??= new Set();
      several ??= new Set();
      (once.has(shared.tail) ? several : once).add(shared.tail);
    }
  }
  return several === undefined ? [] : [...several];
}

/** Whether a batch was refused because it was made for other prefixes than there are. */
export function isForOtherPrefixes(error: unknown): boolean {
  return error instanceof Error && error.message.startsWith('PREFIXES ');
}

/** What became of a channel's items in a batch. */
export type ChannelResult = readonly Acceptance[] | Error;

/** The items of one channel, and where they go. */
export interface ChannelItems {
  readonly keys: ChannelKeys;
  readonly entries: readonly BatchEntry[];
}

/** Not where it is fed, as callbacks are on channels; nor where one client gets it. */
function isQueued({ message, fedFrom }: BatchEntry): boolean {
  return fedFrom === undefined && message.type === 'item' && isForCallbacks(message.item);
}

/** A call of a script. */
export interface ScriptCall {
  readonly script: Script;
  readonly keys: string[];
  readonly args: (string | number)[];
}

/** What an item's last argument says where it is for callbacks, too. */
const QUEUED = { '0': '3', '1': '4', '2': '5' } as const;

/** The call that publishes a batch. `memory` is the key that keeps the result; a batch of the same number is the same batch. */
export function publishCall(
  memory: string,
  batch: number,
  channels: readonly ChannelItems[],
  settings: PublishSettings,
  prefixes: { readonly key: string; readonly version: string },
): ScriptCall {
  const { node, historySize, historyTtl, idCacheTtl, sharded, queueSize } = settings;
  const queues = channels.some(({ entries }) => entries.some(isQueued));
  const slack = Math.floor(historyTtl / SLACK);
  const keys = [memory, prefixes.key];
  const args: (string | number)[] = [
    batch,
    BATCH_TTL_MS,
    // No two are the same, for batches have numbers; hardly ever used, so that it may cost nothing to make.
    node + batch.toString(36),
    historySize,
    historyTtl + slack,
    Math.max(META_TTL_MS, 2 * historyTtl) + slack,
    slack,
    idCacheTtl,
    sharded ? 'SPUBLISH' : 'PUBLISH',
    prefixes.version,
  ];
  const tails = tailsOf(channels);
  // The arguments of Lua count from 1.
  const places = new Map<Tail, number>();
  for (const tail of tails) places.set(tail, args.length + 2 + places.size);
  args.push(tails.length);
  /** Items with a version, and where their payloads are. */
  const versioned = new Map<Item, number>();
  for (const { text } of tails) args.push(text);
  for (const { keys: of, entries } of channels) {
    keys.push(of.meta, of.stream);
    if (queues) keys.push(of.queue);
    const before = keys.length;
    const remembered = args.push(of.topic, entries.length, 0) - 1;
    for (const entry of entries) {
      const { message, payload, shared, id, fedFrom } = entry;
      const given = message.type === 'item' ? message.item.id : undefined;
      const isRemembered = given !== undefined && idCacheTtl > 0;
      if (isRemembered) keys.push(of.id(given));
      const place = shared && places.get(shared.tail);
      const text = place === undefined ? payload : `${place}\n${shared?.head}`;
      const plain = given === undefined ? '0' : isRemembered ? '2' : '1';
      const kind = queues && isQueued(entry) ? QUEUED[plain] : plain;
      if (message.type === 'item' && message.item.version !== undefined) versioned.set(message.item, args.length + 1);
      args.push(text, id, kind + conditionOf(message, fedFrom, versioned));
    }
    args[remembered] = keys.length - before;
  }
  if (queues) args.push(queueSize);
  return { script: queues ? queueingScript : publishScript, keys, args };
}

/** What follows the kind of an item that has a version, on its channel and where it is fed. */
function conditionOf(message: Message, fedFrom: Item | undefined, versioned: ReadonlyMap<Item, number>): string {
  const place = fedFrom && versioned.get(fedFrom);
  if (place !== undefined) return ` =${place}`;
  if (message.type !== 'item' || message.item.version === undefined) return '';
  return ` ${message.item.version} ${message.item.versionEpoch ?? ''}`;
}

/** An error of Redis that concerns one channel of a batch; by its name it is known as one, as those of the library are. */
class ChannelRefusal extends Error {
  override readonly name = 'ReplyError';
}

/** Reads the reply of {@link publishScript}: one result per channel, in order. */
export function parsePublished(reply: unknown, channels: readonly ChannelItems[]): ChannelResult[] {
  const lines = String(reply).split('\n');
  let at = 0;
  return channels.map(({ entries }) => {
    if (lines[at]?.startsWith('!')) return new ChannelRefusal(lines[at++]?.slice(1));
    return entries.map(({ message }) => acceptanceOf(message, lines[at++] ?? ''));
  });
}

function acceptanceOf({ type }: Message, line: string): Acceptance {
  if (type === 'recover') return { duplicate: false };
  const space = line.indexOf(' ');
  const second = line.indexOf(' ', space + 1);
  const receivers = Number(line.slice(0, space));
  const position = { epoch: line.slice(second + 1), offset: Number(line.slice(space + 1, second)) };
  if (receivers === -2) return { duplicate: false, stale: true, position };
  if (receivers < 0) return { duplicate: true, position };
  return { duplicate: false, nodes: receivers, position };
}
