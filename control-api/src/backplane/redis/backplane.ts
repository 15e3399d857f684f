/** The backplane of several nodes that share a Redis: its parts, and how they go together. */
import { randomBytes } from 'node:crypto';
import { type ControlError, refusalOf, startedTwice, unavailable } from '../../errors.js';
import { type Clock, within } from '../../runtime/clock.js';
import { type Containment, loggedFaults } from '../../runtime/faults.js';
import type { Log } from '../../runtime/log.js';
import {
  type Acceptance,
  type Backplane,
  type BackplaneListener,
  type Gap,
  GuardedListener,
  type History,
  type HistoryPage,
  type HistoryStart,
  type ItemMessage,
  type Message,
  type Position,
  type PrefixInterest,
} from '../backplane.js';
import { RedisClaims } from './claims.js';
import type { RedisNetwork, RedisTls } from './connection/connection.js';
import { RedisConnections } from './connection/connections.js';
import { parseRedisUrl } from './connection/url.js';
import type { RedisEvents } from './events.js';
import { RedisKeys } from './keys.js';
import { META_TTL_MS, QUEUE_ITEMS, START_PATIENCE_MS } from './limits.js';
import { PublishBatcher } from './publish/batcher.js';
import { entriesOf } from './publish/entries.js';
import { idInFeed } from './publish/feeds.js';
import {
  Backfill,
  type ChannelSubscription,
  readHead,
  readHistory,
  readStand,
  removeHistory,
} from './subscribe/backfill.js';
import type { CursorSink } from './subscribe/cursor.js';
import { PrefixSubscriptions } from './subscribe/prefixes.js';
import { ChannelSubscriptions } from './subscribe/subscriptions.js';

/** What a {@link RedisBackplane} is made of. */
export interface RedisBackplaneOptions {
  /** `redis://`, `redis+sentinel://` or `redis+cluster://`, with `rediss` for TLS; see `parseRedisUrl`. Redis 7 or later. */
  readonly redisUrl: string;
  /** Begins all keys; systems that share a Redis need different ones. Without braces. */
  readonly redisPrefix: string;
  readonly tls?: RedisTls;
  /** Left out: connections over TCP and TLS. */
  readonly network?: RedisNetwork;
  /** Items kept per channel to catch up from; 0 keeps none, so that every loss of a connection may leave gaps. */
  readonly historySize: number;
  /** How long they are kept after the last of them, in ms; more than 0. */
  readonly historyTtl: number;
  /** How long the ids of items are remembered, in ms; 0 remembers none. */
  readonly idCacheTtl: number;
  /** Items that may wait for the callbacks of a channel; at least 1. Left out: {@link QUEUE_ITEMS}. */
  readonly queueSize?: number;
  readonly clock: Clock;
  /** Between 0 and 1, like Math.random. */
  readonly random: () => number;
  readonly events: RedisEvents;
  readonly log: Log;
  /** Left out: faults are logged only. */
  readonly faults?: Containment;
}

type State = 'new' | 'starting' | 'live' | 'closed';

/**
 * {@link Backplane} over Redis. Delivers in positions' order what all nodes publish; while Redis is away, publishes wait
 * a moment and are then rejected, and what others published meanwhile follows from the history when it is back.
 */
export class RedisBackplane implements Backplane, History, PrefixInterest {
  /** For {@link RedisNodes}; open from {@link start} to {@link close}. */
  readonly connections: RedisConnections;
  readonly #options: RedisBackplaneOptions;
  readonly #faults: Containment;
  readonly #backfill: Backfill;
  readonly #subscriptions: ChannelSubscriptions;
  readonly #prefixes: PrefixSubscriptions;
  readonly #batcher: PublishBatcher;
  readonly #claims: RedisClaims;
  #state: State = 'new';
  #listener: BackplaneListener | undefined;

