/** The connections on which messages of pub/sub arrive: subscribing, barriers, detecting a dead one, and which has which topic. */
import type { Clock } from '../../../runtime/clock.js';
import type { Log } from '../../../runtime/log.js';
import { type ChannelHead, parseHeads, positionsScript } from '../history-scripts.js';
import { PARTITIONS, slotOfPartition } from '../keys.js';
import { META_TTL_MS, RETRY_MS, TOPOLOGY_EVERY_MS, WATCH_EVERY_MS } from '../limits.js';
import type { Connection, ConnectionListener } from './connection.js';
import { parseTime, ServerTime } from './server-time.js';
import { formatHostPort, type HostPort } from './url.js';

/** Observes a connection. Nothing is subscribed on it after `onUp`, and what was, is lost with `onDown`. */
export interface SubscriberListener {
  onUp(connection: SubscriberConnection): void;
  onDown(connection: SubscriberConnection, error: Error | undefined): void;
  onMessage(topic: string, payload: string): void;
  /** Some topics are served by another master now. */
  onMoved(connection: SubscriberConnection): void;
}

/** What a {@link SubscriberConnection} is made of. */
export interface SubscriberConnectionOptions {
  /** `host:port`, for logs. */
  readonly name: string;
  /** Use the sharded pub/sub of a cluster. */
  readonly sharded: boolean;
  readonly open: (listener: ConnectionListener) => Connection;
  readonly listener: SubscriberListener;
  readonly clock: Clock;
}

/** Opens the connection at once and keeps it open. */
export class SubscriberConnection {
  readonly name: string;
  /** Of the server of this connection: those of a cluster may differ. */
  readonly time = new ServerTime();
  readonly #sharded: boolean;
  readonly #clock: Clock;
  readonly #listener: SubscriberListener;
  readonly #connection: Connection;
  #up = false;
  #closed = false;
  #timer: unknown;

  constructor({ name, sharded, open, listener, clock }: SubscriberConnectionOptions) {
    this.name = name;
    this.#sharded = sharded;
    this.#clock = clock;
    this.#listener = listener;
    this.#connection = open({
      onReady: () => this.#onReady(),
      onDown: (error) => this.#onDown(error),
      onMessage: (topic, payload) => listener.onMessage(topic, payload),
      onMoved: () => listener.onMoved(this),
    });
    this.#watch();
  }

  /** True while commands can be sent. */
  get up(): boolean {
    return this.#up && this.#connection.ready;
  }

  /**
   * Subscribes to topics, if there are any, and reports where the channels with these metas are: `onBarrier` is called
   * with one head per meta, after all messages that were accepted before, and before any that was accepted after.
   * That holds because both commands go over the connection of the messages, which Redis serves in order. Rejects without
   * having called `onBarrier` if either command fails. With `keeps` the metas are kept for {@link META_TTL_MS} from now.
   */
  async subscribe(
    topics: readonly string[],
    metas: readonly string[],
    onBarrier: (heads: readonly ChannelHead[]) => void,
    keeps = true,
  ): Promise<void> {
    let subscribed = topics.length === 0;
    const subscribing = subscribed
      ? undefined
      : this.#connection.send(this.#sharded ? 'ssubscribe' : 'subscribe', topics, () => {
          subscribed = true;
        });
    const asking = this.#connection.send(
      'eval',
      [positionsScript.lua, metas.length, ...metas, keeps ? META_TTL_MS : 0],
      (reply) => {
        if (subscribed && this.#up) onBarrier(parseHeads(reply));
      },
    );
    const [subscription, answer] = await Promise.allSettled([subscribing, asking]);
    if (subscription.status === 'rejected') throw subscription.reason;
    if (answer.status === 'rejected') throw answer.reason;
  }

  /** Ends subscriptions. Failures do not matter: messages without a cursor are dropped. */
  unsubscribe(topics: readonly string[]): void {
    if (!this.up || topics.length === 0) return;
    this.#connection.send(this.#sharded ? 'sunsubscribe' : 'unsubscribe', topics).catch(() => {});
  }

  /** Gives the connection up; the listener gets `onDown`, then `onUp`. */
  restart(): void {
    this.#connection.restart();
  }

  /** The listener is not called any more. */
  close(): void {
    this.#closed = true;
    this.#up = false;
    this.#clock.clear(this.#timer);
    this.#connection.close();
  }

  #onReady(): void {
    if (this.#closed) return;
    this.#up = true;
    this.time.forget();
    // Before anything is subscribed to, so that it is answered before the first item comes.
    this.#ask();
    this.#listener.onUp(this);
  }

  #onDown(error: Error | undefined): void {
    if (this.#closed) return;
    this.#up = false;
    this.#listener.onDown(this, error);
  }

  #watch(): void {
    this.#timer = this.#clock.after(WATCH_EVERY_MS, () => {
      this.#watch();
      if (this.up) this.#ask();
    });
  }

  /** Asks for the time. A half-open connection stays silent; that there is no answer shows it. */
  #ask(): void {
    const askedAt = performance.now();
    const take = (reply: unknown) => this.time.sampled(parseTime(reply), askedAt, performance.now());
    this.#connection.send('time', [], take).catch((error: unknown) => {
      // Any other error comes from a connection that is known to be lost.
      if (error instanceof Error && error.message === 'Command timed out') this.restart();
    });
  }
}

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
