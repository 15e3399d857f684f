/**
 * The channels a node listens to.
 *
 * Owns: which channels these are, and when SUBSCRIBE, UNSUBSCRIBE and barriers are sent for them. Does not own: where each
 * of them stands (cursor.ts), reading what is missing (catch-up.ts).
 */

import type { ControlError } from '../../../errors.js';
import type { Clock } from '../../../runtime/clock.js';
import type { Log } from '../../../runtime/log.js';
import type { Message, Position } from '../../backplane.js';
import type { SubscriberConnection } from '../connection/subscriber-connection.js';
import type { Subscribers } from '../connection/subscribers.js';
import type { TroubleLog } from '../connection/warnings.js';
import { decodePayload, parseFrame } from '../envelope.js';
import type { RedisEvents } from '../events.js';
import { FOREIGN_KEY } from '../foreign-key.js';
import type { ChannelKeys, RedisKeys } from '../keys.js';
import {
  CHANNELS_PER_COMMAND,
  HELD_CHARS,
  HELD_CHARS_TOTAL,
  HELD_MESSAGES,
  LATE_MS,
  RETRY_MS,
  UNSUBSCRIBE_LINGER_MS,
} from '../limits.js';
import type { Standing } from '../scripts/positions.js';
import type { CatchUp } from './backfill.js';
import { makeOpening, type Watched } from './channel-subscription.js';
import { ChannelCursor, type CursorSink } from './cursor.js';

/** What {@link Interest} is made of. */
export interface InterestOptions {
  readonly keys: RedisKeys;
  readonly subscribers: () => Subscribers;
  readonly catchUp: CatchUp;
  /** Where the messages of a channel go, undefined for those of recovers. */
  readonly sink: (channel: string | undefined) => CursorSink<Message>;
  readonly clock: Clock;
  readonly events: RedisEvents;
  readonly troubles: TroubleLog;
  readonly log: Log;
}

/** Interest in channels, declared and withdrawn one by one, told to Redis in batches. */
export class Interest {
  readonly #options: InterestOptions;
  readonly #channels = new Map<string, Watched>();
  readonly #limits = { messages: HELD_MESSAGES, size: HELD_CHARS, total: { size: 0, limit: HELD_CHARS_TOTAL } };
  readonly #byTopic = new Map<string, Watched>();
  /** Those for which Redis is still to be asked. */
  #pending = new Set<Watched>();
  /** Channels without interest, with the time when it ended, oldest first. */
  readonly #leaving = new Map<Watched, number>();
  #sweep: unknown;
  #retry: unknown;
  #scheduled = false;
  #closed: ControlError | undefined;

  constructor(options: InterestOptions) {
    this.#options = options;
  }

