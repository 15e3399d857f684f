/** Which subscribers of this node are on which channel, and the node's interest that follows from that. */
import { kindRows } from '@holdfast/grip';
import type { Clock, Timer } from '../runtime/clock.js';
import type { AgeLimit } from './age-limit.js';
import type { Subscriber, SubscriberKind } from './subscriber.js';

/** What follows this node's interest: the backplane, and what is kept per channel. */
export interface Interest {
  /** The first subscriber. Undefined when the channel is live at once; else resolves when it is. */
  subscribe(channel: string): Promise<void> | undefined;
  /** The last subscriber has gone, and has not been followed by another for the time of the linger. */
  unsubscribe(channel: string): void;
}

/** Is called for each subscription. */
export interface SubscriptionWatch {
  joined(channel: string, kind: SubscriberKind): void;
  /** `lingers`: the channel is kept, without subscribers, for those who come back. */
  left(channel: string, kind: SubscriberKind, lingers: boolean): void;
  /** Follows the last `left`, at once or after the linger. */
  closed(channel: string): void;
}

/** Is called with the users of subscribers. */
export interface UserWatch {
  /** A subscriber that has entered has this user, or none; called again when that changes. */
  set(subscriber: Subscriber, user: string | undefined): void;
  /** It has left. */
  leave(subscriber: Subscriber): void;
}

/** The meta of a connection by which an origin says whose it is. */
export const USER_META = 'user';

const NOBODY: ReadonlySet<Subscriber> = new Set();

interface Channel {
  readonly subscribers: Set<Subscriber>;
  pending: Promise<void> | undefined;
  /** The backplane refused: the next subscriber has it asked again. */
  refused: boolean;
  /** Runs while nobody is subscribed: what is known of the channel is kept for the next poll. */
  linger: Timer | undefined;
}

/** Channel → subscribers, of one node. */
export class ChannelRegistry {
  readonly #interest: Interest;
  readonly #clock: Clock;
  readonly #subscriptionLinger: number;
  readonly #watch: SubscriptionWatch | undefined;
  readonly #ages: Pick<AgeLimit, 'enter' | 'leave'> | undefined;
  readonly #userWatch: UserWatch | undefined;
  readonly #channels = new Map<string, Channel>();
  /** Every subscriber by its id; most are on a channel, but need not be. */
  readonly #present = new Map<string, Subscriber>();
  /** Sessions by their Connection-Id. */
  readonly #sessions = new Map<string, Subscriber>();
  /** Those that are to end, and have not ended yet. */
  readonly #ending = new Map<string, Subscriber>();
  /** Goes on where it has stopped: what comes meanwhile comes last. */
  #walk: Iterator<Subscriber> | undefined;

  /**
   * `subscriptionLinger`, in ms, is how long a channel is kept after its last response hold has left, since such clients come back;
   * after a stream or session it is not. `ages` ends those that become too old; left out, none do.
   * `userWatch` is left out where nobody asks for users.
   */
  constructor(
    interest: Interest,
    clock: Clock,
    subscriptionLinger: number,
    watch?: SubscriptionWatch,
    ages?: Pick<AgeLimit, 'enter' | 'leave'>,
    userWatch?: UserWatch,
  ) {
    this.#interest = interest;
    this.#clock = clock;
    this.#subscriptionLinger = subscriptionLinger;
    this.#watch = watch;
    this.#ages = ages;
    this.#userWatch = userWatch;
  }

  /**
   * Subscribes to all the given channels in one synchronous step: from here on no item passes by. The result is
   * undefined when all of them are live now; else it resolves when they are, and rejects when the backplane cannot
   * subscribe (the subscriber stays registered and must be removed by its owner). Adding twice changes nothing.
   */
  add(subscriber: Subscriber, channels: Iterable<string>): Promise<void> | undefined {
    let waits: Promise<void>[] | undefined;
    for (const name of channels) {
      const channel = this.#channels.get(name) ?? this.#open(name);
      if (channel.refused) this.#declare(name, channel);
      const { size } = channel.subscribers;
      channel.subscribers.add(subscriber);
      if (channel.subscribers.size > size) this.#watch?.joined(name, subscriber.kind);
      this.#clock.clear(channel.linger);
      channel.linger = undefined;
      if (channel.pending !== undefined) {
        waits ??= [];
        waits.push(channel.pending);
      }
    }
    return waits === undefined ? undefined : Promise.all(waits).then(() => undefined);
  }

