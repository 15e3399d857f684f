/** Channels for which Redis is still to be asked, by partition: what one connection takes next is found without looking at the others. */
import { PARTITIONS } from '../keys.js';
import { CHANNELS_PER_COMMAND } from '../limits.js';
import type { ChannelSubscription } from './backfill.js';

/** Waits for a connection, or for the commands before it on that connection. Each channel once. */
export class UnsentChannels {
  readonly #partitions = Array.from({ length: PARTITIONS }, () => new Set<ChannelSubscription>());
  #size = 0;

  get size(): number {
    return this.#size;
  }

  add(subscription: ChannelSubscription): void {
    const set = this.#of(subscription);
    const { size } = set;
    set.add(subscription);
    this.#size += set.size - size;
  }

  delete(subscription: ChannelSubscription): void {
    if (this.#of(subscription).delete(subscription)) this.#size -= 1;
  }

  clear(): void {
    for (const set of this.#partitions) set.clear();
    this.#size = 0;
  }

  /**
   * Takes the channels of the next command, {@link CHANNELS_PER_COMMAND} at most, from the partitions that are meant; of one
   * partition only where commands cannot be for several. Empty where nothing waits.
   */
  take(isMeant: (partition: number) => boolean, sharded: boolean): ChannelSubscription[] {
    const taken: ChannelSubscription[] = [];
    if (this.#size === 0) return taken;
    for (const [partition, set] of this.#partitions.entries()) {
      if (set.size === 0 || !isMeant(partition)) continue;
      for (const subscription of set) {
        if (taken.length === CHANNELS_PER_COMMAND) return taken;
        set.delete(subscription);
        this.#size -= 1;
        taken.push(subscription);
      }
      if (sharded) break;
    }
    return taken;
  }

  #of({ keys }: ChannelSubscription): Set<ChannelSubscription> {
    return this.#partitions[keys.partition] as Set<ChannelSubscription>;
  }
}
