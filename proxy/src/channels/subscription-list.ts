/** The subscriptions of one connection: its channels, the last id that it has of each, and their filters. */
import { type FilterContext, type FilterPlan, type Item, matchesPattern, noFilters, planFilters } from '@holdfast/grip';
import { type ChannelPattern, NO_PATTERNS } from '../routes/channel-pattern.js';
import type { Delivery } from './delivery.js';
import { DIRECT_CHANNEL, directSubscription } from './direct-items.js';

/** A channel as the origin names it. */
export interface ChannelWish {
  /** Without the route's prefix. */
  readonly name: string;
  readonly prevId?: string;
  /** The name is a pattern, as it was written. */
  readonly isPattern?: true;
  readonly filters: readonly string[];
}

/** One connection's subscription to one channel. */
export interface Subscription {
  /** Full name, as publishers use it. */
  readonly channel: string;
  /** As the origin names it: without the route's prefix. */
  readonly name: string;
  /** Id of the last item that the client has; undefined when ids are not tracked on this channel. */
  prevId: string | undefined;
  readonly filters: readonly string[];
  readonly plan: FilterPlan;
}

/** One connection's subscription to a pattern. */
export interface PatternSubscription extends Subscription {
  readonly pattern: ChannelPattern;
}

const NO_FILTERS: readonly string[] = [];
const NO_META: ReadonlyMap<string, string> = new Map();

/** Full name → subscription. Most connections have one, without filters: that costs two small objects and no map. */
export class SubscriptionList {
  /** Meta of the connection, for filters. What `filterContext` has given out stays as it is: a change then makes a map of its own. */
  meta: ReadonlyMap<string, string> = NO_META;
  /** Whether a context has `meta`. */
  protected metaShown = true;
  /** The first to come, unless it has been deleted. */
  #first: Subscription | undefined;
  /** Those that came after it. */
  #others: Map<string, Subscription> | undefined;
  /** By the keys of the patterns; most connections have none. */
  #patterns: Map<string, PatternSubscription> | undefined;

  /** Adds a channel, or puts the wish in the place of an earlier one. */
  set(channel: string, { name, prevId, filters }: ChannelWish): void {
    const subscription =
      filters.length === 0
        ? { channel, name, prevId, filters: NO_FILTERS, plan: noFilters }
        : { channel, name, prevId, filters, plan: planFilters(filters) };
    if (this.#first?.channel === channel || this.size === 0) this.#first = subscription;
    else {
      this.#others ??= new Map();
      this.#others.set(channel, subscription);
    }
  }

  /** False when there was none. */
  delete(channel: string): boolean {
    if (this.#first?.channel !== channel) return this.#others?.delete(channel) ?? false;
    this.#first = undefined;
    return true;
  }

  /** Of {@link DIRECT_CHANNEL} too: items for this connection alone come as those of its channels do. */
  find(channel: string): Subscription | undefined {
    if (this.#first?.channel === channel) return this.#first;
    return this.#others?.get(channel) ?? (channel === DIRECT_CHANNEL ? directSubscription : undefined);
  }

  /** Adds a pattern, as {@link set} does a channel. Last ids are those of channels: it has none. */
  setPattern(pattern: ChannelPattern, { name, filters }: ChannelWish): void {
    this.#patterns ??= new Map();
    const plan = filters.length === 0 ? noFilters : planFilters(filters);
    this.#patterns.set(pattern.key, { channel: pattern.text, name, prevId: undefined, filters, plan, pattern });
  }

  deletePattern({ key }: ChannelPattern): boolean {
    return this.#patterns?.delete(key) ?? false;
  }

  hasPattern({ key }: ChannelPattern): boolean {
    return this.#patterns?.has(key) ?? false;
  }

  get patternCount(): number {
    return this.#patterns?.size ?? 0;
  }

  get patterns(): readonly ChannelPattern[] {
    if (this.#patterns === undefined) return NO_PATTERNS;
    return [...this.#patterns.values()].map(({ pattern }) => pattern);
  }

  /** The subscriptions to patterns, in the order of their coming. */
  get allPatterns(): Iterable<PatternSubscription> {
    return this.#patterns?.values() ?? [];
  }

  /** Channels, and patterns as they were written: for views and logs. */
  get names(): string[] {
    const { channels } = this;
    return this.#patterns === undefined ? channels : [...channels, ...this.patterns.map(({ text }) => text)];
  }

  /** By which subscription an item has come: to its channel, or to the first of the patterns with the prefix by which it came. */
  through({ item, prefix }: Pick<Delivery, 'item' | 'prefix'>): Subscription | undefined {
    if (prefix === undefined) {
      const found = this.find(item.channel);
      // What goes to one of all has no place in the order of the channel.
      return found?.prevId !== undefined && item.deliver === 'one' ? { ...found, prevId: undefined } : found;
    }
    for (const subscription of this.allPatterns) {
      const { pattern } = subscription;
      if (pattern.prefix === prefix && isFor(pattern, item.channel)) return subscription;
    }
    return undefined;
  }

  has(channel: string): boolean {
    return this.find(channel) !== undefined;
  }

  get size(): number {
    return (this.#first === undefined ? 0 : 1) + (this.#others?.size ?? 0);
  }

  /** Full names. */
  get channels(): string[] {
    return this.all.map(({ channel }) => channel);
  }

  /** All of them, in the order of their coming, as of now. */
  get all(): Subscription[] {
    const others = this.#others?.values() ?? [];
    return this.#first === undefined ? [...others] : [this.#first, ...others];
  }

  /** One of those whose ids are tracked; undefined where none are. */
  get tracked(): Subscription | undefined {
    return this.all.find(({ prevId }) => prevId !== undefined);
  }

  /** The last ids that are tracked, by the origin's name of the channel, as in `Grip-Last`. */
  get lastIds(): ReadonlyMap<string, string> {
    const ids = new Map<string, string>();
    for (const { name, prevId } of this.all) if (prevId !== undefined) ids.set(name, prevId);
    return ids;
  }

  /** What the filters of this connection may look at, for one item. */
  filterContext(item: Item): FilterContext {
    this.metaShown = true;
    return {
      subMeta: this.meta,
      pubMeta: item.meta,
      prevIds: this.lastIds,
      isSubscribed: (name) => this.all.some((subscription) => subscription.name === name) || this.#matches(name),
    };
  }

  /** By the origin's name of a channel. */
  #matches(name: string): boolean {
    for (const { pattern, name: own } of this.allPatterns) {
      // The route's prefix goes before both.
      const prefix = pattern.text.slice(0, pattern.text.length - own.length);
      if (isFor(pattern, prefix + name)) return true;
    }
    return false;
  }
}

function isFor(pattern: ChannelPattern, channel: string): boolean {
  const isLeftOut = pattern.without !== '' && channel.includes(pattern.without);
  return !isLeftOut && matchesPattern(pattern, channel, pattern.separator);
}

/** Meta of an instruct as filters read it. */
export function metaOf(meta: Readonly<Record<string, string>>): ReadonlyMap<string, string> {
  const entries = Object.entries(meta);
  return entries.length === 0 ? NO_META : new Map(entries);
}
