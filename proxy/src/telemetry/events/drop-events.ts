/** The event `item_dropped`: items that clients did not get, in one event for each channel and cause and second. */
import type { EventSink } from '@holdfast/control-api';
import type { SubscriberKind } from '../../channels/subscriber.js';
import type { DropReason, SubscriberEvents } from '../../channels/subscriber-deps.js';
import type { Clock } from '../../runtime/clock.js';

/**
 * Milliseconds over which drops are counted together: a slow client may lose thousands of items.
 *
 * @limit {s} over which dropped items are counted in one event
 * @over –
 */
export const DROPS_MS = 1_000;

/**
 * Channels and causes that are distinguished in that time.
 *
 * @limit {} channels and causes of `item_dropped` that are distinguished in that time
 * @over one event without a channel has the number of all others
 */
export const DROPS_MAX = 1_000;

/** Counts them, and reports what was counted. */
export class DropEvents {
  readonly #sink: EventSink;
  readonly #clock: Clock;
  readonly #counts = new Map<string, { channel: string; kind: SubscriberKind; reason: DropReason; count: number }>();
  #others = 0;
  #isWaiting = false;

  constructor(sink: EventSink, clock: Clock) {
    this.#sink = sink;
    this.#clock = clock;
  }

  /** An item of a channel was not written to a client of this kind. */
  dropped(channel: string, kind: SubscriberKind, reason: DropReason): void {
    const key = `${kind} ${reason} ${channel}`;
    const known = this.#counts.get(key);
    if (known !== undefined) known.count++;
    else if (this.#counts.size < DROPS_MAX) this.#counts.set(key, { channel, kind, reason, count: 1 });
    else this.#others++;
    if (this.#isWaiting) return;
    this.#isWaiting = true;
    this.#clock.after(DROPS_MS, () => this.#report());
  }

  /** The same events, reported here too. */
  over(events: SubscriberEvents): SubscriberEvents {
    return {
      subscriberOpened: (kind) => events.subscriberOpened(kind),
      subscriberEnded: (kind, reason) => events.subscriberEnded(kind, reason),
      itemSent: (kind, route) => events.itemSent(kind, route),
      limited: (limit) => events.limited(limit),
      itemDropped: (kind, reason, channel) => {
        events.itemDropped(kind, reason, channel);
        if (channel !== undefined) this.dropped(channel, kind, reason);
      },
    };
  }

  #report(): void {
    this.#isWaiting = false;
    const time = new Date(this.#clock.wall()).toISOString();
    for (const { channel, kind, reason, count } of this.#counts.values()) {
      this.#sink.report({ type: 'item_dropped', channel, kind, reason, count, time });
    }
    if (this.#others > 0) this.#sink.report({ type: 'item_dropped', count: this.#others, time });
    this.#counts.clear();
    this.#others = 0;
  }
}
