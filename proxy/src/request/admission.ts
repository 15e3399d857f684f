/** How many requests are at origins at once (`max_open_requests`). Holds, which have left their origin, do not count. */

/** A request that waits to be let through. */
export interface Entrant {
  /** Its turn has come. */
  admitted(): void;
}

/** Lets requests through in the order of their coming, no more than `max` at a time. */
export class Admission {
  readonly #max: number;
  #open = 0;
  /** In order. One of them may be withdrawn at any time: clients come and go while their requests wait. */
  readonly #waiting = new Set<Entrant>();
  /**
   * Its place in the queue. Begun anew each time it would pass all those that have gone (quadratic work in V8); never begun anew
   * it would keep alive what V8 has held the queue in before.
   */
  #order: Iterator<Entrant, undefined> = this.#waiting.values();
  /** Since it was begun. */
  #withdrawn = 0;

  /** `max` may be Infinity. */
  constructor(max: number) {
    this.#max = max;
  }

  /** How many wait. */
  get waiting(): number {
    return this.#waiting.size;
  }

  /** Lets `entrant` through now, or when one of those before has left. */
  enter(entrant: Entrant): void {
    if (this.#open < this.#max) {
      this.#open++;
      entrant.admitted();
    } else this.#waiting.add(entrant);
  }

  /** One that waits, if it does, is not to be let through any more. */
  withdraw(entrant: Entrant): void {
    if (!this.#waiting.delete(entrant) || ++this.#withdrawn <= this.#waiting.size) return;
    this.#order = this.#waiting.values();
    this.#withdrawn = 0;
  }

  /** One that was let through is done; the next goes on. */
  leave(): void {
    if (this.#waiting.size === 0) {
      this.#open--;
      return;
    }
    const next = this.#next();
    this.#waiting.delete(next);
    next.admitted();
  }

  /** The first that waits; only while some do. */
  #next(): Entrant {
    const { value } = this.#order.next();
    if (value !== undefined) return value;
    // It has come to its end before, and sees no more.
    this.#order = this.#waiting.values();
    return this.#order.next().value as Entrant;
  }
}
