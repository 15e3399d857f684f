/**
 * Owns: the order of what an origin says while a subscription that it has asked for is not live: it comes after.
 * Does not own: subscriptions, or what is done with what the origin says.
 */
import { waitForLive } from '../channels/live-wait.js';
import type { Clock } from '../clock.js';
import type { OriginSocket } from './origin-socket.js';

/**
 * A client that has a message from after the subscription may rely on getting what is published from then on. So the
 * origin is paused, and what is on its way still is kept back.
 */
export class OriginOrder {
  readonly #origin: OriginSocket;
  readonly #clock: Clock;
  #waits = false;
  /** What is kept back, in order; those before `#next` have been run. */
  #held: (() => void)[] = [];
  #next = 0;

  constructor(origin: OriginSocket, clock: Clock) {
    this.#origin = origin;
    this.#clock = clock;
  }

  /** Keeps back what comes from here on, until `live` is settled or that takes too long. */
  waitFor(live: Promise<void>): void {
    this.#waits = true;
    this.#origin.pause();
    waitForLive(live, this.#clock, () => this.#release());
  }

  /** Whether `act` has to wait: then it is run in its turn, and otherwise not at all. */
  keepsBack(act: () => void): boolean {
    if (this.#waits) this.#held.push(act);
    return this.#waits;
  }

  #release(): void {
    this.#waits = false;
    while (this.#next < this.#held.length) {
      this.#held[this.#next++]?.();
      // It may be the next to wait.
      if (this.#waits) return;
    }
    this.#held = [];
    this.#next = 0;
    this.#origin.resume();
  }
}
