/** The history of the channels of one process: positions, and the last items of each channel within bounds. */
import { ITEM_OVERHEAD, type Item, itemBytes, ownContent } from '@holdfast/grip';
import type { Clock } from '../runtime/clock.js';
import {
  beforeHole,
  type History,
  type HistoryPage,
  type HistoryStart,
  type ItemMessage,
  type LastItems,
  type Position,
} from './backplane.js';

/**
 * Bytes that the items of all channels take in memory, all of each item counted. Beyond that the channels published to least
 * recently lose theirs.
 *
 * @limit {MiB} over all channels of a node without Redis, all of each item counted: the process takes no more than one
 *   and a half times that for them
 * @over the channels with the oldest last publish lose their items
 */
export const MAX_HISTORY_BYTES = 64 * 2 ** 20;

/**
 * Bytes of items in one page: it may have to travel to another process. At least one item, whatever it takes.
 *
 * @limit {MiB} of one page of such a history, an item aside
 * @over the next page
 */
export const PAGE_BYTES = 4 * 2 ** 20;

/**
 * Channels whose count goes on although they have lost their items and nobody is interested in them, beside those that have
 * some. Beyond that they are counted anew.
 *
 * @limit {} channels that have lost their items and have no interest
 * @over their count starts again: a client that reconnects to one is not served from the history
 */
export const MAX_COUNTED_CHANNELS = 100_000;

/** The last items of a channel that is not counted. */
const NOTHING: HistoryPage = { messages: [], end: { epoch: '', offset: 0 }, complete: true };

/** What a channel with items costs beside them and its name. */
const CHANNEL_OVERHEAD = 512;

/** What a {@link LocalHistory} is made of. */
export interface LocalHistoryOptions {
  readonly clock: Clock;
  /** Random: names the counts of this process, which no other process goes on with. */
  readonly epoch: string;
  /** Items kept on each channel; at least 1. */
  readonly historySize: number;
  /** How long an item is kept, in ms; above 0. */
  readonly historyTtl: number;
  /** {@link MAX_HISTORY_BYTES} if left out. */
  readonly maxBytes?: number;
  /** Asked at every use. While it is false nothing is kept, and what was kept is forgotten. Always true if left out. */
  readonly isOn?: () => boolean;
}

interface Kept {
  readonly message: ItemMessage & { readonly position: Position };
  readonly at: number;
  readonly bytes: number;
}

interface Channel {
  readonly epoch: string;
  /** Offset of the last item accepted. */
  count: number;
  /** When it was last read or published to. */
  at: number;
  /** Those before `first` have gone: their places are empty. */
  kept: (Kept | undefined)[];
  first: number;
  /** When the newest item was accepted of those that are not kept any more. */
  gone: number;
}

/**
 * In-process {@link History}. A channel whose items have gone by their time is forgotten with its count, unless somebody is
 * interested in it; counted anew it gets another epoch, so that no old position is taken for a new one.
 */
export class LocalHistory implements History {
  readonly #options: LocalHistoryOptions;
  readonly #maxBytes: number;
  readonly #channels = new Map<string, Channel>();
  /** Those with items, in the order of their last one, the oldest first. */
  readonly #filled = new Map<string, Channel>();
  /** Those without, in the order in which they came to be so. */
  readonly #empty = new Set<string>();
  #isKept: (channel: string) => boolean = () => false;
  #generation = 0;
  #bytes = 0;
  #timer: unknown;

  constructor(options: LocalHistoryOptions) {
    this.#options = options;
    this.#maxBytes = options.maxBytes ?? MAX_HISTORY_BYTES;
  }

  /** `isKept` decides for which channels the count goes on although nothing is kept. Called once, by the backplane. */
  keep(isKept: (channel: string) => boolean): void {
    this.#isKept = isKept;
  }

