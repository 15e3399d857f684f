/** Owns: items that wait for a stream to be open, within a limit of bytes. Does not own: what is done with them then. */
import type { Delivery } from '../channels/delivery.js';

/** Items in the order of their coming. */
export class StreamQueue {
  #deliveries: Delivery[] = [];
  #bytes = 0;

  /** Bytes of content that wait. */
  get bytes(): number {
    return this.#bytes;
  }

  add(delivery: Delivery, bytes: number): void {
    this.#deliveries.push(delivery);
    this.#bytes += bytes;
  }

  /** All that waited; the queue is empty then. */
  take(): Delivery[] {
    const deliveries = this.#deliveries;
    this.clear();
    return deliveries;
  }

  clear(): void {
    this.#deliveries = [];
    this.#bytes = 0;
  }
}
