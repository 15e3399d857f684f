/** `sub`: which channels have subscribers, of which kind and how many, announced again before each announcement expires. */
import type { SubscriberKind } from '@holdfast/grip';
import type { Clock } from '../runtime/clock.js';
import { Batch } from './batch.js';
import type { Emit } from './packet.js';
import { REFRESH_SHARE, RefreshQueue } from './refresh-queue.js';

interface Subscription {
  readonly mode: SubscriberKind;
  readonly channel: string;
  count: number;
}

/** The subscriptions of this node: the first and the last are announced at once, other changes of the count in batches. */
export class SubscriptionStats {
  readonly #ttlMs: number;
  readonly #emit: Emit;
  readonly #subscriptions = new Map<string, Subscription>();
  readonly #changed = new Set<string>();
  readonly #refresh: RefreshQueue;
  readonly #batch: Batch;

  /** `ttlMs` is the life time of an announcement. */
  constructor(clock: Clock, ttlMs: number, emit: Emit) {
    this.#ttlMs = ttlMs;
    this.#emit = emit;
    this.#refresh = new RefreshQueue(clock, ttlMs * REFRESH_SHARE, (key) => this.#announce(key));
    this.#batch = new Batch(clock, () => {
      for (const key of this.#changed) this.#announce(key);
      this.#changed.clear();
    });
  }

  /** Sets how many subscribers of a kind a channel has. 0 takes the subscription off. */
  set(mode: SubscriberKind, channel: string, count: number): void {
    const key = `${mode} ${channel}`;
    const known = this.#subscriptions.get(key);
    if (count === 0) {
      if (known !== undefined) this.#end(key, known);
      return;
    }
    if (known === undefined) {
      this.#subscriptions.set(key, { mode, channel, count });
      this.#announce(key);
    } else if (known.count !== count) {
      known.count = count;
      this.#changed.add(key);
      this.#batch.arm();
    }
  }

  /** Sends nothing more. */
  close(): void {
    this.#refresh.close();
    this.#batch.close();
  }

  #end(key: string, { mode, channel }: Subscription): void {
    this.#subscriptions.delete(key);
    this.#changed.delete(key);
    this.#refresh.delete(key);
    this.#emit('sub', { mode, channel, unavailable: true });
  }

  #announce(key: string): void {
    const subscription = this.#subscriptions.get(key);
    if (subscription === undefined) return;
    const { mode, channel, count } = subscription;
    this.#refresh.touch(key);
    this.#emit('sub', { mode, channel, subscribers: count, ttl: Math.round(this.#ttlMs / 1000) });
  }
}