  /** See `Backplane.subscribe`. */
  subscribe(channel: string): Promise<void> | undefined {
    if (this.#closed) return Promise.reject(this.#closed);
    const known = this.#channels.get(channel);
    if (known?.cursor) return known.opening?.promise;
    if (known) return this.#open(known);
    const watched = this.#watch(channel, this.#options.keys.channel(channel));
    this.#channels.set(channel, watched);
    return this.#open(watched);
  }

  /** Listens to recovers from now on. */
  subscribeToRecovers(): Promise<void> {
    return this.#open(this.#watch(undefined, this.#options.keys.recover()));
  }

  /** See `Backplane.unsubscribe`. */
  unsubscribe(channel: string): void {
    const watched = this.#channels.get(channel);
    if (!watched?.cursor) return;
    watched.opening?.resolve();
    this.#end(watched);
    this.#leaving.set(watched, this.#options.clock.monotonic());
    this.#sweep ??= this.#options.clock.after(UNSUBSCRIBE_LINGER_MS, () => this.#leave());
  }

  /** True if the topic is that of a channel; then the message is taken care of. */
  receive(topic: string, frame: string): boolean {
    const watched = this.#byTopic.get(topic);
    if (!watched) return false;
    if (!watched.cursor) return true;
    const parsed = parseFrame(frame);
    if (!parsed) {
      this.#options.events.unreadable();
      this.#options.log.error({}, 'a message in redis has no position');
      return true;
    }
    const { position, payload } = parsed;
    const { id, message, fault } = decodePayload(payload, position);
    if (message === undefined) {
      this.#options.events.unreadable();
      this.#options.log.error({ channel: watched.channel, fault }, 'a message in redis cannot be read');
    }
    watched.cursor.live({ position, id, size: payload.length, message });
    this.#options.catchUp.attend(watched);
    return true;
  }

  /** A connection is there, and knows nothing of subscriptions. */
  onUp(home: SubscriberConnection): void {
    this.attach(home, false);
  }

  /** A connection is lost, with everything that was on its way. */
  onDown(home: SubscriberConnection): void {
    for (const watched of this.#byTopic.values()) if (watched.home === home) this.#lose(watched);
  }

  /**
   * Subscribes to whatever belongs to this connection and is not subscribed there; with `anew`, to all of it once more,
   * because Redis may have ended some subscriptions.
   */
  attach(home: SubscriberConnection, anew: boolean): void {
    const { homeOf } = this.#homes();
    for (const watched of this.#byTopic.values()) {
      if (homeOf(watched.keys.partition) !== home) continue;
      if (watched.home !== undefined && (anew || watched.home !== home)) {
        if (watched.home !== home) watched.home.unsubscribe([watched.keys.topic]);
        this.#lose(watched);
      }
      if (watched.cursor && watched.home !== home) this.#pending.add(watched);
    }
    this.#flush();
  }

  /** Asks where all live channels stand, and has those that fell behind catch up. */
  check(): void {
    for (const watched of this.#byTopic.values()) if (watched.cursor && watched.home) this.#pending.add(watched);
    this.#flush();
  }

  /** Up to where a channel has been delivered; undefined where it is not live yet. */
  standing(channel: string): Position | undefined {
    const cursor = this.#channels.get(channel)?.cursor;
    return cursor === undefined || cursor.phase === 'opening' ? undefined : cursor.after;
  }

  /** Channels with interest, and those that linger. */
  get size(): number {
    return this.#byTopic.size;
  }

  close(error: ControlError): void {
    this.#closed = error;
    for (const watched of this.#byTopic.values()) {
      watched.opening?.reject(error);
      this.#end(watched);
    }
    this.#byTopic.clear();
    this.#channels.clear();
    this.#leaving.clear();
    this.#pending.clear();
    this.#options.clock.clear(this.#sweep);
    this.#options.clock.clear(this.#retry);
  }

  #homes() {
    const subscribers = this.#options.subscribers();
    return { homeOf: (partition: number) => subscribers.homeOf(partition), sharded: subscribers.sharded };
  }

  #watch(channel: string | undefined, keys: ChannelKeys): Watched {
    const watched: Watched = {
      channel,
      keys,
      cursor: undefined,
      opening: undefined,
      home: undefined,
      reading: false,
    };
    this.#byTopic.set(keys.topic, watched);
    return watched;
  }

  #open(watched: Watched): Promise<void> {
    this.#leaving.delete(watched);
    watched.cursor = new ChannelCursor(this.#options.sink(watched.channel), this.#limits);
    const opening = makeOpening(this.#options.clock.monotonic());
    watched.opening = opening;
    this.#pending.add(watched);
    if (!this.#scheduled) {
      this.#scheduled = true;
      // After everything that has arrived from clients by now, as many of them come at once after a failure.
      setImmediate(() => {
        this.#scheduled = false;
        this.#flush();
      });
    }
    return opening.promise;
  }

  #end(watched: Watched): void {
    watched.cursor?.close();
    watched.cursor = undefined;
    watched.opening = undefined;
    this.#pending.delete(watched);
  }

  #lose(watched: Watched): void {
    watched.home = undefined;
    watched.cursor?.lose();
  }