  /** Throws ERR_BACKPLANE_URL. */
  constructor(options: RedisBackplaneOptions) {
    const { clock, random, events, log, faults = loggedFaults(log) } = options;
    this.#options = options;
    this.#faults = faults;
    const keys = new RedisKeys(options.redisPrefix);
    const access = { url: parseRedisUrl(options.redisUrl), tls: options.tls, random, faults };
    this.connections = new RedisConnections({ access, network: options.network, keys, clock, events, log });
    const { commands } = this.connections;
    this.#backfill = new Backfill(commands, clock, events, this.connections.warnings);
    const subscribers = () => this.connections.subscribers;
    const outlet = { events, listener: () => this.#listener };
    const sink = (subscription: ChannelSubscription) => new ChannelSink(subscription, outlet);
    const { warnings } = this.connections;
    const node = newName();
    const { idCacheTtl } = options;
    this.#claims = new RedisClaims({ commands, keys, node, idCacheTtl, clock, warnings });
    this.#subscriptions = new ChannelSubscriptions({
      keys,
      subscribers,
      backfill: this.#backfill,
      claims: this.#claims,
      sink,
      clock,
      random,
      events,
      warnings,
      log,
    });
    const sharded = access.url.mode === 'cluster';
    this.#prefixes = new PrefixSubscriptions({
      commands,
      keys,
      subscriptions: this.#subscriptions,
      sharded,
      clock,
      warnings,
      lost: (prefix) => lostPrefix(prefix, outlet),
    });
    this.#batcher = new PublishBatcher({
      commands,
      keys,
      settings: {
        node,
        historySize: options.historySize,
        historyTtl: options.historyTtl,
        idCacheTtl,
        sharded,
        queueSize: options.queueSize ?? QUEUE_ITEMS,
      },
      clock,
      events,
      log,
    });
  }

  async start(listener: BackplaneListener): Promise<void> {
    if (this.#state === 'closed') throw this.#refusal();
    if (this.#state !== 'new') throw startedTwice();
    this.#state = 'starting';
    this.#listener = new GuardedListener(listener, this.#faults);
    this.connections.open({
      onUp: (connection) => {
        this.#subscriptions.onUp(connection);
        this.#prefixes.restored();
      },
      onDown: (connection) => this.#subscriptions.onDown(connection),
      onMessage: (topic, payload) => void this.#subscriptions.receive(topic, payload),
      onMoved: (connection) => this.#subscriptions.attach(connection, true),
    });
    try {
      const ready = new Promise<void>((resolve) => this.connections.commands.whenReady(resolve));
      const live = Promise.all([ready, this.#subscriptions.subscribeToRecovers()]);
      await within(this.#options.clock, START_PATIENCE_MS, live, () => this.#startTimedOut());
    } catch (error) {
      await this.close();
      throw error;
    }
    this.#state = 'live';
    this.#subscriptions.startChecks();
  }

  publish(messages: readonly Message[]): Promise<readonly Acceptance[]> {
    if (this.#state !== 'live') return Promise.reject(this.#refusal());
    // A recover needs an id for the same reason as an item; no other part sees it.
    return this.#batcher.publish(entriesOf(messages, newName));
  }

  subscribe(channel: string): Promise<void> | undefined {
    if (this.#state !== 'live') return Promise.reject(this.#refusal());
    return this.#subscriptions.subscribe(channel);
  }

  unsubscribe(channel: string): void {
    this.#subscriptions.unsubscribe(channel);
  }

  subscribePrefix(prefix: string): Promise<void> | undefined {
    if (this.#state !== 'live') return Promise.reject(this.#refusal());
    return this.#prefixes.subscribePrefix(prefix);
  }

  unsubscribePrefix(prefix: string): void {
    this.#prefixes.unsubscribePrefix(prefix);
  }

  async read(channel: string, start: HistoryStart, limit: number): Promise<HistoryPage | undefined> {
    if (this.#state !== 'live') throw this.#refusal();
    const { keys, commands } = this.connections;
    return await readHistory(commands, this.#backfill, keys.channel(channel), start, limit).catch(unreadable);
  }

  async head(channel: string, ago?: number): Promise<Position | undefined> {
    if (this.#state !== 'live') throw this.#refusal();
    if (ago !== undefined) return await this.#standAt(channel, performance.now() - ago);
    const known = this.#subscriptions.deliveredUpTo(channel);
    if (known !== undefined) return known;
    const { keys, commands } = this.connections;
    return await readHead(commands, keys.channel(channel), META_TTL_MS).catch(unreadable);
  }

  async remove(channel: string): Promise<void> {
    if (this.#state !== 'live') throw this.#refusal();
    const { keys, commands } = this.connections;
    await removeHistory(commands, keys.channel(channel)).catch(unreadable);
  }

  async #standAt(channel: string, at: number): Promise<Position> {
    const { keys, commands } = this.connections;
    return await readStand(commands, keys.channel(channel), META_TTL_MS, at).catch(unreadable);
  }

  close(): Promise<void> {
    if (this.#state === 'closed') return Promise.resolve();
    this.#state = 'closed';
    this.#listener = undefined;
    const refusal = this.#refusal();
    this.#claims.close();
    this.#batcher.close(refusal);
    this.#prefixes.close(refusal);
    this.#subscriptions.close(refusal);
    this.connections.close();
    return Promise.resolve();
  }

  get unavailableReason(): string | undefined {
    return this.connections.unavailableReason;
  }

  #startTimedOut(): ControlError {
    const why = [this.unavailableReason ?? 'redis does not answer as it should', this.connections.warnings.last ?? []];
    return unavailable(why.flat().join(': '));
  }

  #refusal(): ControlError {
    return refusalOf(this.#state === 'closed');
  }
}

/** What all sinks of a node share. */
interface Outlet {
  readonly events: RedisEvents;
  /** Undefined before the start and after the end. */
  readonly listener: () => BackplaneListener | undefined;
}

/** Takes what the cursor of a channel finds to the listener. A node has as many as channels: it holds nothing that they could share. */
class ChannelSink implements CursorSink<Message> {
  readonly #subscription: ChannelSubscription;
  readonly #outlet: Outlet;

  constructor(subscription: ChannelSubscription, outlet: Outlet) {
    this.#subscription = subscription;
    this.#outlet = outlet;
  }

  deliver(message: Message, acceptedAt: number | undefined): void {
    const { events, listener } = this.#outlet;
    const { prefix } = this.#subscription;
    if (prefix !== undefined) {
      if (message.type === 'item') listener()?.onMessage(byPrefix(message, prefix));
      return;
    }
    if (acceptedAt !== undefined && message.type === 'item') {
      const lag = this.#subscription.connection?.time.since(acceptedAt, performance.now());
      if (lag !== undefined) events.itemCame(lag);
    }
    listener()?.onMessage(message);
  }

  gap(gap: Omit<Gap, 'channel'>): void {
    const { events, listener } = this.#outlet;
    const { channel, prefix } = this.#subscription;
    events.gap(gap.reason);
    if (prefix !== undefined) listener()?.onGap({ channel: prefix, prefix, ...gap });
    else if (channel === undefined) listener()?.onMessage({ type: 'recover' });
    else listener()?.onGap({ channel, ...gap });
  }

  filled(messages: number): void {
    this.#outlet.events.holeFilled(messages);
  }
}

/** The id and the position of a feed are its own. */
function byPrefix({ position: _, ...message }: ItemMessage, prefix: string): ItemMessage {
  return { ...message, id: idInFeed(message), prefix };
}

/** How much is lost is not known: nothing was counted. */
function lostPrefix(prefix: string, { events, listener }: Outlet): void {
  events.gap('rewound');
  listener()?.onGap({
    channel: prefix,
    prefix,
    reason: 'rewound',
    after: { epoch: '', offset: 0 },
    until: undefined,
  });
}

function unreadable(error: unknown): never {
  throw unavailable('The history cannot be read.', error);
}

function newName(): string {
  return randomBytes(9).toString('base64url');
}
