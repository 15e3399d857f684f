/** Owns: the channels of one session. Does not own: what is delivered on them. */
import { MAX_FILTERS } from '@holdfast/grip';
import type { ChannelRegistry } from '../channels/registry.js';
import type { Subscriber } from '../channels/subscriber.js';

/** What became of a wish to subscribe. */
export type SubscribeOutcome = 'subscribed' | 'too-many-channels' | 'too-many-filters';

/** The implicit channels of the session's target, and those that the origin subscribed it to. */
export class Subscriptions {
  readonly #subscriber: Subscriber;
  readonly #registry: ChannelRegistry;
  readonly #prefix: string;
  readonly #max: number;
  readonly #implicit: ReadonlySet<string>;
  /** Full name → filters. */
  readonly #channels = new Map<string, readonly string[]>();

  /** `prefix` goes before every channel that the origin names; `implicit` are full names and do not count for `max`. */
  constructor(
    subscriber: Subscriber,
    registry: ChannelRegistry,
    prefix: string,
    implicit: readonly string[],
    max: number,
  ) {
    this.#subscriber = subscriber;
    this.#registry = registry;
    this.#prefix = prefix;
    this.#max = max;
    this.#implicit = new Set(implicit);
  }

  /** Full names of all channels. */
  get names(): string[] {
    return [...new Set([...this.#implicit, ...this.#channels.keys()])];
  }

  /** Subscribes to the implicit channels. The result is as of `ChannelRegistry.add`. */
  start(): Promise<void> | undefined {
    return this.#registry.add(this.#subscriber, this.#implicit);
  }

  /** Subscribes to one more channel, or replaces the filters of its subscription. */
  add(channel: string, filters: readonly string[]): { outcome: SubscribeOutcome; live: Promise<void> | undefined } {
    if (filters.length > MAX_FILTERS) return { outcome: 'too-many-filters', live: undefined };
    const name = this.#prefix + channel;
    if (!this.#channels.has(name) && this.#channels.size >= this.#max) {
      return { outcome: 'too-many-channels', live: undefined };
    }
    this.#channels.set(name, filters);
    return { outcome: 'subscribed', live: this.#registry.add(this.#subscriber, [name]) };
  }

  /** Ends a subscription that the origin made; an implicit one stays. */
  remove(channel: string): void {
    const name = this.#prefix + channel;
    if (this.#channels.delete(name) && !this.#implicit.has(name)) this.#registry.remove(this.#subscriber, [name]);
  }

  /** Ends all of them. */
  clear(): void {
    this.#registry.remove(this.#subscriber, this.names);
    this.#channels.clear();
  }
}
