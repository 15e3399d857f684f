/** The channels that a node is subscribed to: sends SUBSCRIBE, UNSUBSCRIBE and barriers for them. */
import type { ControlError } from '../../../errors.js';
import type { Clock } from '../../../runtime/clock.js';
import type { Log } from '../../../runtime/log.js';
import type { Message, Position } from '../../backplane.js';
import type { RedisClaims } from '../claims.js';
import type { SubscriberConnection, Subscribers } from '../connection/subscribers.js';
import { decodePayload, parseFrame } from '../envelope.js';
import { type ConnectionWarnings, FOREIGN_KEY, type RedisEvents } from '../events.js';
import type { ChannelHead } from '../history-scripts.js';
import type { ChannelKeys, RedisKeys } from '../keys.js';
import {
  CHANNELS_PER_COMMAND,
  CHANNELS_UNDER_WAY,
  CHECKS_PER_KEEPING,
  HELD_CHARS,
  HELD_CHARS_TOTAL,
  HELD_MESSAGES,
  LATE_MS,
  POSITION_CHECK_MS,
  RETRY_MS,
  UNSUBSCRIBE_LINGER_MS,
} from '../limits.js';
import { type Backfill, type ChannelSubscription, pendingInterest } from './backfill.js';
import { ChannelCursor, type CursorSink } from './cursor.js';
import { UnsentChannels } from './unsent.js';

/** What {@link ChannelSubscriptions} is made of. */
export interface ChannelSubscriptionsOptions {
  readonly keys: RedisKeys;
  readonly subscribers: () => Subscribers;
  readonly backfill: Backfill;
  readonly claims: Pick<RedisClaims, 'of'>;
  /** Where the messages of a channel go. */
  readonly sink: (subscription: ChannelSubscription) => CursorSink<Message>;
  readonly clock: Clock;
  /** Between 0 and 1, like Math.random. */
  readonly random: () => number;
  readonly events: RedisEvents;
  readonly warnings: ConnectionWarnings;
  readonly log: Log;
}

/** Interest in channels, declared and withdrawn one by one, sent to Redis in batches. */
export class ChannelSubscriptions {
  readonly #options: ChannelSubscriptionsOptions;
  readonly #channels = new Map<string, ChannelSubscription>();
  readonly #limits = { messages: HELD_MESSAGES, size: HELD_CHARS, total: { size: 0, limit: HELD_CHARS_TOTAL } };
  readonly #byTopic = new Map<string, ChannelSubscription>();
  /** Those that are still to be subscribed to. */
  readonly #unsent = new UnsentChannels();
  /** Those of which is to be asked where they are. They wait for all that are to be subscribed to: nobody waits for them. */
  readonly #unchecked = new UnsentChannels();
  /** How many channels were asked for and not answered yet, by connection. */
  readonly #underWay = new Map<SubscriberConnection, number>();
  /** Connections on which Redis has refused something: until the next attempt nothing is asked there. */
  readonly #refused = new Set<SubscriberConnection>();
  /** Channels without interest, with the time when it ended, oldest first. */
  readonly #leaving = new Map<ChannelSubscription, number>();
  #sweep: unknown;
  #check: unknown;
  /** How many there were. */
  #checks = 0;
  /** What is checked now is kept from being forgotten. */
  #keeping = false;
  #retry: unknown;
  #scheduled = false;
  #closed: ControlError | undefined;

  constructor(options: ChannelSubscriptionsOptions) {
    this.#options = options;
  }

