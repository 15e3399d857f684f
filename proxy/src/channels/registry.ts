/**
 * Owns: which subscribers of this node are on which channel, and telling the backplane of this node's interest.
 * Does not own: delivery, or the subscribers themselves.
 */
import type { Subscriber } from './subscriber.js';

/** The part of the backplane that the registry needs. */
export interface Interest {
  /** Undefined when the channel is live at once; else resolves when it is. */
  subscribe(channel: string): Promise<void> | undefined;
  unsubscribe(channel: string): void;
}

const NOBODY: ReadonlySet<Subscriber> = new Set();

/** Channel → subscribers, of one node. */
export class ChannelRegistry {
  readonly #interest: Interest;
  readonly #channels = new Map<string, Set<Subscriber>>();
  readonly #pending = new Map<string, Promise<void>>();
  /** Those that live on without a channel. */
  readonly #resident = new Set<Subscriber>();

  constructor(interest: Interest) {
    this.#interest = interest;
  }

  /**
   * Subscribes to all the given channels in one synchronous step: from here on no item passes by. The result is
   * undefined when all of them are live now; else it resolves when they are, and rejects when the backplane cannot
   * subscribe (the subscriber stays registered and must be removed by its owner). Adding twice changes nothing.
   */
  add(subscriber: Subscriber, channels: Iterable<string>): Promise<void> | undefined {
    let waits: Promise<void>[] | undefined;
    for (const channel of channels) {
      const subscribers = this.#channels.get(channel);
      if (subscribers !== undefined) subscribers.add(subscriber);
      else this.#open(channel, subscriber);
      const pending = this.#pending.get(channel);
      if (pending !== undefined) {
        waits ??= [];
        waits.push(pending);
      }
    }
    return waits === undefined ? undefined : Promise.all(waits).then(() => undefined);
  }

  /** Takes a subscriber off the given channels; unknown ones are ignored. */
  remove(subscriber: Subscriber, channels: Iterable<string>): void {
    for (const channel of channels) {
      const subscribers = this.#channels.get(channel);
      if (!subscribers?.delete(subscriber) || subscribers.size > 0) continue;
      this.#channels.delete(channel);
      this.#pending.delete(channel);
      this.#interest.unsubscribe(channel);
    }
  }

  /** Notes a subscriber that may be on no channel for a while, such as a session, until it leaves. */
  enter(subscriber: Subscriber): void {
    this.#resident.add(subscriber);
  }

  /** Ends what `enter` began; the channels are left by `remove`. */
  leave(subscriber: Subscriber): void {
    this.#resident.delete(subscriber);
  }

  /** The subscribers of a channel: a live view that may shrink while it is walked. */
  of(channel: string): ReadonlySet<Subscriber> {
    return this.#channels.get(channel) ?? NOBODY;
  }

  /** How many subscribers a channel has on this node. */
  count(channel: string): number {
    return this.#channels.get(channel)?.size ?? 0;
  }

  /** Every subscriber of this node once, as of now, whether it is on a channel or not. */
  all(): Set<Subscriber> {
    const all = new Set(this.#resident);
    for (const subscribers of this.#channels.values()) for (const subscriber of subscribers) all.add(subscriber);
    return all;
  }

  /** How many channels have subscribers. */
  get size(): number {
    return this.#channels.size;
  }

  #open(channel: string, subscriber: Subscriber): void {
    this.#channels.set(channel, new Set([subscriber]));
    const pending = this.#interest.subscribe(channel);
    if (pending === undefined) return;
    const settled = () => {
      if (this.#pending.get(channel) === pending) this.#pending.delete(channel);
    };
    this.#pending.set(channel, pending);
    pending.then(settled, settled);
  }
}
