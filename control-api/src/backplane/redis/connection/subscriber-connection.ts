/** One connection on which messages of pub/sub arrive: subscribing, barriers, detecting that it is dead. */
import type { Clock } from '../../../runtime/clock.js';
import { type ChannelHead, parseHeads, positionsScript } from '../history-scripts.js';
import { META_TTL_MS, PING_EVERY_MS } from '../limits.js';
import type { Connection, ConnectionListener } from './connection.js';

/** Observes a connection. Nothing is subscribed on it after `onUp`, and what was, is lost with `onDown`. */
export interface SubscriberListener {
  onUp(connection: SubscriberConnection): void;
  onDown(connection: SubscriberConnection, error: Error | undefined): void;
  onMessage(topic: string, payload: string): void;
  /** Some topics are served by another master now. */
  onMoved(connection: SubscriberConnection): void;
}

/** What a {@link SubscriberConnection} is made of. */
export interface SubscriberConnectionOptions {
  /** `host:port`, for logs. */
  readonly name: string;
  /** Use the sharded pub/sub of a cluster. */
  readonly sharded: boolean;
  readonly open: (listener: ConnectionListener) => Connection;
  readonly listener: SubscriberListener;
  readonly clock: Clock;
}

/** Opens the connection at once and keeps it open. */
export class SubscriberConnection {
  readonly name: string;
  readonly #sharded: boolean;
  readonly #clock: Clock;
  readonly #listener: SubscriberListener;
  readonly #connection: Connection;
  #up = false;
  #closed = false;
  #timer: unknown;

  constructor({ name, sharded, open, listener, clock }: SubscriberConnectionOptions) {
    this.name = name;
    this.#sharded = sharded;
    this.#clock = clock;
    this.#listener = listener;
    this.#connection = open({
      onReady: () => this.#onReady(),
      onDown: (error) => this.#onDown(error),
      onMessage: (topic, payload) => listener.onMessage(topic, payload),
      onMoved: () => listener.onMoved(this),
    });
    this.#watch();
  }

  /** True while commands can be sent. */
  get up(): boolean {
    return this.#up && this.#connection.ready;
  }

  /**
   * Subscribes to topics, if there are any, and reports where the channels with these metas are: `onBarrier` is called
   * with one head per meta, after all messages that were accepted before, and before any that was accepted after.
   * That holds because both commands go over the connection of the messages, which Redis serves in order. Rejects without
   * having called `onBarrier` if either command fails.
   */
  async subscribe(
    topics: readonly string[],
    metas: readonly string[],
    onBarrier: (heads: readonly ChannelHead[]) => void,
  ): Promise<void> {
    let subscribed = topics.length === 0;
    const subscribing = subscribed
      ? undefined
      : this.#connection.send(this.#sharded ? 'ssubscribe' : 'subscribe', topics, () => {
          subscribed = true;
        });
    const asking = this.#connection.send(
      'eval',
      [positionsScript.lua, metas.length, ...metas, META_TTL_MS],
      (reply) => {
        if (subscribed && this.#up) onBarrier(parseHeads(reply));
      },
    );
    const [subscription, answer] = await Promise.allSettled([subscribing, asking]);
    if (subscription.status === 'rejected') throw subscription.reason;
    if (answer.status === 'rejected') throw answer.reason;
  }

  /** Ends subscriptions. What fails is of no importance: messages nobody wants are dropped. */
  unsubscribe(topics: readonly string[]): void {
    if (!this.up || topics.length === 0) return;
    this.#connection.send(this.#sharded ? 'sunsubscribe' : 'unsubscribe', topics).catch(() => {});
  }

  /** Gives the connection up; the listener gets `onDown`, then `onUp`. */
  restart(): void {
    this.#connection.restart();
  }

  /** The listener is not called any more. */
  close(): void {
    this.#closed = true;
    this.#up = false;
    this.#clock.clear(this.#timer);
    this.#connection.close();
  }

  #onReady(): void {
    if (this.#closed) return;
    this.#up = true;
    this.#listener.onUp(this);
  }

  #onDown(error: Error | undefined): void {
    if (this.#closed) return;
    this.#up = false;
    this.#listener.onDown(this, error);
  }

  /** A half-open connection stays silent for ever; PING without answer shows it. */
  #watch(): void {
    this.#timer = this.#clock.after(PING_EVERY_MS, () => {
      this.#watch();
      if (!this.up) return;
      this.#connection.send('ping', []).catch((error: unknown) => {
        // Any other error comes from a connection that is known to be lost.
        if (error instanceof Error && error.message === 'Command timed out') this.restart();
      });
    });
  }
}
