/**
 * The partitions that channels are divided into, so that commands for many channels can be sent together in a cluster.
 *
 * Owns: tags of partitions and the partition of a channel. Does not own: names of keys (keys.ts).
 */
import { SLOTS, slotOf } from './slot.js';

/**
 * How many partitions there are. All nodes of a system must agree, hence no setting. 128 divide evenly among any usual
 * number of masters, and need at most so many commands to subscribe to everything anew.
 */
export const PARTITIONS = 128;

const SLOTS_EACH = SLOTS / PARTITIONS;

/**
 * The tag of each partition: the first decimal number whose slot lies in the partition's share of the slots. Any other
 * choice, say the number of the partition, would leave some masters with twice as many partitions as others.
 */
const tags: readonly string[] = (() => {
  const found = new Array<string | undefined>(PARTITIONS).fill(undefined);
  for (let n = 0, missing = PARTITIONS; missing > 0; n += 1) {
    const partition = Math.floor(slotOf(String(n)) / SLOTS_EACH);
    if (found[partition] !== undefined) continue;
    found[partition] = String(n);
    missing -= 1;
  }
  return found as string[];
})();

/** The text that stands between braces in every key of a partition. */
export function tagOf(partition: number): string {
  return tags[partition] as string;
}

/** The slot of every key of a partition. */
export function slotOfPartition(partition: number): number {
  return slotOf(tagOf(partition));
}

/** The partition of a channel, which is the same on every node and in every version. */
export function partitionOf(channel: string): number {
  // Without an opening brace all of the name counts, whatever the channel is called.
  return slotOf(channel.replaceAll('{', '[')) % PARTITIONS;
}
