/** The names of keys and of pub/sub in Redis, and the partitions that these are divided into. */
import calculate from 'cluster-key-slot';
import { ControlError } from '../../errors.js';

/** Slots that Redis Cluster has. */
export const SLOTS = 16_384;

/** The slot of a key: CRC16 of the part within its first braces, or else of the whole, modulo {@link SLOTS}. */
export function slotOf(key: string): number {
  return calculate(key);
}

/**
 * How many partitions there are. All nodes of a system must agree, hence no setting. 128 divide evenly among any usual
 * number of masters, and need at most so many commands to subscribe to everything anew.
 */
export const PARTITIONS = 128;

const SLOTS_EACH = SLOTS / PARTITIONS;

/**
 * The tag of each partition: the first decimal number whose slot lies in the partition's share of the slots. Any other
 * choice, say the number of the partition, would leave some masters with twice as many partitions as others.
 */
const tags: readonly string[] = (() => {
  const found = new Array<string | undefined>(PARTITIONS).fill(undefined);
  for (let n = 0, missing = PARTITIONS; missing > 0; n += 1) {
    const partition = Math.floor(slotOf(String(n)) / SLOTS_EACH);
    if (found[partition] !== undefined) continue;
    found[partition] = String(n);
    missing -= 1;
  }
  return found as string[];
})();

/** The text that stands between braces in every key of a partition. */
export function tagOf(partition: number): string {
  return tags[partition] as string;
}

/** The slot of every key of a partition. */
export function slotOfPartition(partition: number): number {
  return slotOf(tagOf(partition));
}

/** The partition of a channel, which is the same on every node and in every version. */
export function partitionOf(channel: string): number {
  // Without an opening brace all of the name counts, whatever the channel is called.
  return slotOf(channel.replaceAll('{', '[')) % PARTITIONS;
}

/** What one channel has in Redis. All of it lies in one slot. */
export interface ChannelKeys {
  readonly partition: number;
  /**
   * Hash: `e` epoch, `s` offset of the last item, `l` its id, `t` its time in ms. `x`: when the times of both keys were set, in ms;
   * `v`: the last offset that was counted by a node that knows of `x`.
   */
  readonly meta: string;
  /** Stream of the last items, `<offset>-0`: `d` payload, `t` its time in ms, `i` the publisher's id if it gave one. */
  readonly stream: string;
  /** Name for PUBLISH or SPUBLISH. */
  readonly topic: string;
  /**
   * Stream of the items that wait for callbacks, `<number>-0`, from 1 on without holes: `d` payload, `p` offset and epoch, `t` its time in
   * ms. There only while some callback is on the channel: each has a consumer group.
   */
  readonly queue: string;
  /** String with the position of the item that had this id lately. */
  id(id: string): string;
  /** String with the result of a node's last batch, where that has this channel only, so that repeating it changes nothing. */
  batch(node: string): string;
}

/** Names all begin with `<prefix>:{tag}:`; several systems can share a Redis under different prefixes. */
export class RedisKeys {
  readonly #prefix: string;
  /** What the names of each partition begin with, once they are asked for. */
  readonly #starts: string[] = [];

  /** Throws ERR_BACKPLANE_URL for a prefix that holds braces, which would break the division into partitions. */
  constructor(prefix: string) {
    if (/[{}]/.test(prefix)) throw new ControlError('ERR_BACKPLANE_URL', 'The Redis prefix must not contain braces.');
    this.#prefix = prefix;
  }

  /** The keys of a channel. */
  channel(name: string): ChannelKeys {
    const partition = partitionOf(name);
    return new KeysOfChannel(partition, this.#start(partition), wireName(name));
  }

  /**
   * The keys of what the channels of a partition that begin with a prefix are published to as well. It is a channel of its own, in the
   * slot of these; no channel of users has its keys.
   */
  feed(prefix: string, partition: number): ChannelKeys {
    return new KeysOfChannel(partition, `${this.#start(partition)}p`, wireName(prefix));
  }

  /** The keys that say which prefixes a partition is published to. */
  prefixes(partition: number): PrefixKeys {
    const start = this.#start(partition);
    return { known: `${start}prefixes`, version: `${start}prefixes:v` };
  }

  /** The keys by which nodes agree who gives an item of a channel to one subscriber; in the slot of the channel. */
  claim(channel: string, id: string): ClaimKeys {
    const start = this.#start(partitionOf(channel));
    const wire = wireName(channel);
    // The length as for ids.
    return { claim: `${start}o:${wire.length}:${wire}:${id}`, turns: `${start}t:${wire}`, begun: `${start}t0:${wire}` };
  }

  /** The same as `ChannelKeys.batch` for batches of any channels; only where these need not lie in one slot. */
  batch(node: string): string {
    return `${this.#start(0)}f:${node}`;
  }

  /** The keys of the internal channel on which recovers go; no channel of users has them. */
  recover(): ChannelKeys {
    return new KeysOfRecovers(this.#start(0));
  }

  /** The keys through which nodes know and ask each other. */
  nodes(): NodeKeys {
    const partition = 0;
    const start = this.#start(partition);
    const key = (rest: string) => start + rest;
    return {
      partition,
      states: key('nodes'),
      seen: key('nodes:seen'),
      questions: key('questions'),
      revoked: key('revoked'),
      answers: (id) => key(`answers:${id}`),
    };
  }

  /** The keys of one shard of what is counted under a name: see `occupancy/scripts.ts`. */
  occupancy(set: string, shard: number): OccupancyKeys {
    const start = `${this.#start((shard * PARTITIONS) / OCCUPANCY_SHARDS)}occ:${set}:`;
    const nodes = `${start}n:`;
    const shared = ['beats', 'dying', 'counts', 'sizes', 'seq'].map((rest) => start + rest);
    return { nodes, of: (node) => [...shared, nodes + node] };
  }

  /** The keys of one shard of the callbacks: see `callbacks/redis/scripts.ts`. */
  callbacks(shard: number): CallbackKeys {
    const start = `${this.#start((shard * PARTITIONS) / CALLBACK_SHARDS)}cb:`;
    const record = `${start}r:`;
    return {
      lease: `${start}lease`,
      nodes: `${start}nodes`,
      version: `${start}version`,
      ids: `${start}ids`,
      records: record,
      record: (id) => record + id,
    };
  }

  #start(partition: number): string {
    this.#starts[partition] ??= `${this.#prefix}:{${tagOf(partition)}}:`;
    return this.#starts[partition];
  }
}

/** A node has one for each channel that it is subscribed to: names are put together when they are used, and not kept. */
class KeysOfChannel implements ChannelKeys {
  readonly partition: number;
  readonly #start: string;
  readonly #wire: string;