  /** See `Backplane.subscribe`. */
  subscribe(channel: string): Promise<void> | undefined {
    if (this.#closed) return Promise.reject(this.#closed);
    const known = this.#channels.get(channel);
    if (known?.cursor) return known.pending?.promise;
    if (known) return this.#open(known);
    const subscription = this.#add(channel, undefined, this.#options.keys.channel(channel));
    this.#channels.set(channel, subscription);
    return this.#open(subscription);
  }

  /** Listens to recovers from now on. */
  subscribeToRecovers(): Promise<void> {
    return this.#open(this.#add(undefined, undefined, this.#options.keys.recover()));
  }

  /** As {@link subscribe}, for what channels of a partition that begin with a prefix are published to as well. */
  subscribeToFeed(prefix: string, partition: number): Promise<void> | undefined {
    if (this.#closed) return Promise.reject(this.#closed);
    const keys = this.#options.keys.feed(prefix, partition);
    const known = this.#byTopic.get(keys.topic);
    if (known?.cursor) return known.pending?.promise;
    return this.#open(known ?? this.#add(undefined, prefix, keys));
  }

  unsubscribeFromFeed(prefix: string, partition: number): void {
    this.#withdraw(this.#byTopic.get(this.#options.keys.feed(prefix, partition).topic));
  }

  /** See `Backplane.unsubscribe`. */
  unsubscribe(channel: string): void {
    this.#withdraw(this.#channels.get(channel));
  }

  #withdraw(subscription: ChannelSubscription | undefined): void {
    if (!subscription?.cursor) return;
    subscription.pending?.resolve();
    this.#end(subscription);
    this.#leaving.set(subscription, this.#options.clock.monotonic());
    this.#sweep ??= this.#options.clock.after(UNSUBSCRIBE_LINGER_MS, () => this.#leave());
  }

  /** True if the topic is that of a channel; then the message is taken care of. */
  receive(topic: string, frame: string): boolean {
    const subscription = this.#byTopic.get(topic);
    if (!subscription) return false;
    const { cursor } = subscription;
    if (!cursor) return true;
    const parsed = parseFrame(frame, cursor.after.epoch);
    if (!parsed) {
      this.#options.events.unreadable();
      this.#options.log.error({}, 'a message in redis has no position');
      return true;
    }
    const { position, payload, acceptedAt } = parsed;
    const envelope = decodePayload(payload, position);
    const { id } = envelope;
    const message = this.#options.claims.of(envelope, acceptedAt);
    if (message === undefined) {
      this.#options.events.unreadable();
      this.#options.log.error(
        { channel: subscription.channel, fault: envelope.fault },
        'a message in redis cannot be read',
      );
    }
    cursor.live({ position, id, size: payload.length, message, acceptedAt });
    this.#options.backfill.schedule(subscription);
    return true;
  }

  /** A connection is up, without any subscription. */
  onUp(connection: SubscriberConnection): void {
    this.attach(connection, false);
  }

