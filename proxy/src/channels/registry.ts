/** Which subscribers of this node are on which channel, and the node's interest that follows from that. */
import type { PrefixInterest } from '@holdfast/control-api';
import { type Expires, type Item, kindRows } from '@holdfast/grip';
import { type ChannelPattern, NO_PATTERNS } from '../routes/channel-pattern.js';
import type { Clock, Timer } from '../runtime/clock.js';
import type { AgeLimit } from './age-limit.js';
import { EndedIds } from './ended-ids.js';
import type { Expiries, Expiring } from './expiries.js';
import { PatternRegistry } from './pattern-registry.js';
import type { ChannelPresence, Member } from './presence.js';
import type { Subscriber, SubscriberKind } from './subscriber.js';
import { USER_META, UserIndex } from './users.js';

/** What follows this node's interest: the backplane, and what is kept per channel. */
export interface Interest extends Partial<PrefixInterest> {
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

/** Those that follow what the registry knows; each can be left out. */
export interface RegistryFollowers {
  readonly subscriptions?: SubscriptionWatch | undefined;
  /** Ends subscribers that become too old. */
  readonly ages?: Pick<AgeLimit, 'enter' | 'leave'> | undefined;
  /** Ends subscribers when their origins have said; without it they stay. */
  readonly expiries?: Expiries | undefined;
  /** Lists members of channels. */
  readonly presence?: ChannelPresence | undefined;
  readonly users?: UserWatch | undefined;
}

const NOBODY: ReadonlySet<Subscriber> = new Set();

/** Subscribers of a channel that are looked at for whether one of them takes an item: it is done for each publish. */
const LOOKED_AT = 16;

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
  /** The same for patterns. */
  readonly patterns: PatternRegistry;
  /** Of those that have entered. */
  readonly users = new UserIndex();
  readonly #interest: Interest;
  readonly #clock: Clock;
  readonly #subscriptionLinger: number;
  readonly #followers: RegistryFollowers;
  readonly #channels = new Map<string, Channel>();
  /** Every subscriber by its id; most are on a channel, but need not be. */
  readonly #present = new Map<string, Subscriber>();
  /** Sessions by their Connection-Id. */
  readonly #sessions = new Map<string, Subscriber>();
  /** Those that are to end, and have not ended yet. */
  readonly #ending = new Map<string, Subscriber>();
  readonly #ended = new EndedIds();
  /** Goes on where it has stopped: what comes meanwhile comes last. */
  #walk: Iterator<Subscriber> | undefined;

  /**
   * `subscriptionLinger`, in ms, is how long a channel is kept after its last response hold has left, since such clients come back;
   * after a stream or session it is not. `patternSeparator` is the one with which all patterns are parsed.
   */
  constructor(
    interest: Interest,
    clock: Clock,
    subscriptionLinger: number,
    followers: RegistryFollowers = {},
    patternSeparator?: string,
  ) {
    this.patterns = new PatternRegistry(
      {
        subscribePrefix: (prefix) => interest.subscribePrefix?.(prefix),
        unsubscribePrefix: (prefix) => interest.unsubscribePrefix?.(prefix),
      },
      patternSeparator,
    );
    this.#interest = interest;
    this.#clock = clock;
    this.#subscriptionLinger = subscriptionLinger;
    this.#followers = followers;
  }

  /**
   * Subscribes to all the given channels and patterns in one synchronous step: from here on no item passes by. The result is
   * undefined when all of them are live now; else it resolves when they are, and rejects when the backplane cannot
   * subscribe (the subscriber stays registered and must be removed by its owner). Adding twice changes nothing. `member` is who it is
   * to others on these channels; left out, they do not see it.
   */
  add(
    subscriber: Subscriber,
    channels: Iterable<string>,
    patterns: readonly ChannelPattern[] = NO_PATTERNS,
    member?: Member,
  ): Promise<void> | undefined {
    const live = this.#add(subscriber, channels, member);
    const livePatterns = patterns.length === 0 ? undefined : this.patterns.add(subscriber, patterns);
    if (live === undefined || livePatterns === undefined) return live ?? livePatterns;
    return Promise.all([live, livePatterns]).then(() => undefined);
  }

