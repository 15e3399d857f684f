/** What is published to prefixes beside the channels: which prefixes there are, and the items of a batch for each. */
import { createHash } from 'node:crypto';
import type { ItemMessage } from '../../backplane.js';
import { PrefixSet } from '../../prefix-set.js';
import type { RedisCommands } from '../connection/commands.js';
import { encodePayload } from '../envelope.js';
import type { RedisKeys } from '../keys.js';
import { parsePrefixes, readPrefixesScript } from '../prefix-scripts.js';
import type { BatchEntry, BatchPart } from './batch.js';
import type { ChannelItems, ChannelResult } from './publish-script.js';

/** The prefixes of a partition as this node knows them. */
export interface KnownPrefixes {
  /** Empty where there are none, and none ever were. */
  readonly version: string;
  readonly prefixes: PrefixSet;
}

const NONE: KnownPrefixes = { version: '', prefixes: new PrefixSet() };

/** Read when the publish script says that they have changed, and never otherwise. */
export class PublishedPrefixes {
  readonly #commands: RedisCommands;
  readonly #keys: RedisKeys;
  readonly #known = new Map<number, KnownPrefixes>();

  constructor(commands: RedisCommands, keys: RedisKeys) {
    this.#commands = commands;
    this.#keys = keys;
  }

  of(partition: number): KnownPrefixes {
    return this.#known.get(partition) ?? NONE;
  }

  /** Reads those of a partition; rejects with the error of Redis. */
  async read(partition: number): Promise<void> {
    const { known, version: key } = this.#keys.prefixes(partition);
    const { version, prefixes } = parsePrefixes(await this.#commands.run(readPrefixesScript, [known, key], []));
    this.#known.set(partition, { version, prefixes: new PrefixSet(prefixes) });
  }
}

/** Items of a batch for one prefix. */
export interface Feed extends ChannelItems {
  /** For each of the entries, which entry of which part it is of. */
  readonly from: readonly (readonly [part: number, entry: number])[];
}

interface Filling extends Feed {
  readonly entries: BatchEntry[];
  readonly from: [number, number][];
}

/** What parts of a partition have for these prefixes. Allocates nothing for parts that have nothing. */
export function feedsOf(
  parts: readonly BatchPart[],
  prefixes: PrefixSet,
  keys: RedisKeys,
  partition: number,
): readonly Feed[] {
  if (prefixes.size === 0) return [];
  const feeds = new Map<string, Filling>();
  for (const [i, { channel, entries }] of parts.entries()) {
    if (channel === undefined) continue;
    const found = prefixes.of(channel);
    if (found.length === 0) continue;
    for (const [j, entry] of entries.entries()) {
      const fed = feedEntry(entry);
      for (const prefix of found) {
        let feed = feeds.get(prefix);
        if (feed === undefined) {
          feed = { keys: keys.feed(prefix, partition), entries: [], from: [] };
          feeds.set(prefix, feed);
        }
        feed.entries.push(fed);
        feed.from.push([i, j]);
      }
    }
  }
  return [...feeds.values()];
}

/** Characters of a channel and an id beyond which their digest stands for them: a payload's id is bounded. */
const ID_CHARS = 200;

/**
 * An item as a feed has it. Ids are those of a channel, and a feed has the items of many: there the channel is a part of the id. A
 * duplicate is fed as well, and is one there too, unless its first did not get there. Versions are those of a channel too: what is
 * stale there is stale here.
 */
function feedEntry(entry: BatchEntry): BatchEntry {
  const message = entry.message as ItemMessage;
  const whole = feedStart(message.item.channel) + entry.id;
  const id = whole.length <= ID_CHARS ? whole : createHash('sha256').update(whole).digest('base64url');
  const item = message.item.id === undefined ? message.item : { ...message.item, id };
  const payload = encodePayload(message, id);
  return {
    message: { ...message, item },
    id,
    payload,
    shared: undefined,
    fedFrom: message.item,
    acceptance: undefined,
  };
}

function feedStart(channel: string): string {
  return `${channel.length}:${channel}:`;
}

/** The id of an item that has come by a feed, without what stands before it there. Of a long one that was made the digest is left. */
export function idInFeed({ id, item }: ItemMessage): string {
  const start = feedStart(item.channel);
  return item.id ?? (id.startsWith(start) ? id.slice(start.length) : id);
}

/** The results of the parts, with the nodes that were reached by prefixes: at least as many as had interest in one of all. */
export function withFeeds(
  results: readonly ChannelResult[],
  feeds: readonly Feed[],
  fed: readonly ChannelResult[],
): ChannelResult[] {
  const all = results.map((result) => (result instanceof Error ? result : [...result]));
  for (const [i, { from }] of feeds.entries()) {
    const reached = fed[i];
    if (reached === undefined || reached instanceof Error) continue;
    for (const [j, [part, entry]] of from.entries()) {
      const result = all[part];
      const nodes = reached[j]?.nodes;
      if (result === undefined || result instanceof Error || nodes === undefined) continue;
      const before = result[entry];
      if (before?.nodes !== undefined && before.nodes < nodes) result[entry] = { ...before, nodes };
    }
  }
  return all;
}
