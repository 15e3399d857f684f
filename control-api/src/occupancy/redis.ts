/** {@link Occupancy} of nodes that share a Redis: divided by group into shards, each of which is complete in itself. */
import type { RedisConnections } from '../backplane/redis/connection/connections.js';
import { OCCUPANCY_SHARDS, partitionOf } from '../backplane/redis/keys.js';
import type { Clock } from '../runtime/clock.js';
import type { Log } from '../runtime/log.js';
import type { Occupancy, OccupancyListener } from './occupancy.js';
import { OccupancyShard } from './shard.js';

/** What {@link RedisOccupancy} is made of. */
export interface RedisOccupancyOptions {
  /** Of a backplane, which is started before the occupancy and closed after it. */
  readonly connections: RedisConnections;
  /** Names what is counted: another set has other members, and other keys. */
  readonly set: string;
  /** Names this node; new with each start. */
  readonly node: string;
  readonly clock: Clock;
  /** How long a member is kept after its last connection, in ms. */
  readonly delay: number;
  readonly log: Log;
}

/** Nothing is sent to Redis before the start. */
export class RedisOccupancy implements Occupancy {
  readonly #shards: readonly OccupancyShard[];

  constructor({ connections, set, ...options }: RedisOccupancyOptions) {
    const { commands } = connections;
    this.#shards = Array.from({ length: OCCUPANCY_SHARDS }, (_, i) => {
      return new OccupancyShard({ ...options, commands, keys: connections.keys.occupancy(set, i) });
    });
  }

  start(listener: OccupancyListener): void {
    for (const shard of this.#shards) shard.start(listener);
  }

  enter(group: string, member: string, note?: string): void {
    this.#shardOf(group).enter(group, member, note);
  }

  leave(group: string, member: string): void {
    this.#shardOf(group).leave(group, member);
  }

  async close(): Promise<void> {
    await Promise.all(this.#shards.map((shard) => shard.close()));
  }

  #shardOf(group: string): OccupancyShard {
    return this.#shards[partitionOf(group) % OCCUPANCY_SHARDS] as OccupancyShard;
  }
}
