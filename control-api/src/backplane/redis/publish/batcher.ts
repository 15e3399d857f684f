/** Publishing in batches: what becomes of each call, and the script that accepts the items of one channel. */
import { type ControlError, PartlyAccepted, refusalWith, unavailable } from '../../../errors.js';
import type { Clock } from '../../../runtime/clock.js';
import type { Log } from '../../../runtime/log.js';
import type { Acceptance } from '../../backplane.js';
import { type RedisCommands, script } from '../connection/commands.js';
import { TIME_MARK } from '../envelope.js';
import type { RedisEvents } from '../events.js';
import { type ChannelKeys, partitionOf, type RedisKeys } from '../keys.js';
import { BATCH_TTL_MS, META_TTL_MS, PAYLOAD_CHARS, PUBLISH_QUEUE_CHARS, PUBLISH_QUEUE_MESSAGES } from '../limits.js';
import { type BatchEntry, type BatchPart, BatchQueue } from './batch-queue.js';

/**
 * Keys: meta, stream, batch, then one per id to look for. Arguments: 1 number of the batch, 2 ms that the batch's result
 * is kept, 3 epoch if there is none yet, 4 history size, 5 history ttl in ms, 6 meta ttl in ms, 7 id ttl in ms,
 * 8 PUBLISH or SPUBLISH, 9 pub/sub name, then per item: payload, id, `1` if the publisher gave the id, index of the key
 * that remembers the id or 0. Reply, per item: epoch, offset, receivers or -1 for a duplicate. Frames: see envelope.ts.
 *
 * A batch that is sent again, because its first reply was lost, is answered with the first result and does nothing; one
 * that comes out of a dead connection after its successors does nothing either.
 * PUBLISH comes after the offset within one script, so that messages travel in the order of offsets. An item is stored before
 * its offset is taken: what Redis did before an error stays done, and an offset without an item would look like a gap. So a
 * key of another type in the place of the history refuses the part, and changes nothing; one in the place of an id is taken for
 * no id, and overwritten. A history that is ahead of the count, which no script of ours leaves behind, begins anew.
 */
const publishScript = script(`
local known = redis.call('GET', KEYS[3])
if known then
  local at = string.find(known, '\\n', 1, true)
  local batch = tonumber(string.sub(known, 1, at - 1))
  if batch == tonumber(ARGV[1]) then return cjson.decode(string.sub(known, at + 1)) end
  if batch > tonumber(ARGV[1]) then return redis.error_reply('STALE A later batch was accepted') end
end
local size, clock = tonumber(ARGV[4]), redis.call('TIME')
local micros = clock[1] .. string.format('%06d', clock[2])
local now, time = string.sub(micros, 1, -4), '${TIME_MARK}' .. micros
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
`);

/** What is the same for all parts that a node sends. */
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
}

/** Sends a part; resolves with an acceptance per entry. Rejects with the error of Redis or of the connection. */
export async function publishPart(
  commands: RedisCommands,
  keys: ChannelKeys,
  { batch, entries }: BatchPart,
  settings: PublishSettings,
): Promise<Acceptance[]> {
  const remembered: string[] = [];
  const items: string[] = [];
  for (const { message, payload, id } of entries) {
    const given = message.type === 'item' ? message.item.id : undefined;
    const remember = given !== undefined && settings.idCacheTtl > 0;
    if (remember) remembered.push(keys.id(given));
    // The first three keys are those of the channel.
    items.push(payload, id, given === undefined ? '0' : '1', remember ? String(remembered.length + 3) : '0');
  }
  const reply = await commands.run(
    publishScript,
    [keys.meta, keys.stream, keys.batch(settings.node), ...remembered],
    [
      batch,
      BATCH_TTL_MS,
      // No two are the same, for batches have numbers; hardly ever used, so that it may cost nothing to make.
      settings.node + batch.toString(36),
      settings.historySize,
      settings.historyTtl,
      Math.max(META_TTL_MS, 2 * settings.historyTtl),
      settings.idCacheTtl,
      settings.sharded ? 'SPUBLISH' : 'PUBLISH',
      keys.topic,
      ...items,
    ],
  );
  const fields = reply as readonly string[];
  return entries.map(({ message }, i) => {
    if (message.type === 'recover') return { duplicate: false };
    const [epoch = '', offset, receivers] = fields.slice(3 * i, 3 * i + 3);
    const position = { epoch, offset: Number(offset) };
    if (receivers === '-1') return { duplicate: true, position };
    return { duplicate: false, nodes: Number(receivers), position };
  });
}

