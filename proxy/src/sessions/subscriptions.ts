/** The channels and meta of one session, and the origin's messages that wait for a subscription to be live. */

import type { Containment, Faulty, Log } from '@holdfast/control-api';
import { MAX_FILTERS } from '@holdfast/grip';
import type { CloseReason } from '../channels/close-reasons.js';
import { MEMBER_META, type Member, memberOf } from '../channels/presence.js';
import type { ChannelRegistry } from '../channels/registry.js';
import type { ChangeableChannels, Subscriber } from '../channels/subscriber.js';
import { waitForLive } from '../channels/subscriber-deps.js';
import { SubscriptionList } from '../channels/subscription-list.js';
import { USER_META } from '../channels/users.js';
import { channelOf, type LimitEvents } from '../routes/channel-name.js';
import { type PatternNaming, patternOf } from '../routes/channel-pattern.js';
import type { Route } from '../routes/route.js';
import type { Clock } from '../runtime/clock.js';
import { Fifo } from '../runtime/fifo.js';
import type { OriginSocket } from './origin-socket.js';

/**
 * Most bytes of meta that an origin may set for one session by control messages: names and values, and
 * {@link META_ENTRY_BYTES} for each. As much as it may keep at a session over HTTP.
 *
 * @limit {} bytes of meta that an origin sets for a session by control messages, 32 for each entry included
 * @over session closed with 1011
 */
export const SESSION_META_MAX = 65_536;

/** What an entry counts beside its text: so that short ones are bounded too. */
const META_ENTRY_BYTES = 32;

/** What became of a wish to subscribe. */
export type SubscribeOutcome = 'subscribed' | 'too-many-channels' | 'too-many-filters' | 'not-allowed';

/** A wish and what became of it. */
export interface Subscribed {
  readonly outcome: SubscribeOutcome;
  /** Full name; that of the origin where it is not allowed. */
  readonly channel: string;
  /** The session was not on it before. */
  readonly isNew: boolean;
  /** As of `ChannelRegistry.add`. */
  readonly live: Promise<void> | undefined;
}

/** The session, as what has to know of its channels. */
export interface SubscribedSession extends Subscriber {
  /** Left out where nothing is replayed. */
  readonly writer?: {
    subscribed(channel: string, live: Promise<void> | undefined): void;
    unsubscribed(channel: string): void;
  };
}

/** What the subscriptions of a session depend on. */
type SessionRoute = PatternNaming & Partial<Pick<Route, 'presence'>>;

/** The implicit channels of the session's target, and those that the origin, or an operator, subscribed it to. */
export class Subscriptions extends SubscriptionList implements ChangeableChannels {
  readonly #subscriber: SubscribedSession;
  readonly #registry: ChannelRegistry;
  readonly #route: SessionRoute;
  readonly #implicit: readonly string[];
  readonly #max: number;
  /** Implicit channels that the origin has subscribed the session to as well. */
  #both: Set<string> | undefined;
  /** The map that is `meta`, as long as nobody else has it. */
  #ownMeta: Map<string, string> | undefined;
  #metaBytes = 0;

  /** `route` says what channels are called that the origin names; `implicit` are full names and do not count for `max`. */
  constructor(
    subscriber: SubscribedSession,
    registry: ChannelRegistry,
    route: SessionRoute,
    implicit: readonly string[],
    max: number,
  ) {
    super();
    this.#subscriber = subscriber;
    this.#registry = registry;
    this.#route = route;
    this.#implicit = implicit;
    this.#max = max;
    for (const name of implicit) this.set(name, { name, filters: [] });
  }

  /** Subscribes to the implicit channels. The result is as of `ChannelRegistry.add`. */
  start(): Promise<void> | undefined {
    return this.#registry.add(this.#subscriber, this.#implicit, undefined, this.#member);
  }

