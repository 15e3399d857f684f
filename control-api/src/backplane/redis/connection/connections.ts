/**
 * All connections of a node to Redis, shared by the backplane and the registry of nodes.
 *
 * Owns: opening and closing them, topics that are no channels. Does not own: what is sent on them.
 */
import type { Clock } from '../../../runtime/clock.js';
import type { Log } from '../../../runtime/log.js';
import type { RedisEvents } from '../events.js';
import type { RedisKeys } from '../keys.js';
import { ClusterSubscribers } from './cluster-subscribers.js';
import { RedisCommands } from './commands.js';
import { openCluster, openConnection, type RedisAccess } from './connection.js';
import { SubscriberConnection, type SubscriberListener } from './subscriber-connection.js';
import { SingleSubscriber, type Subscribers } from './subscribers.js';
import { formatHostPort, type RedisUrl } from './url.js';
import { TroubleLog } from './warnings.js';

/** What {@link RedisConnections} are made of. */
export interface RedisConnectionsOptions {
  readonly access: RedisAccess;
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
  /** For all who have to do with these connections. */
  readonly troubles: TroubleLog;
  readonly #options: RedisConnectionsOptions;
  readonly #topics = new Map<string, Topic>();
  readonly #known = new WeakSet<SubscriberConnection>();
  #subscribers: Subscribers | undefined;
  #closed = false;

  constructor(options: RedisConnectionsOptions) {
    const { access, keys, clock, events, log } = options;
    this.#options = options;
    this.keys = keys;
    this.troubles = new TroubleLog(log);
    const { troubles } = this;
    this.commands = new RedisCommands({ name: describe(access.url), clock, events, troubles, log });
  }

  /** Opens everything; to be called once. The listener does not see topics of {@link listen}. */
  open(listener: SubscriberListener): void {
    const { access, clock, log } = this.#options;
    const { commands } = this;
    const reports = { onReady: () => commands.onReady(), onDown: (error?: Error) => commands.onDown(error) };
    const own: SubscriberListener = {
      onUp: (home) => this.#onUp(home, listener),
      onDown: (home, error) => {
        this.troubles.warn({ redis: home.name }, error, 'the subscriber connection is away');
        listener.onDown(home, error);
      },
      onMessage: (topic, payload) => this.#onMessage(topic, payload, listener),
      onMoved: (home) => {
        listener.onMoved(home);
        this.#subscribeTopics(home);
      },
    };
    if (access.url.mode === 'cluster') {
      commands.use(openCluster(access, access.url.seeds, reports));
      const subscribers = new ClusterSubscribers({
        open: (server, to) => openConnection(access, to, server),
        slots: () => commands.send('cluster', ['SLOTS']),
        listener: own,
        clock,
        log,
      });
      this.#subscribers = subscribers;
      commands.whenReady(() => subscribers.look());
      return;
    }
    commands.use(openConnection(access, reports));
    const name = describe(access.url);
    const open = (to: Parameters<typeof openConnection>[1]) => openConnection(access, to);
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
  get trouble(): string | undefined {
    if (this.commands.trouble !== undefined) return this.commands.trouble;
    const homes = this.#subscribers?.homes() ?? [];
    const away = homes.find((home) => !home.up);
    return away && `redis ${away.name} sends no messages at present`;
  }

  /** Listens to a topic; resolves when that is live, or Redis is away: then it will be as soon as Redis is back. */
  async listen(name: string, partition: number, receive: (payload: string) => void): Promise<void> {
    const topic = { name, partition, receive };
    this.#topics.set(name, topic);
    const home = this.subscribers.homeOf(partition);
    if (home?.up) await this.#subscribe(home, [topic]);
  }

  /** Listens no longer. */
  unlisten(name: string): void {
    const topic = this.#topics.get(name);
    if (!topic || !this.#topics.delete(name)) return;
    this.#subscribers?.homeOf(topic.partition)?.unsubscribe([name]);
  }

  close(): void {
    this.#closed = true;
    this.#topics.clear();
    this.commands.close();
    this.#subscribers?.close();
  }

  #onUp(home: SubscriberConnection, listener: SubscriberListener): void {
    if (this.#known.has(home)) {
      this.#options.events.reconnected('subscriber');
      this.#options.log.info({ redis: home.name }, 'the subscriber connection is there again');
      if (this.trouble === undefined) this.troubles.over();
    }
    this.#known.add(home);
    listener.onUp(home);
    this.#subscribeTopics(home);
  }

  #subscribeTopics(home: SubscriberConnection): void {
    const topics = [...this.#topics.values()].filter((topic) => this.subscribers.homeOf(topic.partition) === home);
    if (topics.length > 0) void this.#subscribe(home, topics);
  }

  async #subscribe(home: SubscriberConnection, topics: readonly Topic[]): Promise<void> {
    try {
      // All of them lie in the partition of the nodes.
      const names = topics.map(({ name }) => name);
      await home.subscribe(names, [], () => {});
    } catch (error) {
      if (!this.#closed && home.up) this.troubles.warn({ redis: home.name }, error, 'subscribing failed');
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
