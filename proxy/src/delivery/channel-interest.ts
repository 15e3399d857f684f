/**
 * What follows from this node's interest in channels: the backplane's subscriptions, the life of what the sequencer knows,
 * and the update after a first subscription.
 */
import { type Containment, uncontained } from '@holdfast/control-api';
import type { Interest } from '../channels/registry.js';
import type { Subscriber } from '../channels/subscriber.js';
import type { Clock } from '../runtime/clock.js';
import type { Sequencer } from './sequencer.js';

/**
 * How long after a channel's first subscription its holds ask their origins again, where that is wanted, in ms: for what
 * a publisher sent before the subscription had reached it.
 */
const FIRST_UPDATE_MS = 1_000;

/** What the interest is joined from. */
export interface ChannelInterestParts {
  readonly backplane: Interest;
  readonly sequencer: Pick<Sequencer, 'forget'>;
  readonly clock: Clock;
  /** `update_on_first_subscription`. */
  readonly updateOnFirstSubscription: boolean;
  readonly subscribersOf: (channel: string) => ReadonlySet<Subscriber>;
  /** Left out: nothing is contained. */
  readonly faults?: Containment;
}

/** Passes the data plane's interest on. */
export class ChannelInterest implements Interest {
  readonly #parts: ChannelInterestParts;

  constructor(parts: ChannelInterestParts) {
    this.#parts = parts;
  }

  subscribe(channel: string): Promise<void> | undefined {
    const { backplane, updateOnFirstSubscription, clock, subscribersOf, faults = uncontained } = this.#parts;
    if (updateOnFirstSubscription) {
      clock.after(FIRST_UPDATE_MS, () => {
        for (const subscriber of [...subscribersOf(channel)]) {
          faults.run('delivery', () => subscriber.recover(), subscriber);
        }
      });
    }
    return backplane.subscribe(channel);
  }

  unsubscribe(channel: string): void {
    this.#parts.sequencer.forget(channel);
    this.#parts.backplane.unsubscribe(channel);
  }
}
