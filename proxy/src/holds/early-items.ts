/** Items that come before the origin's own answer to a response hold is complete. */
import type { Delivery } from '../channels/delivery.js';
import { ItemQueue } from './hold.js';

/**
 * How many items may wait for the origin's own answer to be complete; of their bytes `client_queue_size`, as for a stream.
 *
 * @limit {} items that wait for the origin's answer of a response hold to be complete, and `client_queue_size` bytes
 *   of them
 * @over those after them are not looked at: one of the first answers
 */
const MAX_EARLY = 100;

/** One of those that wait answers; what comes after so many that none did is not waited for. */
export class EarlyItems extends ItemQueue {
  readonly #bytesMax: number;

  /** `bytesMax` is as of `client_queue_size`; one item is taken however large it is. */
  constructor(bytesMax: number) {
    super();
    this.#bytesMax = bytesMax;
  }

  override add(delivery: Delivery): void {
    const isFull = this.length >= MAX_EARLY || this.bytes + delivery.bytes > this.#bytesMax;
    if (this.length === 0 || !isFull) super.add(delivery);
  }
}