  /** A connection is lost, with everything that was on its way. */
  onDown(connection: SubscriberConnection): void {
    for (const subscription of this.#byTopic.values())
      if (subscription.connection === connection) this.#lose(subscription);
  }

  /**
   * Subscribes to the channels of this connection that are not subscribed there; with `again`, to all of them,
   * because Redis may have ended some subscriptions.
   */
  attach(connection: SubscriberConnection, again: boolean): void {
    const subscribers = this.#options.subscribers();
    this.#refused.delete(connection);
    for (const subscription of this.#byTopic.values()) {
      if (subscribers.connectionFor(subscription.keys.partition) !== connection) continue;
      if (subscription.connection !== undefined && (again || subscription.connection !== connection)) {
        if (subscription.connection !== connection) subscription.connection.unsubscribe([subscription.keys.topic]);
        this.#lose(subscription);
      }
      if (subscription.cursor && subscription.connection !== connection) this.#unsent.add(subscription);
    }
    this.#sendNext(connection);
  }

  /**
   * Asks where all live channels are after one to two times {@link POSITION_CHECK_MS}, again and again until {@link close}, and
   * fills those that fell behind: a lost last message leaves no hole that would show it.
   */
  startChecks(): void {
    const { clock, random } = this.#options;
    // Jitter keeps the nodes from asking all at the same moment.
    this.#check = clock.after(POSITION_CHECK_MS * (1 + random()), () => {
      this.startChecks();
      this.#checks += 1;
      // Also for what still waits of the check before.
      this.#keeping = this.#checks % CHECKS_PER_KEEPING === 0 || (this.#keeping && this.#unchecked.size > 0);
      for (const subscription of this.#byTopic.values()) {
        if (subscription.cursor && subscription.connection) this.#unchecked.add(subscription);
      }
      this.#flush();
    });
  }

  /** Up to where a channel has been delivered; undefined where it is not live yet. */
  deliveredUpTo(channel: string): Position | undefined {
    const cursor = this.#channels.get(channel)?.cursor;
    return cursor === undefined || cursor.phase === 'opening' ? undefined : cursor.after;
  }

  /** Channels with interest, and those that linger. */
  get size(): number {
    return this.#byTopic.size;
  }

  close(error: ControlError): void {
    this.#closed = error;
    for (const subscription of this.#byTopic.values()) {
      subscription.pending?.reject(error);
      this.#end(subscription);
    }
    this.#byTopic.clear();
    this.#channels.clear();
    this.#leaving.clear();
    this.#unsent.clear();
    this.#unchecked.clear();
    this.#underWay.clear();
    this.#refused.clear();
    for (const timer of [this.#sweep, this.#retry, this.#check]) this.#options.clock.clear(timer);
  }

  #add(channel: string | undefined, prefix: string | undefined, keys: ChannelKeys): ChannelSubscription {
    const subscription: ChannelSubscription = {
      channel,
      prefix,
      keys,
      cursor: undefined,
      pending: undefined,
      connection: undefined,
      reading: false,
    };
    this.#byTopic.set(keys.topic, subscription);
    return subscription;
  }

  #open(subscription: ChannelSubscription): Promise<void> {
    this.#leaving.delete(subscription);
    subscription.cursor = new ChannelCursor(this.#options.sink(subscription), this.#limits);
    const pending = pendingInterest(this.#options.clock.monotonic());
    subscription.pending = pending;
    this.#unsent.add(subscription);
    if (!this.#scheduled) {
      this.#scheduled = true;
      // After everything that has arrived from clients by now, as many of them come at once after a failure.
      setImmediate(() => {
        this.#scheduled = false;
        this.#flush();
      });
    }
    return pending.promise;
  }

  #end(subscription: ChannelSubscription): void {
    subscription.cursor?.close();
    subscription.cursor = undefined;
    subscription.pending = undefined;
    this.#unsent.delete(subscription);
    this.#unchecked.delete(subscription);
  }

  #lose(subscription: ChannelSubscription): void {
    subscription.connection = undefined;
    subscription.cursor?.lose();
  }

  #leave(): void {
    this.#sweep = undefined;
    const { clock } = this.#options;
    const due = clock.monotonic() - UNSUBSCRIBE_LINGER_MS;
    const groups = new Map<SubscriberConnection, ChannelSubscription[]>();
    for (const [subscription, since] of this.#leaving) {
      if (since > due) break;
      this.#leaving.delete(subscription);
      this.#byTopic.delete(subscription.keys.topic);
      if (subscription.channel !== undefined) this.#channels.delete(subscription.channel);
      if (subscription.connection) add(groups, subscription.connection, subscription);
    }
    const { sharded } = this.#options.subscribers();
    for (const [connection, list] of groups) {
      for (const batch of batches(list, sharded)) connection.unsubscribe(batch.map(({ keys }) => keys.topic));
    }
    const next = this.#leaving.values().next();
    if (!next.done) this.#sweep = clock.after(next.value - due, () => this.#leave());
  }

  /** Sends what is pending, as far as there are connections with room; the rest stays pending until these have. */
  #flush(): void {
    for (const connection of this.#options.subscribers().connections()) this.#sendNext(connection);
  }

  #sendNext(connection: SubscriberConnection): void {
    if (this.#closed || !connection.up || this.#refused.has(connection)) return;
    const subscribers = this.#options.subscribers();
    const isMeant = (partition: number) => subscribers.connectionFor(partition) === connection;
    for (;;) {
      const underWay = this.#underWay.get(connection) ?? 0;
      if (underWay + CHANNELS_PER_COMMAND > CHANNELS_UNDER_WAY) return;
      let batch = this.#unsent.take(isMeant, subscribers.sharded);
      // One command at a time, so that a channel that is subscribed to meanwhile need not wait long.
      if (batch.length === 0 && underWay === 0) batch = this.#unchecked.take(isMeant, subscribers.sharded);
      if (batch.length === 0) return;
      const { length } = batch;
      this.#underWay.set(connection, underWay + length);
      this.#send(connection, batch).finally(() => this.#answered(connection, length));
    }
  }

  #answered(connection: SubscriberConnection, channels: number): void {
    const left = (this.#underWay.get(connection) ?? 0) - channels;
    if (left > 0) this.#underWay.set(connection, left);
    else this.#underWay.delete(connection);
    this.#sendNext(connection);
  }

  /** Never rejects. */
  #send(connection: SubscriberConnection, batch: readonly ChannelSubscription[]): Promise<void> {
    const asked = batch.map((subscription) => ({ subscription, cursor: subscription.cursor }));
    const topics: string[] = [];
    for (const subscription of batch) {
      if (subscription.connection !== connection) topics.push(subscription.keys.topic);
      subscription.connection = connection;
    }
    const metas = batch.map(({ keys }) => keys.meta);
    const keeps = topics.length > 0 || this.#keeping;
    const onBarrier = (heads: readonly ChannelHead[]) => {
      for (const [i, { subscription, cursor }] of asked.entries()) {
        if (cursor && subscription.cursor === cursor && subscription.connection === connection)
          this.#pass(subscription, heads[i] as ChannelHead);
      }
    };
    return connection
      .subscribe(topics, metas, onBarrier, keeps)
      .catch((error: unknown) => this.#fail(connection, asked, error));
  }

  #pass(subscription: ChannelSubscription, head: ChannelHead): void {
    const { cursor, pending } = subscription;
    if (!cursor) return;
    if (head.fault !== undefined) {
      const text = `where a channel stands cannot be read: ${FOREIGN_KEY}`;
      this.#options.warnings.warn({ key: subscription.keys.meta }, new Error(head.fault), text);
      // Nothing is known to be missing: the next check looks again. A pending subscription begins as on a new channel.
      if (!pending) return;
    }
    if (pending) {
      // Somewhat more than was waited, as the answer has travelled too: too much is replayed rather than too little.
      const waited = this.#options.clock.monotonic() - pending.since;
      const since = head.now - waited;
      if (waited > LATE_MS && head.top > 0 && head.time >= since) {
        this.#options.backfill.openLate(subscription, head, since);
        return;
      }
    }
    // A cursor that was never open takes this as its first barrier.
    cursor.check(head);
    subscription.pending = undefined;
    pending?.resolve();
    this.#options.backfill.schedule(subscription);
  }

  /** With the connection lost, its return repairs everything; otherwise Redis has refused, and is asked again soon. */
  #fail(
    connection: SubscriberConnection,
    asked: readonly { readonly subscription: ChannelSubscription }[],
    error: unknown,
  ): void {
    if (this.#closed || !connection.up) return;
    this.#options.warnings.warn({ redis: connection.name }, error, 'subscribing failed');
    for (const { subscription } of asked) {
      if (subscription.connection !== connection) continue;
      this.#lose(subscription);
      if (subscription.cursor) this.#unsent.add(subscription);
    }
    this.#refused.add(connection);
    this.#retry ??= this.#options.clock.after(RETRY_MS, () => {
      this.#retry = undefined;
      this.#refused.clear();
      this.#flush();
    });
  }
}

function add<K>(groups: Map<K, ChannelSubscription[]>, key: K, subscription: ChannelSubscription): void {
  const group = groups.get(key);
  if (group) group.push(subscription);
  else groups.set(key, [subscription]);
}

/** Channels that may go into one command: not too many, and in a cluster of one partition. */
function batches(list: readonly ChannelSubscription[], sharded: boolean): ChannelSubscription[][] {
  const groups = new Map<number, ChannelSubscription[]>();
  for (const subscription of list) add(groups, sharded ? subscription.keys.partition : 0, subscription);
  const result: ChannelSubscription[][] = [];
  for (const group of groups.values()) {
    for (let i = 0; i < group.length; i += CHANNELS_PER_COMMAND) result.push(group.slice(i, i + CHANNELS_PER_COMMAND));
  }
  return result;
}