  /** Subscribes to one more channel, or replaces the filters of its subscription. */
  add(name: string, filters: readonly string[]): Subscribed {
    const channel = channelOf(this.#route, name);
    if (channel === undefined) return { outcome: 'not-allowed', channel: name, isNew: false, live: undefined };
    const isNew = !this.has(channel);
    if (filters.length > MAX_FILTERS) return { outcome: 'too-many-filters', channel, isNew, live: undefined };
    if (!this.#isOwn(channel)) {
      if (this.#own >= this.#max) return { outcome: 'too-many-channels', channel, isNew, live: undefined };
      if (!isNew) {
        this.#both ??= new Set();
        this.#both.add(channel);
      }
    }
    this.set(channel, { name, filters });
    return {
      outcome: 'subscribed',
      channel,
      isNew,
      live: this.#registry.add(this.#subscriber, [channel], undefined, this.#member),
    };
  }

  /** The same for a pattern; a text says why the route may not have it. */
  addPattern(name: string, filters: readonly string[], events: LimitEvents): Subscribed | string {
    const pattern = patternOf(this.#route, name, events);
    if (typeof pattern === 'string') return pattern;
    const { text: channel } = pattern;
    const isNew = !this.hasPattern(pattern);
    if (filters.length > MAX_FILTERS) return { outcome: 'too-many-filters', channel, isNew, live: undefined };
    if (isNew && this.#own >= this.#max) return { outcome: 'too-many-channels', channel, isNew, live: undefined };
    this.setPattern(pattern, { name, filters });
    return { outcome: 'subscribed', channel, isNew, live: this.#registry.add(this.#subscriber, [], [pattern]) };
  }

  /** Ends a subscription to a pattern. */
  removePattern(name: string, events: LimitEvents): void {
    const pattern = patternOf(this.#route, name, events);
    if (typeof pattern !== 'string' && this.deletePattern(pattern))
      this.#registry.remove(this.#subscriber, [], [pattern]);
  }

  /** Ends a subscription that the origin made; an implicit one stays. The channel that was left, if any, by full name. */
  remove(name: string): string | undefined {
    const channel = channelOf(this.#route, name);
    return channel === undefined || !this.#leave(channel) ? undefined : channel;
  }

  /** An operator's: a channel is called here as the origin would call it, if it could name it. Filters of the origin stay. */
  join(channels: readonly string[]): Promise<void> | undefined {
    const { prefix } = this.#route;
    const added: string[] = [];
    for (const channel of channels) {
      if (this.#isOwn(channel)) continue;
      if (this.has(channel)) {
        this.#both ??= new Set();
        this.#both.add(channel);
      } else {
        const name = channel.startsWith(prefix) ? channel.slice(prefix.length) : channel;
        this.set(channel, { name, filters: [] });
        added.push(channel);
      }
    }
    const live = this.#registry.add(this.#subscriber, added, undefined, this.#member);
    for (const channel of added) this.#subscriber.writer?.subscribed(channel, live);
    return live;
  }

  /** An operator's: implicit channels stay. */
  quit(channels: readonly string[]): void {
    for (const channel of channels) if (this.#leave(channel)) this.#subscriber.writer?.unsubscribed(channel);
  }

  /** Ends a subscription that is not implicit; whether the session has left the channel by that. */
  #leave(channel: string): boolean {
    if (!this.#isOwn(channel)) return false;
    if (this.#both?.delete(channel)) {
      this.set(channel, { name: channel, filters: [] });
      return false;
    }
    this.delete(channel);
    this.#registry.remove(this.#subscriber, [channel]);
    return true;
  }

  /** Sets a value of the session's meta, or without one removes it. False, with nothing changed, beyond {@link SESSION_META_MAX}. */
  setMeta(name: string, value: string | undefined): boolean {
    const bytes = this.#metaBytes - metaBytes(name, this.meta.get(name)) + metaBytes(name, value);
    if (bytes > SESSION_META_MAX) return false;
    const meta = this.#changeableMeta;
    if (value === undefined) meta.delete(name);
    else meta.set(name, value);
    this.#metaBytes = bytes;
    if (name === USER_META) this.#registry.identify(this.#subscriber.id, value);
    if (this.#route.presence !== undefined && (MEMBER_META as readonly string[]).includes(name)) {
      this.#registry.memberChanged(this.#subscriber, this.channels, this.#member);
    }
    return true;
  }

  /** Ends all of them. */
  clear(): void {
    this.#registry.remove(this.#subscriber, this.channels, this.patterns);
  }

  /** Who the session is to others. */
  get #member(): Member | undefined {
    return memberOf(this.#route, this.meta);
  }

  /** A copy only where a filter may still look at the map: an origin may set thousands in a row. */
  get #changeableMeta(): Map<string, string> {
    if (this.#ownMeta === undefined || this.metaShown) {
      this.#ownMeta = new Map(this.meta);
      this.meta = this.#ownMeta;
      this.metaShown = false;
    }
    return this.#ownMeta;
  }

  /** Whether the origin has subscribed the session to a channel. */
  #isOwn(channel: string): boolean {
    return this.#implicit.includes(channel) ? this.#both?.has(channel) === true : this.has(channel);
  }

  /** How many such channels there are. */
  get #own(): number {
    const implicit = this.#implicit.length === 0 ? 0 : new Set(this.#implicit).size;
    return this.size - implicit + (this.#both?.size ?? 0) + this.patternCount;
  }
}

function metaBytes(name: string, value: string | undefined): number {
  return value === undefined ? 0 : META_ENTRY_BYTES + Buffer.byteLength(name) + Buffer.byteLength(value);
}

/** What waiting needs. */
interface OrderDeps {
  readonly clock: Clock;
  readonly faults: Containment;
  readonly log: Log;
}

/** The session, which a subscription that fails ends, and a fault in what it does with what was kept back. */
interface OrderedSession extends Faulty {
  readonly id: string;
  end(reason: CloseReason): void;
}

/**
 * A client that has a message from after the subscription may rely on getting what is published from then on. So the
 * origin is paused, and what is on its way still is kept back.
 */
export class OriginOrder {
  readonly #origin: OriginSocket;
  readonly #deps: OrderDeps;
  readonly #session: OrderedSession;
  /** Undefined while nothing is waited for. */
  #held: Fifo<() => void> | undefined;

  constructor(origin: OriginSocket, deps: OrderDeps, session: OrderedSession) {
    this.#origin = origin;
    this.#deps = deps;
    this.#session = session;
  }

  /** Keeps back what comes from here on, until `live` is settled or that takes too long. */
  waitFor(live: Promise<void>): void {
    live.catch((error: Error) => {
      this.#deps.log.warn({ id: this.#session.id, err: error }, 'subscription failed: closing the session');
      this.#session.end('origin-failed');
    });
    this.#held ??= new Fifo();
    this.#origin.pause();
    waitForLive(live, this.#deps, () => this.#release(), this.#session);
  }

  /** Whether `act` has to wait: then it is run in its turn, and otherwise not at all. */
  keepsBack(act: () => void): boolean {
    this.#held?.push(act);
    return this.#held !== undefined;
  }

  #release(): void {
    const held = this.#held;
    this.#held = undefined;
    // One of them may be the next to wait: those behind it stay.
    for (let act = held?.shift(); act !== undefined; act = held?.shift()) {
      act();
      if (this.#held !== undefined) {
        this.#held = held;
        return;
      }
    }
    this.#origin.resume();
  }
}
