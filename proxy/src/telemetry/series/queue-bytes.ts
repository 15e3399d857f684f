/** How much waits for clients that are slow to take it, found by a walk over all of them when it is asked for. */
import type { Subscriber } from '../../channels/subscriber.js';

/** Clients that are looked at in one turn of the event loop. */
const SLICE = 2_000;

/** What waits for all, and for the one for whom most waits, in bytes. */
export interface Waiting {
  readonly sum: number;
  readonly max: number;
}

/** Walks; who asks while a walk is under way has its result. */
export class QueueBytes {
  readonly #clients: () => Iterable<Subscriber>;
  #walk: Promise<Waiting> | undefined;

  constructor(clients: () => Iterable<Subscriber>) {
    this.#clients = clients;
  }

  read(): Promise<Waiting> {
    this.#walk ??= this.#measure().finally(() => {
      this.#walk = undefined;
    });
    return this.#walk;
  }

  async #measure(): Promise<Waiting> {
    let sum = 0;
    let max = 0;
    let seen = 0;
    for (const { waiting = 0 } of this.#clients()) {
      sum += waiting;
      if (waiting > max) max = waiting;
      if (++seen % SLICE === 0) await new Promise(setImmediate);
    }
    return { sum, max };
  }
}
