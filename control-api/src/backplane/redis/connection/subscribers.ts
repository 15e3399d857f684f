/**
 * The subscriber connections of a node: one, or in a Redis Cluster one to each master.
 *
 * The library has sharded subscribers. They subscribe one by one, hide failures and cannot carry the barriers that backfilling
 * needs.
 */
import type { Clock } from '../../../runtime/clock.js';
import type { Log } from '../../../runtime/log.js';
import { PARTITIONS, slotOfPartition } from '../keys.js';
import { RETRY_MS, TOPOLOGY_EVERY_MS } from '../limits.js';
import type { Connection, ConnectionListener } from './connection.js';
import { SubscriberConnection, type SubscriberListener } from './subscriber-connection.js';
import { formatHostPort, type HostPort } from './url.js';

/** Knows on which connection the messages of a partition arrive. */
export interface Subscribers {
  /** Undefined while that is not known. The connection may be down. */
  connectionFor(partition: number): SubscriberConnection | undefined;
  /** All connections. */
  connections(): readonly SubscriberConnection[];
  /** Commands for several partitions cannot be sent as one. */
  readonly sharded: boolean;
  close(): void;
}

/** All partitions in one place. */
export class SingleSubscriber implements Subscribers {
  readonly sharded = false;
  readonly #connection: SubscriberConnection;

  constructor(connection: SubscriberConnection) {
    this.#connection = connection;
  }

  connectionFor(): SubscriberConnection {
    return this.#connection;
  }

  connections(): readonly SubscriberConnection[] {
    return [this.#connection];
  }

  close(): void {
    this.#connection.close();
  }
}

/** What {@link ClusterSubscribers} are made of. */
export interface ClusterSubscribersOptions {
  /** Opens a connection to one server. */
  readonly open: (server: HostPort, listener: ConnectionListener) => Connection;
  /** The reply of CLUSTER SLOTS from any server. */
  readonly slots: () => Promise<unknown>;
  readonly listener: SubscriberListener;
  readonly clock: Clock;
  readonly log: Log;
}

/**
 * Opens the connections as soon as the cluster names its masters, and looks again regularly and after every failure.
 * Subscribes at masters only: Redis does not notify subscribers of replicas when a slot moves.
 */
export class ClusterSubscribers implements Subscribers {
  readonly sharded = true;
  readonly #options: ClusterSubscribersOptions;
  readonly #connections = new Map<string, SubscriberConnection>();
  #partitions: readonly (SubscriberConnection | undefined)[] = [];
  /** Connections of which Redis has ended some subscriptions. */
  readonly #moved = new Set<SubscriberConnection>();
  #timer: unknown;
  #looking = false;
  #again = false;
  #closed = false;

  constructor(options: ClusterSubscribersOptions) {
    this.#options = options;
  }

  connectionFor(partition: number): SubscriberConnection | undefined {
    return this.#partitions[partition];
  }

  connections(): readonly SubscriberConnection[] {
    return [...this.#connections.values()];
  }

  /** Looks which master serves what, now or after the look that is in progress. */
  look(): void {
    if (this.#closed) return;
    this.#options.clock.clear(this.#timer);
    if (this.#looking) {
      this.#again = true;
      return;
    }
    this.#looking = true;
    this.#options.slots().then(
      (reply) => this.#seen(parseSlots(reply)),
      (error: unknown) => {
        this.#options.log.debug({ err: error }, 'the cluster does not name its masters');
        this.#next(RETRY_MS);
      },
    );
  }

  close(): void {
    this.#closed = true;
    this.#options.clock.clear(this.#timer);
    for (const connection of this.#connections.values()) connection.close();
    this.#connections.clear();
    this.#partitions = [];
  }

  #seen(masters: readonly SlotRange[]): void {
    if (this.#closed) return;
    const before = this.#partitions;
    const named = new Set<string>();
    this.#partitions = Array.from({ length: PARTITIONS }, (_, partition) => {
      const slot = slotOfPartition(partition);
      const range = masters.find(({ first, last }) => first <= slot && slot <= last);
      // Between two masters a slot belongs to the one that had it.
      if (!range) return before[partition];
      named.add(formatHostPort(range.master));
      return this.#connection(range.master);
    });
    const changed = new Set(this.#moved);
    this.#moved.clear();
    for (const [partition, connection] of this.#partitions.entries()) {
      if (connection && before[partition] && before[partition] !== connection) changed.add(connection);
    }
    for (const [name, connection] of this.#connections) {
      if (named.has(name) || this.#partitions.includes(connection)) continue;
      this.#connections.delete(name);
      // Whatever was subscribed there is gone with the connection.
      this.#options.listener.onDown(connection, undefined);
      connection.close();
    }
    for (const connection of changed) if (connection.up) this.#options.listener.onMoved(connection);
    const away = this.connections().some((connection) => !connection.up);
    this.#next(away ? RETRY_MS * 5 : TOPOLOGY_EVERY_MS);
  }

  #next(ms: number): void {
    this.#looking = false;
    if (this.#closed) return;
    if (this.#again) {
      this.#again = false;
      this.look();
      return;
    }
    this.#timer = this.#options.clock.after(ms, () => this.look());
  }

  #connection(server: HostPort): SubscriberConnection {
    const name = formatHostPort(server);
    const known = this.#connections.get(name);
    if (known) return known;
    const { listener, clock, open } = this.#options;
    const connection = new SubscriberConnection({
      name,
      sharded: true,
      open: (to) => open(server, to),
      clock,
      listener: {
        onUp: (up) => listener.onUp(up),
        onDown: (down, error) => {
          listener.onDown(down, error);
          this.look();
        },
        onMessage: (topic, payload) => listener.onMessage(topic, payload),
        onMoved: (from) => {
          this.#moved.add(from);
          this.look();
        },
      },
    });
    this.#connections.set(name, connection);
    return connection;
  }
}

interface SlotRange {
  readonly first: number;
  readonly last: number;
  readonly master: HostPort;
}

/** Of each range the first server listed is the master. One without address is not known to the server that answers. */
function parseSlots(reply: unknown): SlotRange[] {
  const ranges = reply as readonly [number, number, readonly [string | null, number]][];
  return ranges
    .filter(([, , [host]]) => host !== null && host !== '' && host !== '?')
    .map(([first, last, [host, port]]) => ({ first, last, master: { host: host as string, port } }));
}
