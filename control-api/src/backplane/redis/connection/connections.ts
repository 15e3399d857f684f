/** All connections of a node to Redis, shared by the backplane and the cluster membership; topics that belong to no channel. */
import type { Clock } from '../../../runtime/clock.js';
import type { Log } from '../../../runtime/log.js';
import { ConnectionWarnings, type RedisEvents } from '../events.js';
import type { RedisKeys } from '../keys.js';
import { RedisCommands } from './commands.js';
import { type ConnectionListener, ioredisNetwork, type RedisAccess, type RedisNetwork } from './connection.js';
import {
  ClusterSubscribers,
  SingleSubscriber,
  SubscriberConnection,
  type SubscriberListener,
  type Subscribers,
} from './subscribers.js';
import { formatHostPort, type RedisUrl } from './url.js';

/** What {@link RedisConnections} are made of. */
export interface RedisConnectionsOptions {
  readonly access: RedisAccess;
  /** Left out: {@link ioredisNetwork}. */
  readonly network?: RedisNetwork | undefined;
  readonly keys: RedisKeys;
  readonly clock: Clock;
  readonly events: RedisEvents;
  readonly log: Log;
}

/** A topic that is no channel: what is lost there is lost. */
interface Topic {
  readonly name: string;
  readonly partition: number;
  readonly receive: (payload: string) => void;
}

/** Opens nothing before {@link open}. */
export class RedisConnections {
  readonly keys: RedisKeys;
  readonly commands: RedisCommands;
  /** Of all parts that use these connections. */
  readonly warnings: ConnectionWarnings;
  readonly #options: RedisConnectionsOptions;
  readonly #topics = new Map<string, Topic>();
  readonly #known = new WeakSet<SubscriberConnection>();
  #subscribers: Subscribers | undefined;
  #closed = false;

  constructor(options: RedisConnectionsOptions) {
    const { access, keys, clock, events, log } = options;
    this.#options = options;
    this.keys = keys;
    this.warnings = new ConnectionWarnings(log);
    const { warnings } = this;
    this.commands = new RedisCommands({ name: describe(access.url), clock, events, warnings, log });
  }

  /** Opens everything; to be called once. The listener does not see topics of {@link listen}. */
  open(listener: SubscriberListener): void {
    const { access, network = ioredisNetwork, clock, log } = this.#options;
    const { commands } = this;
    const reports = { onReady: () => commands.onReady(), onDown: (error?: Error) => commands.onDown(error) };
    const own: SubscriberListener = {
      onUp: (connection) => this.#onUp(connection, listener),
      onDown: (connection, error) => {
        this.warnings.warn({ redis: connection.name }, error, 'the subscriber connection is away');
        listener.onDown(connection, error);
      },
      onMessage: (topic, payload) => this.#onMessage(topic, payload, listener),
      onMoved: (connection) => {
        listener.onMoved(connection);
        this.#subscribeTopics(connection);
      },
    };
    if (access.url.mode === 'cluster') {
      commands.use(network.connectCluster(access, access.url.seeds, reports));
      const subscribers = new ClusterSubscribers({
        open: (server, to) => network.connect(access, to, server),
        slots: () => commands.send('cluster', ['SLOTS']),
        listener: own,
        clock,
        log,
      });
      this.#subscribers = subscribers;
      commands.whenReady(() => subscribers.look());
      return;
    }
    commands.use(network.connect(access, reports));
    const name = describe(access.url);
    const open = (to: ConnectionListener) => network.connect(access, to);
    this.#subscribers = new SingleSubscriber(
      new SubscriberConnection({ name, sharded: false, open, listener: own, clock }),
    );
  }

  /** Not before {@link open}. */
  get subscribers(): Subscribers {
    if (!this.#subscribers) throw new Error('The connections are not open.');
    return this.#subscribers;
  }

  /** For probes; undefined while this node can publish and receive. */
  get unavailableReason(): string | undefined {
    if (this.commands.unavailableReason !== undefined) return this.commands.unavailableReason;
    const connections = this.#subscribers?.connections() ?? [];
    const away = connections.find((connection) => !connection.up);
    return away && `redis ${away.name} sends no messages at present`;
  }

  /** Listens to a topic; resolves when that is live, or Redis is away: then it will be as soon as Redis is back. */
  async listen(name: string, partition: number, receive: (payload: string) => void): Promise<void> {
    const topic = { name, partition, receive };
    this.#topics.set(name, topic);
    const connection = this.subscribers.connectionFor(partition);
    if (connection?.up) await this.#subscribe(connection, [topic]);
  }

  /** Listens no longer. */
  unlisten(name: string): void {
    const topic = this.#topics.get(name);
    if (!topic || !this.#topics.delete(name)) return;
    this.#subscribers?.connectionFor(topic.partition)?.unsubscribe([name]);
  }

  close(): void {
    this.#closed = true;
    this.#topics.clear();
    this.commands.close();
    this.#subscribers?.close();
  }

  #onUp(connection: SubscriberConnection, listener: SubscriberListener): void {
    if (this.#known.has(connection)) {
      this.#options.events.reconnected('subscriber');
      this.#options.log.info({ redis: connection.name }, 'the subscriber connection is there again');
      if (this.unavailableReason === undefined) this.warnings.over();
    }
    this.#known.add(connection);
    listener.onUp(connection);
    this.#subscribeTopics(connection);
  }

  #subscribeTopics(connection: SubscriberConnection): void {
    const topics = [...this.#topics.values()].filter(
      (topic) => this.subscribers.connectionFor(topic.partition) === connection,
    );
    if (topics.length > 0) void this.#subscribe(connection, topics);
  }

  async #subscribe(connection: SubscriberConnection, topics: readonly Topic[]): Promise<void> {
    try {
      // All of them lie in the partition of the nodes.
      const names = topics.map(({ name }) => name);
      await connection.subscribe(names, [], () => {});
    } catch (error) {
      if (!this.#closed && connection.up) this.warnings.warn({ redis: connection.name }, error, 'subscribing failed');
    }
  }

  #onMessage(topic: string, payload: string, listener: SubscriberListener): void {
    const own = this.#topics.get(topic);
    if (own) own.receive(payload);
    else listener.onMessage(topic, payload);
  }
}

/** Where Redis is, without user and password. */
function describe(url: RedisUrl): string {
  if (url.mode === 'standalone') return formatHostPort(url.server);
  if (url.mode === 'sentinel') return `${url.master} of ${url.sentinels.map(formatHostPort).join(',')}`;
  return url.seeds.map(formatHostPort).join(',');
}