  /** Takes a subscriber off the given channels; unknown ones are ignored. */
  remove(subscriber: Subscriber, channels: Iterable<string>): void {
    for (const name of channels) {
      const channel = this.#channels.get(name);
      if (!channel?.subscribers.delete(subscriber)) continue;
      const lingers = channel.subscribers.size === 0 && kindRows[subscriber.kind].polls && this.#subscriptionLinger > 0;
      this.#watch?.left(name, subscriber.kind, lingers);
      if (channel.subscribers.size > 0) continue;
      if (!lingers) this.#close(name);
      else channel.linger = this.#clock.after(this.#subscriptionLinger, () => this.#close(name));
    }
  }

  /** Notes a subscriber with its meta; it may be on no channel for a while, such as a session, until it leaves. */
  enter(subscriber: Subscriber, meta?: ReadonlyMap<string, string>): void {
    this.#present.set(subscriber.id, subscriber);
    this.#ages?.enter(subscriber);
    if (subscriber.session !== undefined) this.#sessions.set(subscriber.session, subscriber);
    if (this.#userWatch === undefined || meta === undefined) return;
    const user = meta.get(USER_META);
    if (user !== undefined) this.#userWatch.set(subscriber, user);
  }

  /** A subscriber has another user, or none; nothing where it has left. */
  identify(subscriber: Subscriber, user: string | undefined): void {
    if (this.find(subscriber.id) === subscriber) this.#userWatch?.set(subscriber, user);
  }

  /** Ends what `enter` began; the channels are left by `remove`. */
  leave(subscriber: Subscriber): void {
    this.#present.delete(subscriber.id);
    this.#ending.delete(subscriber.id);
    this.#ages?.leave(subscriber);
    this.#userWatch?.leave(subscriber);
    if (subscriber.session !== undefined) this.#sessions.delete(subscriber.session);
  }

  /** The subscriber with this id or Connection-Id, if it has entered. */
  find(id: string): Subscriber | undefined {
    return this.#present.get(id) ?? this.#sessions.get(id) ?? this.#ending.get(id);
  }

  /** How many subscribers there are. */
  get entered(): number {
    return this.#present.size + this.#ending.size;
  }

  /** How many subscribers there are that `nextToEnd` has not given yet. */
  get staying(): number {
    return this.#present.size;
  }

  /** The one that came first of those that stay, for the caller to end. It is given once, even where it takes a while to end. */
  nextToEnd(): Subscriber | undefined {
    // A new walk passes all the places of those that have left: only one that is at its end is begun again.
    let next = this.#walk?.next();
    if (next === undefined || next.done === true) {
      this.#walk = this.#present.values();
      next = this.#walk.next();
    }
    if (next.done === true) return undefined;
    const { value } = next;
    this.#present.delete(value.id);
    this.#ending.set(value.id, value);
    return value;
  }

  /** The subscribers of a channel: a live view that may shrink while it is walked. */
  of(channel: string): ReadonlySet<Subscriber> {
    return this.#channels.get(channel)?.subscribers ?? NOBODY;
  }

  /** Whether the node is interested in a channel: somebody is subscribed, or was a moment ago. */
  has(channel: string): boolean {
    return this.#channels.has(channel);
  }

  /** How many subscribers a channel has on this node. */
  count(channel: string): number {
    return this.#channels.get(channel)?.subscribers.size ?? 0;
  }

  /** Every subscriber that has entered, once; what comes and goes during the walk may be left out. */
  *all(): Generator<Subscriber> {
    yield* this.#present.values();
    yield* this.#ending.values();
  }

  /** How many channels the node is interested in. */
  get size(): number {
    return this.#channels.size;
  }

  #open(name: string): Channel {
    const channel: Channel = {
      subscribers: new Set(),
      pending: undefined,
      refused: false,
      linger: undefined,
    };
    this.#channels.set(name, channel);
    this.#declare(name, channel);
    return channel;
  }

  #declare(name: string, channel: Channel): void {
    channel.refused = false;
    channel.pending = this.#interest.subscribe(name);
    const answered = (refused: boolean) => {
      channel.pending = undefined;
      channel.refused = refused;
    };
    channel.pending?.then(
      () => answered(false),
      () => answered(true),
    );
  }

  #close(name: string): void {
    this.#channels.delete(name);
    this.#watch?.closed(name);
    this.#interest.unsubscribe(name);
  }
}
