/**
 * Owns: how many requests are at origins at once (`max_open_requests`). Does not own: the requests, or holds, which have
 * left their origin and do not count.
 */

/** One that waits; `go` is undefined once it has left the queue. */
interface Turn {
  go: (() => void) | undefined;
}

/** So many places of the queue may be empty before it is made anew without them. */
const EMPTY_MAX = 1_024;

/** Lets requests through in the order of their coming, no more than `max` at a time. */
export class Admission {
  readonly #max: number;
  #open = 0;
  #queue: Turn[] = [];
  /** Those before this index have gone. */
  #next = 0;
  #waiting = 0;

  /** `max` may be Infinity. */
  constructor(max: number) {
    this.#max = max;
  }

  /** How many wait. */
  get waiting(): number {
    return this.#waiting;
  }

  /**
   * Runs `go` now, or when one of those before has left. The result takes it out of the queue, so that nothing is kept of
   * a client that has gone; undefined where `go` has been run.
   */
  enter(go: () => void): (() => void) | undefined {
    if (this.#open < this.#max) {
      this.#open++;
      go();
      return undefined;
    }
    const turn: Turn = { go };
    this.#queue.push(turn);
    this.#waiting++;
    return () => this.#take(turn);
  }

  /** One that was let through is done; the next goes on. */
  leave(): void {
    while (this.#next < this.#queue.length) {
      const go = this.#take(this.#queue[this.#next++] as Turn);
      if (go === undefined) continue;
      go();
      return;
    }
    this.#open--;
  }

  #take(turn: Turn): (() => void) | undefined {
    const { go } = turn;
    if (go === undefined) return undefined;
    turn.go = undefined;
    this.#waiting--;
    const empty = this.#queue.length - this.#waiting;
    if (empty > EMPTY_MAX && empty * 2 > this.#queue.length) {
      this.#queue = this.#queue.filter((one, index) => index >= this.#next && one.go !== undefined);
      this.#next = 0;
    }
    return go;
  }
}
