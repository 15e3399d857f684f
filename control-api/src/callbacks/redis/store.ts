/** {@link CallbackStore} of nodes that share a Redis: what is kept there survives them, and one of them at a time sees to each callback. */
import { type Backplane, isForCallbacks } from '../../backplane/backplane.js';
import type { RedisConnections } from '../../backplane/redis/connection/connections.js';
import { CALLBACK_SHARDS, callbackShardOf } from '../../backplane/redis/keys.js';
import { ControlError, unavailable } from '../../errors.js';
import type { Clock } from '../../runtime/clock.js';
import type { Containment } from '../../runtime/faults.js';
import type { Log } from '../../runtime/log.js';
import type { Callback, CallbackRecord, CallbackStatus } from '../callback.js';
import type { Backlog, CallbackListener, CallbackPage, CallbackStore, CallbackWork, QueuedItem } from '../store.js';
import { CallbackLeases } from './leases.js';
import { CallbackQueue, type QueueEntry, type ReadAhead } from './queue.js';
import { CallbackRecords } from './records.js';
import { backlogScript } from './scripts.js';

/** How many callbacks of a shard are taken over at a time. */
const TAKEN_AT_A_TIME = 100;

/** How often the queues are read though nobody has said that something came, in ms: what says so may be lost. */
const LOOK_MS = 60_000;

/** What {@link RedisCallbacks} are made of. */
export interface RedisCallbacksOptions {
  /** Of a backplane, which is started before the store and closed after it. */
  readonly connections: RedisConnections;
  /** Of that backplane, started by the store: says when something has come. */
  readonly share: Backplane;
  /** Names this node; new with each start. */
  readonly node: string;
  readonly clock: Clock;
  readonly log: Log;
  readonly faults: Containment;
}

/** A callback that this node keeps. */
interface Kept {
  record: CallbackRecord;
  readonly shard: number;
  /** By channel. */
  readonly queues: Map<string, CallbackQueue>;
  /** Of which the last `next` gave an item. */
  given: { readonly queue: CallbackQueue; readonly entry: QueueEntry } | undefined;
}

/** A shard of this node: what is to be done with it, one after the other. */
interface Shard {
  version: number;
  work: Promise<void>;
}

/** See the head of the file. */
export class RedisCallbacks implements CallbackStore, CallbackWork {
  readonly #options: RedisCallbacksOptions;
  readonly #records: CallbackRecords;
  readonly #leases: CallbackLeases;
  readonly #shards: readonly Shard[];
  readonly #kept = new Map<string, Kept>();
  readonly #onChannel = new Map<string, Set<Kept>>();
  readonly #ahead: ReadAhead = { chars: 0 };
  #listener: CallbackListener | undefined;
  #timer: unknown;

