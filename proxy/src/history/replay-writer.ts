/** Writes what a client has missed no faster than the client takes it. */
import type { Delivery } from '../channels/delivery.js';

/** Where it is written to. The methods are called synchronously, one after the other. */
export interface ReplayTarget {
  /** Writes one item, at once or after its filters. */
  write(delivery: Delivery): void;
  /** Whether the client cannot take more: `resume` follows. */
  isFull(): boolean;
  /** Calls `then` when all that was written has been through its filters: now, if none has to wait. */
  whenIdle(then: () => void): void;
  /** All is written. Not called after `stop`. */
  done(): void;
}

/** One run through what was missed. */
export class ReplayWriter {
  readonly #deliveries: readonly Delivery[];
  readonly #target: ReplayTarget;
  #next = 0;
  #waits = false;
  #over = false;

  /** Nothing is written before `resume`. */
  constructor(deliveries: readonly Delivery[], target: ReplayTarget) {
    this.#deliveries = deliveries;
    this.#target = target;
  }

  /** Goes on, as far as the client takes it. */
  resume(): void {
    while (!this.#over && !this.#waits && !this.#target.isFull()) {
      const delivery = this.#deliveries[this.#next++];
      if (delivery === undefined) {
        this.#over = true;
        this.#target.done();
        return;
      }
      this.#target.write(delivery);
      this.#waits = true;
      let now = true;
      this.#target.whenIdle(() => {
        this.#waits = false;
        if (!now) this.resume();
      });
      now = false;
    }
  }

  /** Writes no more. */
  stop(): void {
    this.#over = true;
  }
}
