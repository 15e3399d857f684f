/**
 * Which of the 16384 slots of Redis Cluster a key belongs to.
 *
 * Owns: the use of the library `cluster-key-slot`. Does not own: what is made of slots (partitions.ts).
 */
import calculate from 'cluster-key-slot';

/** Slots that Redis Cluster has. */
export const SLOTS = 16_384;

/** The slot of a key: CRC16 of the part within its first braces, or else of the whole, modulo {@link SLOTS}. */
export function slotOf(key: string): number {
  return calculate(key);
}
