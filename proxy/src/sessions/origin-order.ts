/** Holds an origin's messages back while a subscription that it has asked for is not live: they come after it. */

import type { Containment, Faulty } from '@holdfast/control-api';
import { waitForLive } from '../channels/subscriber-deps.js';
import type { Clock } from '../runtime/clock.js';
import { Fifo } from '../runtime/fifo.js';
import type { OriginSocket } from './origin-socket.js';

/** What waiting needs. */
interface OrderParts {
  readonly clock: Clock;
  readonly faults: Containment;
}

/**
 * A client that has a message from after the subscription may rely on getting what is published from then on. So the
 * origin is paused, and what is on its way still is kept back.
 */
export class OriginOrder {
  readonly #origin: OriginSocket;
  readonly #parts: OrderParts;
  readonly #session: Faulty;
  /** Undefined while nothing is waited for. */
  #held: Fifo<() => void> | undefined;

  /** `session` is ended by a fault in what it does with what was kept back. */
  constructor(origin: OriginSocket, parts: OrderParts, session: Faulty) {
    this.#origin = origin;
    this.#parts = parts;
    this.#session = session;
  }

  /** Keeps back what comes from here on, until `live` is settled or that takes too long. */
  waitFor(live: Promise<void>): void {
    this.#held ??= new Fifo();
    this.#origin.pause();
    waitForLive(live, this.#parts, () => this.#release(), this.#session);
  }

  /** Whether `act` has to wait: then it is run in its turn, and otherwise not at all. */
  keepsBack(act: () => void): boolean {
    this.#held?.push(act);
    return this.#held !== undefined;
  }

  #release(): void {
    const held = this.#held;
    this.#held = undefined;
    // One of them may be the next to wait: those behind it stay.
    for (let act = held?.shift(); act !== undefined; act = held?.shift()) {
      act();
      if (this.#held !== undefined) {
        this.#held = held;
        return;
      }
    }
    this.#origin.resume();
  }
}