  constructor(partition: number, start: string, wire: string) {
    this.partition = partition;
    this.#start = start;
    this.#wire = wire;
  }

  get meta(): string {
    return `${this.#start}m:${this.#wire}`;
  }

  get stream(): string {
    return `${this.#start}h:${this.#wire}`;
  }

  get topic(): string {
    return `${this.#start}c:${this.#wire}`;
  }

  get queue(): string {
    return `${this.#start}q:${this.#wire}`;
  }

  id(id: string): string {
    // The length keeps apart what the colon could not: channel and id may both hold any character.
    return `${this.#start}i:${this.#wire.length}:${this.#wire}:${id}`;
  }

  batch(node: string): string {
    return `${this.#start}f:${node}:${this.#wire}`;
  }
}

class KeysOfRecovers implements ChannelKeys {
  readonly partition = 0;
  readonly meta: string;
  readonly stream: string;
  readonly topic: string;
  readonly queue: string;
  readonly #start: string;

  constructor(start: string) {
    this.#start = start;
    this.queue = `${start}recover:q`;
    this.meta = `${start}recover:m`;
    this.stream = `${start}recover:h`;
    this.topic = `${start}recover:c`;
  }

  id(id: string): string {
    return `${this.#start}recover:i:${id}`;
  }

  batch(node: string): string {
    return `${this.#start}recover:f:${node}`;
  }
}

/** What an item for one subscriber has in Redis, and the turns of its channel. */
export interface ClaimKeys {
  /** String: when the item was accepted; then `a`, the node that it is assigned to and since when; or `t` and who has taken it. */
  readonly claim: string;
  /** Sorted set of nodes, by when each was last assigned an item, in microseconds. */
  readonly turns: string;
  /** There while the turns have just begun. */
  readonly begun: string;
}

/** The prefixes of a partition that some node has interest in. */
export interface PrefixKeys {
  /** Sorted set of them, by the time until which they are wanted, in ms. */
  readonly known: string;
  /** String that changes with the set. */
  readonly version: string;
}

/** In how many parts members are counted, each in another slot. All nodes of a system must agree, hence no setting. */
export const OCCUPANCY_SHARDS = 8;

/** What one shard of an occupancy has in Redis. All of it lies in one slot. */
export interface OccupancyKeys {
  /** What the name of a node's set begins with. */
  readonly nodes: string;
  /** The keys of the scripts, in their order, for this node. */
  of(node: string): readonly string[];
}

/** In how many parts callbacks are divided, each kept by one node. All nodes of a system must agree, hence no setting. */
export const CALLBACK_SHARDS = 16;

/** What one shard of the callbacks has in Redis. All of it lies in one slot. */
export interface CallbackKeys {
  /** String with the node that keeps the shard; gone when its time is over. */
  readonly lease: string;
  /** Sorted set of the nodes that may keep shards, by the time of their last sign in ms; of the first shard only. */
  readonly nodes: string;
  /** The number of the last change. */
  readonly version: string;
  /** Sorted set of ids, by the number of their last change. */
  readonly ids: string;
  /** What the keys of callbacks begin with. */
  readonly records: string;
  /** Hash of a callback: `d` what it is, `s` how it fares, both in JSON, `v` the number of its last change. */
  record(id: string): string;
}

/** The shard of a callback, which is the same on every node and in every version. */
export function callbackShardOf(id: string): number {
  return partitionOf(id) % CALLBACK_SHARDS;
}

/** What the nodes have in Redis. All of it lies in one slot. */
export interface NodeKeys {
  readonly partition: number;
  /** Hash of the states of nodes, by id. */
  readonly states: string;
  /** Sorted set of the ids of nodes, by the time of their last heartbeat in ms. */
  readonly seen: string;
  /** Pub/sub name that all nodes listen on. */
  readonly questions: string;
  /** Hash of the tokens of clients that are revoked, by user. */
  readonly revoked: string;
  /** Pub/sub name that the asking node listens on. */
  answers(id: string): string;
}

/** A half of a surrogate pair has no bytes in UTF-8; written out, it cannot be confused with another one. */
function wireName(channel: string): string {
  return /\p{Surrogate}/u.test(channel) ? `\u0000${JSON.stringify(channel)}` : channel;
}
