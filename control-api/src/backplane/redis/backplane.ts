/**
 * The backplane of several nodes that share a Redis.
 *
 * Owns: the parts and how they go together. Does not own: any of their work.
 */
import { randomBytes } from 'node:crypto';
import { ControlError } from '../../errors.js';
import type { Clock } from '../../runtime/clock.js';
import { type Containment, loggedFaults } from '../../runtime/faults.js';
import type { Log } from '../../runtime/log.js';
import type { Acceptance, Backplane, BackplaneListener, Message, Position } from '../backplane.js';
import type { History, HistoryPage, HistoryStart } from '../history.js';
import { refusalOf } from '../refusal.js';
import type { RedisTls } from './connection/connection.js';
import { RedisConnections } from './connection/connections.js';
import { parseRedisUrl } from './connection/url.js';
import { encodePayload } from './envelope.js';
import type { RedisEvents } from './events.js';
import { RedisKeys } from './keys.js';
import { META_TTL_MS, START_PATIENCE_MS } from './limits.js';
import type { Parcel } from './publish/batch-queue.js';
import { PublishDesk } from './publish/batcher.js';
import { CatchUp } from './subscribe/backfill.js';
import type { CursorSink } from './subscribe/cursor.js';
import { readHead, readHistory } from './subscribe/history.js';
import { Interest } from './subscribe/interest.js';
import { PositionCheck } from './subscribe/position-check.js';

/** What a {@link RedisBackplane} is made of. */
export interface RedisBackplaneOptions {
  /** `redis://`, `redis+sentinel://` or `redis+cluster://`, with `rediss` for TLS; see `parseRedisUrl`. Redis 7 or later. */
  readonly redisUrl: string;
  /** Begins all keys; systems that share a Redis need different ones. Without braces. */
  readonly redisPrefix: string;
  readonly tls?: RedisTls;
  /** Items kept per channel to catch up from; 0 keeps none, so that every loss of a connection may leave gaps. */
  readonly historySize: number;
  /** How long they are kept after the last of them, in ms; more than 0. */
  readonly historyTtl: number;
  /** How long the ids of items are remembered, in ms; 0 remembers none. */
  readonly idCacheTtl: number;
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
export class RedisBackplane implements Backplane, History {
  /** For {@link RedisNodes}; open from {@link start} to {@link close}. */
  readonly connections: RedisConnections;
  readonly #options: RedisBackplaneOptions;
  readonly #faults: Containment;
  readonly #catchUp: CatchUp;
  readonly #interest: Interest;
  readonly #desk: PublishDesk;
  readonly #check: PositionCheck;
  #state: State = 'new';
  #listener: BackplaneListener | undefined;

