/**
 * The subscriber connections of a node.
 *
 * Owns: the contract, and the one connection to a Redis that is no cluster. Does not own: clusters (cluster-subscribers.ts).
 */
import type { SubscriberConnection } from './subscriber-connection.js';

/** Knows on which connection the messages of a partition arrive. */
export interface Subscribers {
  /** Undefined while that is not known. The connection may be down. */
  homeOf(partition: number): SubscriberConnection | undefined;
  /** All connections. */
  homes(): readonly SubscriberConnection[];
  /** Commands for several partitions cannot be sent as one. */
  readonly sharded: boolean;
  close(): void;
}

/** All partitions in one place. */
export class SingleSubscriber implements Subscribers {
  readonly sharded = false;
  readonly #home: SubscriberConnection;

  constructor(home: SubscriberConnection) {
    this.#home = home;
  }

  homeOf(): SubscriberConnection {
    return this.#home;
  }

  homes(): readonly SubscriberConnection[] {
    return [this.#home];
  }

  close(): void {
    this.#home.close();
  }
}