  #leave(): void {
    this.#sweep = undefined;
    const { clock } = this.#options;
    const due = clock.monotonic() - UNSUBSCRIBE_LINGER_MS;
    const groups = new Map<SubscriberConnection, Watched[]>();
    for (const [watched, since] of this.#leaving) {
      if (since > due) break;
      this.#leaving.delete(watched);
      this.#byTopic.delete(watched.keys.topic);
      this.#channels.delete(watched.channel ?? '');
      if (watched.home) add(groups, watched.home, watched);
    }
    const { sharded } = this.#homes();
    for (const [home, list] of groups) {
      for (const batch of batches(list, sharded)) home.unsubscribe(batch.map(({ keys }) => keys.topic));
    }
    const next = this.#leaving.values().next();
    if (!next.done) this.#sweep = clock.after(next.value - due, () => this.#leave());
  }

  /** Sends what is pending, as far as there are connections; the rest stays pending until these come up. */
  #flush(): void {
    if (this.#closed) return;
    const { homeOf, sharded } = this.#homes();
    const groups = new Map<SubscriberConnection, Watched[]>();
    for (const watched of this.#pending) {
      const home = homeOf(watched.keys.partition);
      if (!home?.up) continue;
      this.#pending.delete(watched);
      add(groups, home, watched);
    }
    for (const [home, list] of groups) for (const batch of batches(list, sharded)) this.#send(home, batch);
  }

  #send(home: SubscriberConnection, batch: readonly Watched[]): void {
    const asked = batch.map((watched) => ({ watched, cursor: watched.cursor }));
    const topics: string[] = [];
    for (const watched of batch) {
      if (watched.home !== home) topics.push(watched.keys.topic);
      watched.home = home;
    }
    const metas = batch.map(({ keys }) => keys.meta);
    const onBarrier = (standings: readonly Standing[]) => {
      for (const [i, { watched, cursor }] of asked.entries()) {
        if (cursor && watched.cursor === cursor && watched.home === home) this.#pass(watched, standings[i] as Standing);
      }
    };
    home.subscribe(topics, metas, onBarrier).catch((error: unknown) => this.#fail(home, asked, error));
  }

  #pass(watched: Watched, standing: Standing): void {
    const { cursor, opening } = watched;
    if (!cursor) return;
    if (standing.fault !== undefined) {
      const text = `where a channel stands cannot be read: ${FOREIGN_KEY}`;
      this.#options.troubles.warn({ key: watched.keys.meta }, new Error(standing.fault), text);
      // Nothing is known to be missing: the next check looks again. Who waits to begin does so as on a new channel.
      if (!opening) return;
    }
    if (opening) {
      // Somewhat more than was waited, as the answer has travelled too: too much is told again rather than too little.
      const waited = this.#options.clock.monotonic() - opening.since;
      const since = standing.now - waited;
      if (waited > LATE_MS && standing.top > 0 && standing.time >= since) {
        this.#options.catchUp.openLate(watched, standing, since);
        return;
      }
    }
    // A cursor that was never open takes this as its first barrier.
    cursor.check(standing);
    watched.opening = undefined;
    opening?.resolve();
    this.#options.catchUp.attend(watched);
  }

  /** With the connection lost, its return repairs everything; otherwise Redis has refused, and is asked again soon. */
  #fail(home: SubscriberConnection, asked: readonly { readonly watched: Watched }[], error: unknown): void {
    if (this.#closed || !home.up) return;
    this.#options.troubles.warn({ redis: home.name }, error, 'subscribing failed');
    for (const { watched } of asked) {
      if (watched.home !== home) continue;
      this.#lose(watched);
      if (watched.cursor) this.#pending.add(watched);
    }
    this.#retry ??= this.#options.clock.after(RETRY_MS, () => {
      this.#retry = undefined;
      this.#flush();
    });
  }
}

function add<K>(groups: Map<K, Watched[]>, key: K, watched: Watched): void {
  const group = groups.get(key);
  if (group) group.push(watched);
  else groups.set(key, [watched]);
}

/** Channels that may go into one command: not too many, and in a cluster of one partition. */
function batches(list: readonly Watched[], sharded: boolean): Watched[][] {
  const groups = new Map<number, Watched[]>();
  for (const watched of list) add(groups, sharded ? watched.keys.partition : 0, watched);
  const result: Watched[][] = [];
  for (const group of groups.values()) {
    for (let i = 0; i < group.length; i += CHANNELS_PER_COMMAND) result.push(group.slice(i, i + CHANNELS_PER_COMMAND));
  }
  return result;
}