  constructor(options: RedisCallbacksOptions) {
    const { connections, node, clock, log, faults } = options;
    const { commands } = connections;
    const keys = Array.from({ length: CALLBACK_SHARDS }, (_, shard) => connections.keys.callbacks(shard));
    this.#options = options;
    this.#records = new CallbackRecords(commands, keys);
    this.#shards = keys.map(() => ({ version: 0, work: Promise.resolve() }));
    this.#leases = new CallbackLeases(
      { commands, keys, node, clock, log, faults },
      {
        onTaken: (shard) => this.#does(shard, () => this.#take(shard)),
        onHeld: (shard, version, count) => this.#does(shard, () => this.#follow(shard, version, count)),
        onLeaving: (shard) => this.#leave(shard),
      },
    );
  }

  async start(listener: CallbackListener): Promise<void> {
    this.#listener = listener;
    await this.#options.share.start({
      onMessage: (message) => {
        if (message.type === 'item' && isForCallbacks(message.item)) this.#came(message.item.channel);
      },
      onGap: ({ channel }) => this.#came(channel),
    });
    await this.#leases.start();
    this.#lookLater();
  }

  put(callback: Callback): Promise<boolean> {
    return this.#asking(async () => {
      const shard = callbackShardOf(callback.id);
      // Before the callback is there: what is accepted once it was made is to wait for it.
      await this.#openAll(shard, callback);
      const { made, known } = await this.#records.put(shard, callback).catch(async (error: unknown) => {
        // The last place has gone meanwhile: there is no callback for what waits.
        if (error instanceof ControlError && error.code === 'ERR_CALLBACKS_FULL') {
          await Promise.all(callback.channels.map(({ name }) => this.#queueOf(name, callback.id).end()));
        }
        throw error;
      });
      const names = new Set(callback.channels.map(({ name }) => name));
      const left = known?.callback.channels.filter(({ name }) => !names.has(name)) ?? [];
      await Promise.all(left.map(({ name }) => this.#queueOf(name, callback.id).end()));
      if (this.#leases.holds(shard)) await this.#does(shard, () => this.#keep(made, shard));
      return known === undefined;
    });
  }

  /** Has items of its channels wait for a callback; those of none where it is one too many. */
  async #openAll(shard: number, { id, channels }: Callback): Promise<void> {
    const had = new Set((await this.#records.read(shard, id))?.callback.channels.map(({ name }) => name));
    if (had.size === 0) await this.#records.assertRoom(shard);
    const opened: CallbackQueue[] = [];
    try {
      for (const { name } of channels) {
        const queue = this.#queueOf(name, id);
        await queue.open();
        if (!had.has(name)) opened.push(queue);
      }
    } catch (error) {
      if (error instanceof ControlError) await Promise.all(opened.map((queue) => queue.end()));
      throw error;
    }
  }

  remove(id: string, version?: number): Promise<CallbackRecord | undefined> {
    return this.#asking(async () => {
      const shard = callbackShardOf(id);
      const known = await this.#records.read(shard, id);
      if (known === undefined || (version !== undefined && known.version !== version)) return undefined;
      const endQueues = () => Promise.all(known.callback.channels.map(({ name }) => this.#queueOf(name, id).end()));
      // First what waits: a callback that is there still can be removed again, should this node be killed here. But nothing of one that
      // is made anew at this moment.
      if (version === undefined) await endQueues();
      else if (!(await this.#records.remove(shard, id, version))) return undefined;
      if (version === undefined) await this.#records.remove(shard, id);
      else await endQueues();
      this.#forget(id);
      return known;
    });
  }

  read(id: string): Promise<(CallbackRecord & { readonly backlog: Backlog }) | undefined> {
    return this.#asking(async () => {
      const record = await this.#records.read(callbackShardOf(id), id);
      if (record === undefined) return undefined;
      const { commands, keys } = this.#options.connections;
      const counts = await Promise.all(
        record.callback.channels.map(({ name }) => commands.run(backlogScript, [keys.channel(name).queue], [id])),
      );
      return { ...record, backlog: { items: counts.reduce<number>((sum, count) => sum + Number(count), 0) } };
    });
  }

  list(after: string | undefined, limit: number): Promise<CallbackPage> {
    return this.#asking(() => this.#records.list(after, limit));
  }

  async close(): Promise<void> {
    this.#options.clock.clear(this.#timer);
    await this.#leases.close();
    this.#listener = undefined;
    await this.#options.share.close();
  }

  keeps(id: string): boolean {
    const kept = this.#kept.get(id);
    return kept !== undefined && this.#leases.holds(kept.shard);
  }

  next(id: string): Promise<{ readonly item: QueuedItem; readonly lost: number } | undefined> {
    return this.#asking(async () => {
      const kept = this.#kept.get(id);
      if (kept === undefined) return undefined;
      let lost = 0;
      kept.given = undefined;
      for (const queue of [...kept.queues.values()]) {
        const entry = await queue.peek();
        if (entry === 'gone') {
          if (!(await this.#reopen(kept, queue))) return undefined;
          continue;
        }
        lost += queue.takeLost();
        if (entry !== undefined && (kept.given === undefined || entry.at < kept.given.entry.at)) {
          kept.given = { queue, entry };
        }
      }
      return kept.given && { item: kept.given.entry, lost };
    });
  }

  done(id: string, item: QueuedItem): Promise<void> {
    return this.#asking(async () => {
      const given = this.#kept.get(id)?.given;
      if (given?.entry.key === item.key) await given.queue.done(given.entry);
      // This node does not see to it any more: the next one need not send the item again.
      else if (isEntry(item)) await this.#queueOf(item.channel, id).done(item);
    });
  }

  note(id: string, version: number, status: CallbackStatus): Promise<void> {
    return this.#asking(async () => {
      const kept = this.#kept.get(id);
      for (const queue of kept?.queues.values() ?? []) queue.slow(status.failures > 0);
      if (kept?.record.version === version) kept.record = { ...kept.record, status };
      await this.#records.note(callbackShardOf(id), id, version, status);
    });
  }

  /** The group is not there: the callback has ended on another node; or its queue has gone from Redis, with what waited. */
  async #reopen(kept: Kept, queue: CallbackQueue): Promise<boolean> {
    const { id } = kept.record.callback;
    const record = await this.#records.read(kept.shard, id);
    if (record === undefined || record.version !== kept.record.version) {
      if (record === undefined) this.#forget(id);
      return false;
    }
    this.#options.log.warn(
      { callback: id, channel: queue.channel },
      'what waited for a callback is not in Redis any more',
    );
    await queue.open();
    return true;
  }

  /** A shard that this node has from now on, or has not had for a while: everything of it is read anew. */
  async #take(shard: number): Promise<void> {
    const state = this.#shards[shard] as Shard;
    state.version = 0;
    for (const kept of this.#kept.values()) {
      if (kept.shard !== shard) continue;
      for (const queue of kept.queues.values()) {
        queue.restart();
        await queue.open();
      }
      this.#listener?.onItems(kept.record.callback.id);
    }
  }

  async #follow(shard: number, version: number, count: number): Promise<void> {
    const state = this.#shards[shard] as Shard;
    if (!this.#leases.holds(shard) || state.version === version) return;
    let after = state.version;
    for (;;) {
      const { records, last } = await this.#records.changed(shard, after, TAKEN_AT_A_TIME);
      await Promise.all(records.map((record) => this.#keep(record, shard)));
      if (last === undefined) break;
      after = last;
    }
    const own = [...this.#kept.values()].filter((kept) => kept.shard === shard);
    if (own.length !== count) {
      const ids = await this.#records.ids(shard);
      for (const { record } of own) if (!ids.has(record.callback.id)) this.#forget(record.callback.id);
    }
    state.version = version;
  }

  async #keep(record: CallbackRecord, shard: number): Promise<void> {
    const { id, channels } = record.callback;
    const known = this.#kept.get(id);
    if (known !== undefined && known.record.version >= record.version) return;
    const kept = known ?? { record, shard, queues: new Map(), given: undefined };
    const names = new Set(channels.map(({ name }) => name));
    for (const name of kept.queues.keys()) if (!names.has(name)) this.#leaveChannel(name, kept);
    await Promise.all(
      channels.map(async ({ name }) => {
        if (kept.queues.has(name)) return;
        const queue = this.#queueOf(name, id);
        await queue.open();
        kept.queues.set(name, queue);
        this.#enterChannel(name, kept);
      }),
    );
    kept.record = record;
    // It may have been given back meanwhile.
    if (!this.#leases.holds(shard)) return;
    this.#kept.set(id, kept);
    this.#listener?.onKept(record);
  }

  /** It has ended, here or elsewhere. Its sender may be what ends it, and is not waited for. */
  #forget(id: string): void {
    const kept = this.#drop(id);
    if (kept !== undefined) void this.#listener?.onLeft(id);
  }

  async #leave(shard: number): Promise<void> {
    const own = [...this.#kept.values()].filter((kept) => kept.shard === shard);
    // Its queues are needed until what is under way is over.
    await Promise.all(own.map(({ record }) => this.#listener?.onLeft(record.callback.id)));
    for (const { record } of own) this.#drop(record.callback.id);
    (this.#shards[shard] as Shard).version = 0;
  }

  #drop(id: string): Kept | undefined {
    const kept = this.#kept.get(id);
    if (kept === undefined) return undefined;
    this.#kept.delete(id);
    for (const name of [...kept.queues.keys()]) this.#leaveChannel(name, kept);
    return kept;
  }

  #enterChannel(name: string, kept: Kept): void {
    const others = this.#onChannel.get(name);
    if (others !== undefined) others.add(kept);
    else this.#onChannel.set(name, new Set([kept]));
    // While Redis is away that may take as long. What has come before it was live was not said.
    void this.#options.share.subscribe(name)?.then(
      () => this.#came(name),
      () => {},
    );
  }

  #leaveChannel(name: string, kept: Kept): void {
    kept.queues.get(name)?.leave();
    kept.queues.delete(name);
    const others = this.#onChannel.get(name);
    others?.delete(kept);
    if (others?.size !== 0) return;
    this.#onChannel.delete(name);
    this.#options.share.unsubscribe(name);
  }

  #came(channel: string): void {
    for (const kept of this.#onChannel.get(channel) ?? []) {
      kept.queues.get(channel)?.wake();
      this.#listener?.onItems(kept.record.callback.id);
    }
  }

  #lookLater(): void {
    this.#timer = this.#options.clock.after(LOOK_MS, () => {
      for (const channel of this.#onChannel.keys()) this.#came(channel);
      this.#lookLater();
    });
  }

  #queueOf(channel: string, id: string): CallbackQueue {
    const { commands, keys } = this.#options.connections;
    return new CallbackQueue(channel, keys.channel(channel), id, commands, this.#ahead);
  }

  /** Has work on a shard done after what is under way for it. Never rejects. */
  #does(shard: number, work: () => Promise<void>): Promise<void> {
    const state = this.#shards[shard] as Shard;
    state.work = state.work.then(work).catch((error: unknown) => {
      // All of it is read again at the next renewal.
      state.version = 0;
      this.#options.log.debug({ err: error, shard }, 'callbacks could not be taken over');
    });
    return state.work;
  }

  async #asking<T>(ask: () => Promise<T>): Promise<T> {
    try {
      return await ask();
    } catch (error) {
      if (error instanceof ControlError) throw error;
      throw unavailable('The callbacks cannot be reached.', error);
    }
  }
}

function isEntry(item: QueuedItem): item is QueueEntry {
  return 'entry' in item && 'channel' in item;
}
