/** The subscriptions of one connection: its channels, the last id that it has of each, and their filters. */
import { type FilterContext, type FilterPlan, type Item, noFilters, planFilters } from '@holdfast/grip';
import { DIRECT_CHANNEL, directSubscription } from './direct-items.js';

/** A channel as the origin names it. */
export interface ChannelWish {
  /** Without the route's prefix. */
  readonly name: string;
  readonly prevId?: string;
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
      isSubscribed: (name) => this.all.some((subscription) => subscription.name === name),
    };
  }
}

/** Meta of an instruct as filters read it. */
export function metaOf(meta: Readonly<Record<string, string>>): ReadonlyMap<string, string> {
  const entries = Object.entries(meta);
  return entries.length === 0 ? NO_META : new Map(entries);
}
