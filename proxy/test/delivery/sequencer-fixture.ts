/** A sequencer under a manual clock, what has passed it, and items to give to it. */
import type { ItemMessage } from '@holdfast/control-api';
import { type ReleaseCause, Sequencer } from '../../dist/delivery/sequencer.js';
import { ManualClock } from '../kit/manual-clock.js';

/** How long items may wait in tests, in ms. */
export const WAIT = 5_000;

/** What tells an item from others here. */
export interface Sketch {
  readonly channel?: string;
  readonly id?: string | undefined;
  readonly prev?: string | undefined;
  readonly noSeq?: boolean;
  /** What the item is called in `passed`; its id if left out. */
  readonly name?: string;
}

/** Makes the message of an item. */
export function message({ channel = 'c', id, prev, noSeq = false, name = id ?? '' }: Sketch): ItemMessage {
  const item = {
    channel,
    ...(id !== undefined && { id }),
    ...(prev !== undefined && { prevId: prev }),
    formats: {},
    meta: {},
    noSeq,
  };
  return { type: 'item', id: name, item };
}

/** Limits other than the usual. */
export interface SceneOptions {
  readonly messageWait?: number;
  readonly maxWaitingPerChannel?: number;
  readonly maxWaiting?: number;
  /** Called for each item that passes, after it was recorded. */
  readonly onPass?: (message: ItemMessage, sequencer: Sequencer) => void;
}

/** A sequencer and what is known of it. */
export class SequencerFixture {
  readonly clock = new ManualClock();
  readonly sequencer: Sequencer;
  /** Names of the items that have passed, in order, and when. */
  readonly passed: { readonly name: string; readonly at: number }[] = [];
  readonly causes: ReleaseCause[] = [];
  held = 0;
  abandoned = 0;

  constructor({ onPass, ...limits }: SceneOptions = {}) {
    this.sequencer = new Sequencer({
      clock: this.clock,
      messageWait: WAIT,
      ...limits,
      release: (passing) => {
        this.passed.push({ name: passing.id, at: this.clock.monotonic() });
        onPass?.(passing, this.sequencer);
      },
      events: {
        itemHeld: () => void this.held++,
        itemReleased: (cause) => void this.causes.push(cause),
        itemsAbandoned: (count) => {
          this.abandoned += count;
        },
      },
    });
  }

  /** Offers one item: `offer('2', '1')` has id 2 and prev-id 1. */
  offer(id: string | undefined, prev?: string, more: Sketch = {}): void {
    this.sequencer.offer(message({ id, prev, ...more }));
  }

  /** Names of the items that have passed, joined. */
  get order(): string {
    return this.passed.map(({ name }) => name).join(' ');
  }
}