/** What a {@link PublishBatcher} is made of. */
export interface PublishBatcherOptions {
  readonly commands: RedisCommands;
  readonly keys: RedisKeys;
  readonly settings: PublishSettings;
  readonly clock: Clock;
  readonly events: RedisEvents;
  readonly log: Log;
}

/**
 * One queue for everything, or in a cluster one per partition: a master that is away must not hold up what belongs to the
 * others, and order is promised per channel only.
 */
export class PublishBatcher {
  readonly #options: PublishBatcherOptions;
  readonly #queues = new Map<number, BatchQueue>();
  #batches = 0;
  #messages = 0;
  #chars = 0;

  constructor(options: PublishBatcherOptions) {
    this.#options = options;
  }

  /** Resolves with an acceptance per entry, in order; rejects as `Backplane.publish` does. */
  async publish(entries: readonly BatchEntry[]): Promise<readonly Acceptance[]> {
    if (entries.length === 0) return [];
    const chars = entries.reduce((sum, { payload }) => sum + payload.length, 0);
    if (entries.some(({ payload }) => payload.length > PAYLOAD_CHARS)) {
      throw unavailable(`A message has more than ${PAYLOAD_CHARS} characters.`);
    }
    if (
      this.#messages > 0 &&
      (this.#messages + entries.length > PUBLISH_QUEUE_MESSAGES || this.#chars + chars > PUBLISH_QUEUE_CHARS)
    ) {
      throw unavailable('Too many messages wait for Redis.');
    }
    this.#messages += entries.length;
    this.#chars += chars;
    try {
      return await this.#dispatch(entries);
    } finally {
      this.#messages -= entries.length;
      this.#chars -= chars;
    }
  }

  /** Rejects what waits. */
  close(error: ControlError): void {
    for (const queue of this.#queues.values()) queue.close(error);
  }

  async #dispatch(entries: readonly BatchEntry[]): Promise<readonly Acceptance[]> {
    if (!this.#options.settings.sharded) return this.#queue(0).publish(entries);
    const groups = new Map<number, BatchEntry[]>();
    for (const entry of entries) {
      const partition = entry.message.type === 'item' ? partitionOf(entry.message.item.channel) : 0;
      const group = groups.get(partition);
      if (group) group.push(entry);
      else groups.set(partition, [entry]);
    }
    const acceptances = new Map<BatchEntry, Acceptance | undefined>();
    let refusal: ControlError | undefined;
    await Promise.all(
      [...groups].map(async ([partition, group]) => {
        const accepted = await this.#queue(partition)
          .publish(group)
          .catch((error: ControlError) => {
            refusal ??= error;
            return error instanceof PartlyAccepted ? error.acceptances : [];
          });
        for (const [i, entry] of group.entries()) acceptances.set(entry, accepted[i]);
      }),
    );
    const all = entries.map((entry) => acceptances.get(entry));
    if (refusal !== undefined) throw refusalWith(refusal, all);
    return all as Acceptance[];
  }

  #queue(partition: number): BatchQueue {
    const known = this.#queues.get(partition);
    if (known) return known;
    const { commands, clock, events, log } = this.#options;
    const queue = new BatchQueue({
      send: (part) => this.#send(part),
      awaySince: () => commands.awaySince,
      whenReady: (run) => commands.whenReady(run),
      restart: () => commands.restart(),
      nextBatch: () => {
        this.#batches += 1;
        return this.#batches;
      },
      clock,
      events,
      log,
    });
    this.#queues.set(partition, queue);
    return queue;
  }

  #send(part: BatchPart): Promise<Acceptance[]> {
    const { commands, keys, settings } = this.#options;
    const of = part.channel === undefined ? keys.recover() : keys.channel(part.channel);
    return publishPart(commands, of, part, settings);
  }
}
