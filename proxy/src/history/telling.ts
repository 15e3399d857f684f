/** Owns: writing what a client has missed no faster than it takes it. Does not own: what is written, or filters. */
import type { Delivery } from '../channels/delivery.js';

/** Whoever writes. Its methods are called synchronously, one after the other. */
export interface Teller {
  /** Writes one item, at once or after its filters. */
  tell(delivery: Delivery): void;
  /** Whether the client cannot take more: `resume` follows. */
  isFull(): boolean;
  /** Calls `then` when all that was told has been through its filters: now, if none has to wait. */
  whenIdle(then: () => void): void;
  /** All is told. Not called after `stop`. */
  told(): void;
}

/** One run through what was missed. */
export class Telling {
  readonly #deliveries: readonly Delivery[];
  readonly #teller: Teller;
  #next = 0;
  #waits = false;
  #over = false;

  /** Nothing is told before `resume`. */
  constructor(deliveries: readonly Delivery[], teller: Teller) {
    this.#deliveries = deliveries;
    this.#teller = teller;
  }

  /** Goes on, as far as the client takes it. */
  resume(): void {
    while (!this.#over && !this.#waits && !this.#teller.isFull()) {
      const delivery = this.#deliveries[this.#next++];
      if (delivery === undefined) {
        this.#over = true;
        this.#teller.told();
        return;
      }
      this.#teller.tell(delivery);
      this.#waits = true;
      let now = true;
      this.#teller.whenIdle(() => {
        this.#waits = false;
        if (!now) this.resume();
      });
      now = false;
    }
  }

  /** Tells no more. */
  stop(): void {
    this.#over = true;
  }
}
