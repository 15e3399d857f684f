/** How many requests are at origins at once (`max_open_requests`). Holds, which have left their origin, do not count. */

/** A request that waits to be admitted. */
export interface Entrant {
  /** Its turn has come. */
  admitted(): void;
}

/** Admits requests in the order in which they come, at most `max` at a time. */
export class Admission {
  readonly #max: number;
  #open = 0;
  /** In order. One of them may be withdrawn at any time: clients come and go while their requests wait. */
  readonly #waiting = new Set<Entrant>();
  /**
   * The position in the queue. It is replaced when more entrants were withdrawn than wait: the old one would pass over all of them
   * (quadratic work in V8), and would keep V8's former tables of the queue alive.
   */
  #order: Iterator<Entrant, undefined> = this.#waiting.values();
  /** Since `#order` was replaced. */
  #withdrawn = 0;

  /** `max` may be Infinity. */
  constructor(max: number) {
    this.#max = max;
  }

  /** How many wait. */
  get waiting(): number {
    return this.#waiting.size;
  }

  /** Admits `entrant` now, or when one of those before it has left. */
  enter(entrant: Entrant): void {
    if (this.#open < this.#max) {
      this.#open++;
      entrant.admitted();
    } else this.#waiting.add(entrant);
  }

  /** Takes an entrant out of the queue, if it waits. */
  withdraw(entrant: Entrant): void {
    if (!this.#waiting.delete(entrant) || ++this.#withdrawn <= this.#waiting.size) return;
    this.#order = this.#waiting.values();
    this.#withdrawn = 0;
  }

  /** One that was admitted is done; the next is admitted. */
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
    // An iterator that has ended stays at its end.
    this.#order = this.#waiting.values();
    return this.#order.next().value as Entrant;
  }
}