  #add(subscriber: Subscriber, channels: Iterable<string>, member: Member | undefined): Promise<void> | undefined {
    let waits: Promise<void>[] | undefined;
    for (const name of channels) {
      const channel = this.#channels.get(name) ?? this.#open(name);
      if (channel.refused) this.#declare(name, channel);
      const { size } = channel.subscribers;
      channel.subscribers.add(subscriber);
      if (channel.subscribers.size > size) {
        this.#followers.subscriptions?.joined(name, subscriber.kind);
        if (member !== undefined) this.#followers.presence?.joined(name, subscriber, member);
      }
      this.#clock.clear(channel.linger);
      channel.linger = undefined;
      if (channel.pending !== undefined) {
        waits ??= [];
        waits.push(channel.pending);
      }
    }
    return waits === undefined ? undefined : Promise.all(waits).then(() => undefined);
  }

  /** Takes a subscriber off the given channels and patterns; unknown ones are ignored. */
  remove(subscriber: Subscriber, channels: Iterable<string>, patterns: readonly ChannelPattern[] = NO_PATTERNS): void {
    if (patterns.length > 0) this.patterns.remove(subscriber, patterns);
    for (const name of channels) {
      const channel = this.#channels.get(name);
      if (!channel?.subscribers.delete(subscriber)) continue;
      const lingers = channel.subscribers.size === 0 && kindRows[subscriber.kind].polls && this.#subscriptionLinger > 0;
      this.#followers.subscriptions?.left(name, subscriber.kind, lingers);
      this.#followers.presence?.left(name, subscriber);
      if (channel.subscribers.size > 0) continue;
      if (!lingers) this.#close(name);
      else channel.linger = this.#clock.after(this.#subscriptionLinger, () => this.#close(name));
    }
  }

  /** A subscriber of these channels is another member from here on, or none. */
  memberChanged(subscriber: Subscriber, channels: Iterable<string>, member: Member | undefined): void {
    const on: string[] = [];
    for (const name of channels) if (this.of(name).has(subscriber)) on.push(name);
    this.#followers.presence?.changed(on, subscriber, member);
  }

  /**
   * Notes a subscriber with its meta; it may be on no channel for a while, such as a session, until it leaves. `expires` is as of
   * `setExpiry`.
   */
  enter(subscriber: Subscriber, meta?: ReadonlyMap<string, string>, expires?: Expires): void {
    this.#present.set(subscriber.id, subscriber);
    this.#followers.ages?.enter(subscriber);
    if (expires !== undefined) this.setExpiry(subscriber, expires);
    if (subscriber.session !== undefined) this.#sessions.set(subscriber.session, subscriber);
    if (meta === undefined || meta.size === 0) return;
    const user = meta.get(USER_META);
    this.users.set(subscriber, user);
    if (user !== undefined) this.#followers.users?.set(subscriber, user);
  }

  /** The subscriber with this id has another user, or none; nothing where it has left. */
  identify(id: string, user: string | undefined): void {
    const subscriber = this.find(id);
    if (subscriber === undefined) return;
    this.users.set(subscriber, user);
    this.#followers.users?.set(subscriber, user);
  }

  /** Ends what `enter` began; the channels are left by `remove`. One that `comesBack`, with the same id, has not ended. */
  leave(subscriber: Subscriber, comesBack = false): void {
    const { id, session } = subscriber;
    this.#present.delete(id);
    this.#ending.delete(id);
    this.#followers.ages?.leave(subscriber);
    this.#followers.expiries?.delete(subscriber);
    this.users.leave(subscriber);
    this.#followers.users?.leave(subscriber);
    if (session !== undefined) this.#sessions.delete(session);
    if (comesBack) return;
    this.#ended.add(id);
    if (session !== undefined) this.#ended.add(session);
  }

  /** Whether one with this id or Connection-Id has left lately. */
  hasEnded(id: string): boolean {
    return this.#ended.has(id);
  }

  /** Has a subscriber that has entered expire then, or without a time no more: what was said before has no effect. */
  setExpiry(subscriber: Expiring, expires: Expires | undefined): void {
    this.#followers.expiries?.set(subscriber, expires);
  }

  /** When it expires, in ISO 8601; undefined when it does not. */
  expiryOf(subscriber: Expiring): string | undefined {
    return this.#followers.expiries?.of(subscriber);
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

  /** The subscriber comes last from here on: {@link of} has them in turn for the items that go to one of them. */
  served(channel: string, subscriber: Subscriber): void {
    const subscribers = this.#channels.get(channel)?.subscribers;
    if (subscribers?.delete(subscriber)) subscribers.add(subscriber);
  }

  /** Whom an item of a channel reaches: those on it, and those on a pattern that matches. */
  reachedBy(channel: string): ReadonlySet<Subscriber> {
    const exact = this.of(channel);
    const matching = this.patterns.matching(channel);
    return matching.size === 0 ? exact : new Set([...exact, ...matching]);
  }

  /** How many these are, without a set of them where there is no pattern. */
  countReached(channel: string): number {
    return this.patterns.size === 0 ? this.count(channel) : this.reachedBy(channel).size;
  }

  /** Whether one of these takes a format of the item. Of more than a few not all are looked at: one of the others may. */
  mayTake({ channel, formats }: Pick<Item, 'channel' | 'formats'>): boolean {
    // Callbacks are not among them.
    if (formats.httpRequest !== undefined) return true;
    // While the channel is not live here, the node that has interest is another one.
    const found = this.#channels.get(channel);
    if (found?.pending !== undefined || found?.refused === true) return true;
    let left = LOOKED_AT;
    for (const { kind } of this.patterns.size === 0 ? this.of(channel) : this.reachedBy(channel)) {
      if (left-- === 0 || formats[kindRows[kind].key] !== undefined) return true;
    }
    return false;
  }

  /** The subscribers of a channel whose items come for sure: nobody while it is not live yet. */
  liveOf(channel: string): ReadonlySet<Subscriber> {
    const found = this.#channels.get(channel);
    return found === undefined || found.pending !== undefined || found.refused ? NOBODY : found.subscribers;
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

  /** The channels with subscribers, and these: a live view that may change while it is walked. */
  *occupied(): Generator<readonly [channel: string, subscribers: ReadonlySet<Subscriber>]> {
    for (const [name, { subscribers }] of this.#channels) if (subscribers.size > 0) yield [name, subscribers];
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
    this.#followers.subscriptions?.closed(name);
    this.#interest.unsubscribe(name);
  }
}
