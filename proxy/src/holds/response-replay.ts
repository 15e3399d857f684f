/** What a response hold has to do with the history: what followed the last ids that its origin knew. */
import type { Subscription } from '../channels/subscription-list.js';
import { type Chains, readChains } from '../history/chains.js';
import type { ReplayParts } from '../history/replay-parts.js';
import type { HoldParts } from './hold.js';

/** Made for holds that a history serves. */
export class ResponseReplay {
  readonly #parts: ReplayParts;
  readonly #sequencer: HoldParts['sequencer'];
  readonly #live: Promise<void> | undefined;
  readonly #watch: (read: Promise<void>) => void;
  #isReading = false;
  #isOver = false;
  /** The id from which it was read last because of a gap. */
  #askedFrom: string | undefined;
  #chains: Chains | undefined;

  /**
   * `live` is as of `ChannelRegistry.add` for all channels of the hold. `watch` takes care of what is thrown while the
   * hold uses what was read.
   */
  constructor(
    parts: ReplayParts,
    sequencer: HoldParts['sequencer'],
    live: Promise<void> | undefined,
    watch: (read: Promise<void>) => void,
  ) {
    this.#parts = parts;
    this.#sequencer = sequencer;
    this.#live = live;
    this.#watch = watch;
  }

  /** Items must wait. */
  get isReading(): boolean {
    return this.#isReading;
  }

  /** Whether to read because of a gap: not from an id from which it was read already, and there was a gap still. */
  mayAsk({ prevId }: Subscription): boolean {
    if (this.#askedFrom === prevId) return false;
    this.#askedFrom = prevId;
    return true;
  }

  /** Reads what followed these last ids; calls `otherwise` where the history does not have it, and then `then`. */
  ask(subscriptions: readonly Subscription[], otherwise: () => void, then: () => void): void {
    const { reader, events } = this.#parts;
    this.#isReading = true;
    const read = readChains(subscriptions, 'response', { reader, sequencer: this.#sequencer, live: this.#live }).then(
      (chains) => {
        if (this.#isOver) return;
        events.replayEnded('response', chains !== undefined);
        this.#isReading = false;
        this.#chains = chains;
        if (chains === undefined) otherwise();
        then();
      },
    );
    this.#watch(read);
  }

  /** What was read, to be used before what came meanwhile; once. */
  take(): Chains | undefined {
    const chains = this.#chains;
    this.#chains = undefined;
    return chains;
  }

  /** An item of the history is used. */
  used(): void {
    this.#parts.events.itemReplayed('response');
  }

  /** The hold is over. */
  stop(): void {
    this.#isOver = true;
  }
}