  /** Takes an accepted item and gives it back with its position; undefined while nothing is kept. */
  add(message: ItemMessage): (ItemMessage & { readonly position: Position }) | undefined {
    if (!this.#isOn()) return undefined;
    const name = message.item.channel;
    const channel = this.#open(name);
    if (this.#empty.delete(name)) this.#bytes += channelBytes(name);
    else this.#filled.delete(name);
    this.#filled.set(name, channel);
    const position = { epoch: channel.epoch, offset: ++channel.count };
    const placed = { ...message, item: keptItem(message.item), position };
    const bytes = itemBytes(message.item) + ITEM_OVERHEAD;
    channel.at = this.#options.clock.monotonic();
    channel.kept.push({ message: placed, at: channel.at, bytes });
    this.#bytes += bytes;
    this.#expire(name, channel);
    if (channel.kept.length - channel.first > this.#options.historySize) this.#dropFirst(name, channel);
    if (this.#bytes > this.#maxBytes) this.#shrink();
    return placed;
  }

  /** Where the latest kept item with this publisher's id stands. */
  find(channel: string, id: string): Position | undefined {
    const found = this.#channels.get(channel);
    const index = found === undefined ? -1 : indexOf(found, id);
    return found?.kept[index]?.message.position;
  }

  read(name: string, start: HistoryStart, limit: number): Promise<HistoryPage | undefined> {
    if (!this.#isOn()) return Promise.resolve(undefined);
    // Anybody may ask for the last items of any name: only channels with interest are counted for that.
    const isNew = 'last' in start && !this.#channels.has(name);
    if (isNew && !this.#isKept(name)) return Promise.resolve(start.before === undefined ? NOTHING : undefined);
    const channel = isNew ? this.#open(name) : this.#channels.get(name);
    if (channel === undefined) return Promise.resolve(undefined);
    this.#expire(name, channel);
    const part = 'last' in start ? lastOf(channel, start) : restOf(channel, start);
    if (part === undefined) return Promise.resolve(undefined);
    const { kept, epoch, count } = channel;
    const { from, to } = part;
    const messages = pageOf(kept, from, Math.min(limit, to - from));
    const ends = from + messages.length;
    return Promise.resolve({
      messages,
      end: { epoch, offset: count - (kept.length - ends) },
      complete: ends === to,
    });
  }

  head(name: string, ago?: number): Promise<Position | undefined> {
    if (!this.#isOn()) return Promise.resolve(undefined);
    const channel = this.#open(name);
    const now = this.#options.clock.monotonic();
    channel.at = now;
    const { epoch, count } = channel;
    return Promise.resolve(ago === undefined ? { epoch, offset: count } : standAt(channel, now - ago));
  }

  remove(name: string): Promise<void> {
    const channel = this.#channels.get(name);
    if (channel !== undefined) while (!isEmpty(channel)) this.#dropFirst(name, channel);
    return Promise.resolve();
  }

  /** Forgets everything. */
  clear(): void {
    this.#options.clock.clear(this.#timer);
    this.#timer = undefined;
    if (this.#channels.size > 0) this.#generation++;
    this.#channels.clear();
    this.#filled.clear();
    this.#empty.clear();
    this.#bytes = 0;
  }

  /** How many channels are counted, and how many bytes are kept. */
  get held(): { readonly channels: number; readonly bytes: number } {
    return { channels: this.#channels.size, bytes: this.#bytes };
  }

  #isOn(): boolean {
    const isOn = this.#options.isOn?.() ?? true;
    // What passes now is not kept: what was kept before would have a hole behind it.
    if (!isOn && this.#channels.size > 0) this.clear();
    return isOn;
  }

  #open(name: string): Channel {
    const known = this.#channels.get(name);
    if (known !== undefined) return known;
    const epoch = `${this.#options.epoch}.${this.#generation.toString(36)}`;
    const channel = {
      epoch,
      count: 0,
      at: this.#options.clock.monotonic(),
      kept: [],
      first: 0,
      gone: Number.NEGATIVE_INFINITY,
    };
    this.#channels.set(name, channel);
    this.#empty.add(name);
    this.#timer ??= this.#options.clock.after(this.#options.historyTtl, () => this.#sweep());
    return channel;
  }

  #expire(name: string, channel: Channel): void {
    const oldest = this.#options.clock.monotonic() - this.#options.historyTtl;
    for (;;) {
      const kept = channel.kept[channel.first];
      if (kept === undefined || kept.at > oldest) return;
      this.#dropFirst(name, channel);
    }
  }

  #dropFirst(name: string, channel: Channel): void {
    const dropped = channel.kept[channel.first];
    this.#bytes -= dropped?.bytes ?? 0;
    channel.gone = dropped?.at ?? channel.gone;
    // The item goes at once; its place is cleared away with others, a whole list at a time, for shifting each out would move
    // all that follow.
    channel.kept[channel.first++] = undefined;
    if (isEmpty(channel)) {
      this.#bytes -= channelBytes(name);
      channel.kept = [];
      channel.first = 0;
      this.#filled.delete(name);
      this.#empty.add(name);
    } else if (channel.first >= 32 && channel.first * 2 >= channel.kept.length) {
      channel.kept = channel.kept.slice(channel.first);
      channel.first = 0;
    }
  }

  #shrink(): void {
    for (const [name, channel] of this.#filled) {
      while (this.#bytes > this.#maxBytes && !isEmpty(channel)) this.#dropFirst(name, channel);
      if (this.#bytes <= this.#maxBytes) break;
    }
    this.#forgetCounts();
  }

  /** Those that are emptied one by one are forgotten as fast: two looks for each. */
  #forgetCounts(): void {
    for (let looks = 0; looks < 2 && this.#empty.size > MAX_COUNTED_CHANNELS; looks++) {
      const name = this.#empty.values().next().value as string;
      this.#empty.delete(name);
      if (this.#isKept(name)) this.#empty.add(name);
      else this.#forget(name);
    }
  }

  #forget(name: string): void {
    this.#channels.delete(name);
    this.#empty.delete(name);
    // Counted anew it is not the same count.
    this.#generation++;
  }

  #sweep(): void {
    const { clock, historyTtl } = this.#options;
    const oldest = clock.monotonic() - historyTtl;
    for (const [name, channel] of this.#channels) {
      this.#expire(name, channel);
      if (!isEmpty(channel) || channel.at > oldest || this.#isKept(name)) continue;
      this.#forget(name);
    }
    this.#timer = this.#channels.size === 0 ? undefined : clock.after(historyTtl, () => this.#sweep());
  }
}

/** Indices of the first of some kept items and of what follows the last of them. */
interface Part {
  readonly from: number;
  readonly to: number;
}

/** What follows the start; undefined when items are missing between the two. */
function restOf(channel: Channel, start: Exclude<HistoryStart, LastItems>): Part | undefined {
  const from = startOf(channel, start);
  return from === undefined ? undefined : { from, to: channel.kept.length };
}

/** The last ones; undefined for those before a position that is none of this channel. */
function lastOf({ kept, first, epoch, count }: Channel, { last, before }: LastItems): Part | undefined {
  if (before !== undefined && (before.epoch !== epoch || before.offset < 1 || before.offset > count + 1))
    return undefined;
  const newer = before === undefined ? 0 : count - before.offset + 1;
  const to = Math.max(first, kept.length - newer);
  return { from: Math.max(first, to - last), to };
}

/** Where a channel stood at a moment. */
function standAt({ kept, first, gone, epoch, count }: Channel, at: number): Position {
  let index = kept.length;
  while (index > first && (kept[index - 1] as Kept).at >= at) index--;
  const offset = count - (kept.length - index);
  return index === first && gone >= at ? beforeHole(epoch, offset + 1) : { epoch, offset };
}

/** Index of the first kept item after the start; undefined when items are missing between the two. */
function startOf(channel: Channel, start: Exclude<HistoryStart, LastItems>): number | undefined {
  if ('afterId' in start) {
    const index = indexOf(channel, start.afterId);
    return index === -1 ? undefined : index + 1;
  }
  const { epoch, offset } = start.after;
  const { kept, first, count } = channel;
  if (epoch !== channel.epoch || offset > count) return undefined;
  const from = kept.length - (count - offset);
  return from < first ? undefined : from;
}

/** From the newest: an id may have come again after its time in the id cache. */
function indexOf({ kept, first }: Channel, id: string): number {
  for (let i = kept.length - 1; i >= first; i--) if (kept[i]?.message.item.id === id) return i;
  return -1;
}

function isEmpty({ kept, first }: Channel): boolean {
  return first >= kept.length;
}

function channelBytes(name: string): number {
  return CHANNEL_OVERHEAD + 2 * name.length;
}

/** The items from an index on, as many as may be in one page. */
function pageOf(kept: Channel['kept'], from: number, limit: number): Kept['message'][] {
  const messages: Kept['message'][] = [];
  let bytes = 0;
  for (let i = from; i < kept.length && messages.length < limit; i++) {
    const item = kept[i] as Kept;
    bytes += item.bytes;
    if (bytes > PAGE_BYTES && messages.length > 0) break;
    messages.push(item.message);
  }
  return messages;
}

/** The item, with content that shares its memory with nothing else, but for items of the same publish with the same content. */
export function keptItem(item: Item): Item {
  const formats = ownContent(item.formats);
  return formats === item.formats ? item : { ...item, formats };
}
