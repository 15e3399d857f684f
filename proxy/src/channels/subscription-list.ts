/**
 * Owns: the subscriptions of one connection: which channels it is on, the last id that it has of each, and their filters.
 * Does not own: the registry, or what is delivered.
 */
import { type FilterPlan, type FilterScene, type Item, noFilters, planFilters } from '@holdfast/grip';

/** A channel as whoever subscribes names it. */
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

const NO_META: ReadonlyMap<string, string> = new Map();

/** Full name → subscription. Most connections have one, without filters: that costs one small object. */
export class SubscriptionList {
  /** Meta of the connection, for filters. */
  meta: ReadonlyMap<string, string> = NO_META;
  readonly #subscriptions = new Map<string, Subscription>();

  /** Adds a channel, or puts the wish in the place of an earlier one. */
  set(channel: string, { name, prevId, filters }: ChannelWish): void {
    const plan = filters.length === 0 ? noFilters : planFilters(filters);
    this.#subscriptions.set(channel, { channel, name, prevId, filters, plan });
  }

  /** False when there was none. */
  delete(channel: string): boolean {
    return this.#subscriptions.delete(channel);
  }

  find(channel: string): Subscription | undefined {
    return this.#subscriptions.get(channel);
  }

  has(channel: string): boolean {
    return this.#subscriptions.has(channel);
  }

  get size(): number {
    return this.#subscriptions.size;
  }

  /** Full names. */
  get channels(): string[] {
    return [...this.#subscriptions.keys()];
  }

  /** All of them. */
  get all(): Iterable<Subscription> {
    return this.#subscriptions.values();
  }

  /** The last ids that are tracked, by the origin's name of the channel: what `Grip-Last` tells. */
  get lastIds(): ReadonlyMap<string, string> {
    const ids = new Map<string, string>();
    for (const { name, prevId } of this.#subscriptions.values()) if (prevId !== undefined) ids.set(name, prevId);
    return ids;
  }

  /** What the filters of this connection may look at, for one item. */
  scene(item: Item): FilterScene {
    return {
      subMeta: this.meta,
      pubMeta: item.meta,
      prevIds: this.lastIds,
      isSubscribed: (name) => {
        for (const subscription of this.#subscriptions.values()) if (subscription.name === name) return true;
        return false;
      },
    };
  }
}

/** Meta of an instruct as filters read it. */
export function metaOf(meta: Readonly<Record<string, string>>): ReadonlyMap<string, string> {
  const entries = Object.entries(meta);
  return entries.length === 0 ? NO_META : new Map(entries);
}
