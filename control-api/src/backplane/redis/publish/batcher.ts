/** Publishing in batches: how much may wait, in which queue, and what becomes of each call. */
import { type ControlError, refusalWith, unavailable } from '../../../errors.js';
import type { Clock } from '../../../runtime/clock.js';
import type { Log } from '../../../runtime/log.js';
import type { Acceptance } from '../../backplane.js';
import type { RedisCommands } from '../connection/commands.js';
import type { RedisEvents } from '../events.js';
import { partitionOf, type RedisKeys } from '../keys.js';
import { PAYLOAD_CHARS, PUBLISH_QUEUE_CHARS, PUBLISH_QUEUE_MESSAGES } from '../limits.js';
import type { Batch, BatchEntry } from './batch.js';
import { BatchQueue } from './batch-queue.js';
import { feedsOf, PublishedPrefixes, withFeeds } from './feeds.js';
import {
  type ChannelItems,
  type ChannelResult,
  isForOtherPrefixes,
  type PublishSettings,
  parsePublished,
  publishCall,
} from './publish-script.js';

/** What a {@link PublishBatcher} is made of. */
export interface PublishBatcherOptions {
  readonly commands: RedisCommands;
  readonly keys: RedisKeys;
  readonly settings: PublishSettings;
  readonly clock: Clock;
  readonly events: RedisEvents;
  readonly log: Log;
}

/**
 * One queue for everything, or in a cluster one per partition: a master that is away must not hold up what belongs to the
 * others, and order is promised per channel only.
 */
export class PublishBatcher {
  readonly #options: PublishBatcherOptions;
  readonly #queues = new Map<number, BatchQueue>();
  readonly #prefixes: PublishedPrefixes;
  #batches = 0;
  #messages = 0;
  #chars = 0;

  constructor(options: PublishBatcherOptions) {
    this.#options = options;
    this.#prefixes = new PublishedPrefixes(options.commands, options.keys);
  }

  /** Resolves with an acceptance per entry, in order; rejects as `Backplane.publish` does. */
  async publish(entries: readonly BatchEntry[]): Promise<readonly Acceptance[]> {
    if (entries.length === 0) return [];
    const chars = entries.reduce((sum, { payload }) => sum + payload.length, 0);
    if (entries.some(({ payload }) => payload.length > PAYLOAD_CHARS)) {
      throw unavailable(`A message has more than ${PAYLOAD_CHARS} characters.`);
    }
    if (
      this.#messages > 0 &&
      (this.#messages + entries.length > PUBLISH_QUEUE_MESSAGES || this.#chars + chars > PUBLISH_QUEUE_CHARS)
    ) {
      throw unavailable('Too many messages wait for Redis.');
    }
    this.#messages += entries.length;
    this.#chars += chars;
    try {
      return await this.#dispatch(entries);
    } finally {
      this.#messages -= entries.length;
      this.#chars -= chars;
    }
  }

  /** Rejects what waits. */
  close(error: ControlError): void {
    for (const queue of this.#queues.values()) queue.close(error);
  }

  async #dispatch(entries: readonly BatchEntry[]): Promise<readonly Acceptance[]> {
    if (!this.#options.settings.sharded) return this.#queue(0).publish(entries);
    const groups = new Map<number, BatchEntry[]>();
    for (const entry of entries) {
      const partition = entry.message.type === 'item' ? partitionOf(entry.message.item.channel) : 0;
      const group = groups.get(partition);
      if (group) group.push(entry);
      else groups.set(partition, [entry]);
    }
    let refusal: ControlError | undefined;
    await Promise.all(
      [...groups].map(async ([partition, group]) => {
        await this.#queue(partition)
          .publish(group)
          .catch((error: ControlError) => {
            refusal ??= error;
          });
      }),
    );
    const all = entries.map(({ acceptance }) => acceptance);
    if (refusal !== undefined) throw refusalWith(refusal, all);
    return all as Acceptance[];
  }

  #queue(partition: number): BatchQueue {
    const known = this.#queues.get(partition);
    if (known) return known;
    const { commands, settings, clock, events, log } = this.#options;
    const queue = new BatchQueue({
      send: (batch) => this.#send(batch),
      divided: settings.sharded,
      awaySince: () => commands.awaySince,
      whenReady: (run) => commands.whenReady(run),
      restart: () => commands.restart(),
      nextBatch: () => {
        this.#batches += 1;
        return this.#batches;
      },
      clock,
      events,
      log,
    });
    this.#queues.set(partition, queue);
    return queue;
  }

  /** Where the prefixes have changed they are read, and the batch is made anew: Redis has done nothing of it. */
  async #send(batch: Batch): Promise<ChannelResult[]> {
    try {
      return await this.#sendOnce(batch);
    } catch (error) {
      if (!isForOtherPrefixes(error)) throw error;
      const channel = batch.parts[0]?.channel;
      await this.#prefixes.read(this.#options.settings.sharded && channel !== undefined ? partitionOf(channel) : 0);
      return this.#sendOnce(batch);
    }
  }

  async #sendOnce({ number, parts }: Batch): Promise<ChannelResult[]> {
    const { commands, keys, settings } = this.#options;
    const channels = parts.map(
      ({ channel, entries }): ChannelItems => ({
        keys: channel === undefined ? keys.recover() : keys.channel(channel),
        entries,
      }),
    );
    const place = settings.sharded ? channels[0]?.keys.batch(settings.node) : keys.batch(settings.node);
    const partition = settings.sharded ? (channels[0]?.keys.partition ?? 0) : 0;
    const { version, prefixes } = this.#prefixes.of(partition);
    const feeds = feedsOf(parts, prefixes, keys, partition);
    const all = feeds.length === 0 ? channels : [...channels, ...feeds];
    const wanted = { key: keys.prefixes(partition).version, version };
    const { script, keys: names, args } = publishCall(place ?? '', number, all, settings, wanted);
    const results = parsePublished(await commands.run(script, names, args), all);
    if (feeds.length === 0) return results;
    const fed = results.splice(channels.length);
    const refusal = fed.find((result) => result instanceof Error);
    if (refusal !== undefined)
      this.#options.log.warn({ err: refusal }, 'items do not reach the patterns that they match');
    return withFeeds(results, feeds, fed);
  }
}