  /** Throws ERR_BACKPLANE_URL. */
  constructor(options: RedisBackplaneOptions) {
    const { clock, random, events, log, faults = loggedFaults(log) } = options;
    this.#options = options;
    this.#faults = faults;
    const keys = new RedisKeys(options.redisPrefix);
    const access = { url: parseRedisUrl(options.redisUrl), tls: options.tls, random, faults };
    this.connections = new RedisConnections({ access, keys, clock, events, log });
    const { commands } = this.connections;
    this.#catchUp = new CatchUp(commands, clock, events, this.connections.troubles);
    const subscribers = () => this.connections.subscribers;
    const sink = (channel: string | undefined) => this.#sinkOf(channel);
    const { troubles } = this.connections;
    this.#interest = new Interest({ keys, subscribers, catchUp: this.#catchUp, sink, clock, events, troubles, log });
    this.#desk = new PublishDesk({
      commands,
      keys,
      settings: {
        node: newName(),
        historySize: options.historySize,
        historyTtl: options.historyTtl,
        idCacheTtl: options.idCacheTtl,
        sharded: access.url.mode === 'cluster',
      },
      clock,
      events,
      log,
    });
    this.#check = new PositionCheck(clock, random, () => this.#interest.check());
  }

  async start(listener: BackplaneListener): Promise<void> {
    if (this.#state === 'closed') throw this.#refusal();
    if (this.#state !== 'new') throw new ControlError('ERR_BACKPLANE_STARTED', 'The backplane is already started.');
    this.#state = 'starting';
    this.#listener = listener;
    this.connections.open({
      onUp: (home) => this.#interest.onUp(home),
      onDown: (home) => this.#interest.onDown(home),
      onMessage: (topic, payload) => void this.#interest.receive(topic, payload),
      onMoved: (home) => this.#interest.attach(home, true),
    });
    try {
      await this.#within(START_PATIENCE_MS, [
        new Promise<void>((resolve) => this.connections.commands.whenReady(resolve)),
        this.#interest.subscribeToRecovers(),
      ]);
    } catch (error) {
      await this.close();
      throw error;
    }
    this.#state = 'live';
    this.#check.start();
  }

  publish(messages: readonly Message[]): Promise<readonly Acceptance[]> {
    if (this.#state !== 'live') return Promise.reject(this.#refusal());
    return this.#desk.publish(messages.map(parcelOf));
  }

  subscribe(channel: string): Promise<void> | undefined {
    if (this.#state !== 'live') return Promise.reject(this.#refusal());
    return this.#interest.subscribe(channel);
  }

  unsubscribe(channel: string): void {
    this.#interest.unsubscribe(channel);
  }

  async read(channel: string, start: HistoryStart, limit: number): Promise<HistoryPage | undefined> {
    if (this.#state !== 'live') throw this.#refusal();
    const { keys, commands } = this.connections;
    try {
      return await readHistory(commands, this.#catchUp, keys.channel(channel), start, limit);
    } catch (error) {
      throw new ControlError('ERR_BACKPLANE_UNAVAILABLE', 'The history cannot be read.', { cause: error });
    }
  }

  async head(channel: string): Promise<Position | undefined> {
    if (this.#state !== 'live') throw this.#refusal();
    const { keys, commands } = this.connections;
    try {
      return this.#interest.standing(channel) ?? (await readHead(commands, keys.channel(channel), META_TTL_MS));
    } catch (error) {
      throw new ControlError('ERR_BACKPLANE_UNAVAILABLE', 'The history cannot be read.', { cause: error });
    }
  }

  close(): Promise<void> {
    if (this.#state === 'closed') return Promise.resolve();
    this.#state = 'closed';
    this.#listener = undefined;
    const refusal = this.#refusal();
    this.#check.stop();
    this.#desk.close(refusal);
    this.#interest.close(refusal);
    this.connections.close();
    return Promise.resolve();
  }

  get trouble(): string | undefined {
    return this.connections.trouble;
  }

  #sinkOf(channel: string | undefined): CursorSink<Message> {
    const { events } = this.#options;
    return {
      deliver: (message) => this.#tell((listener) => listener.onMessage(message)),
      gap: (gap) => {
        events.gap(gap.reason);
        if (channel === undefined) this.#tell((listener) => listener.onMessage({ type: 'recover' }));
        else this.#tell((listener) => listener.onGap({ channel, ...gap }));
      },
      filled: (messages) => events.holeFilled(messages),
    };
  }

  #tell(run: (listener: BackplaneListener) => void): void {
    if (!this.#listener) return;
    try {
      run(this.#listener);
    } catch (error) {
      this.#faults.caught('backplane', error);
    }
  }

  /** Rejects with ERR_BACKPLANE_UNAVAILABLE if not all of it is done in time. */
  async #within(ms: number, all: readonly Promise<void>[]): Promise<void> {
    const { clock } = this.#options;
    let timer: unknown;
    const late = new Promise<never>((_, reject) => {
      timer = clock.after(ms, () => {
        const why = [this.trouble ?? 'redis does not answer as it should', this.connections.troubles.last ?? []].flat();
        reject(new ControlError('ERR_BACKPLANE_UNAVAILABLE', why.join(': ')));
      });
    });
    try {
      await Promise.race([Promise.all(all), late]);
    } finally {
      clock.clear(timer);
    }
  }

  #refusal(): ControlError {
    return refusalOf(this.#state === 'closed');
  }
}

/** Recovers need an id for the same reason as items do, but nobody else ever sees it. */
function parcelOf(message: Message): Parcel {
  const id = message.type === 'item' ? message.id : newName();
  return { message, id, payload: encodePayload(message, id) };
}

function newName(): string {
  return randomBytes(9).toString('base64url');
}
