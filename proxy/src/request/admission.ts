/**
 * Owns: how many requests are at origins at once (`max_open_requests`). Does not own: the requests, or holds, which have
 * left their origin and do not count.
 */

/** Lets requests through in the order of their coming, no more than `max` at a time. */
export class Admission {
  readonly #max: number;
  #open = 0;
  readonly #waiting: (() => void)[] = [];

  /** `max` may be Infinity. */
  constructor(max: number) {
    this.#max = max;
  }

  /** Runs `go` now, or when one of those before has left. */
  enter(go: () => void): void {
    if (this.#open < this.#max) {
      this.#open++;
      go();
    } else this.#waiting.push(go);
  }

  /** One that was let through is done; the next goes on. */
  leave(): void {
    const next = this.#waiting.shift();
    if (next === undefined) this.#open--;
    else next();
  }
}
