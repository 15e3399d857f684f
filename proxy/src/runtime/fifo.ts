/** A first-in, first-out queue in constant time, and emptying one in a microtask. */

/** So many places may be empty at the front before the others move up. */
const EMPTY_MAX = 1_024;

/**
 * A queue in constant time, however long it is: `Array.shift` moves all others up, which with some ten thousand of them
 * takes longer than the work on the first.
 */
export class Fifo<T> {
  #items: (T | undefined)[] = [];
  #from = 0;

  get length(): number {
    return this.#items.length - this.#from;
  }

  /** The first, which stays; undefined when there is none. */
  get first(): T | undefined {
    return this.#items[this.#from];
  }

  push(item: T): void {
    this.#items.push(item);
  }

  /** Removes and returns the first; undefined when there is none. */
  shift(): T | undefined {
    if (this.length === 0) return undefined;
    const item = this.#items[this.#from];
    this.#items[this.#from++] = undefined;
    if (this.length === 0) this.clear();
    else if (this.#from >= EMPTY_MAX && this.#from >= this.length) {
      this.#items = this.#items.slice(this.#from);
      this.#from = 0;
    }
    return item;
  }

  clear(): void {
    this.#items = [];
    this.#from = 0;
  }
}

/** The owner of a queue that is emptied by `drainSoon`. */
export interface Draining {
  /** Set by `drainSoon` alone. */
  isDraining: boolean;
  drain(): void;
  /** Takes what `drain` throws. */
  faulted(error: unknown): void;
}

/** Has `drain` called in a microtask: once, however often it is asked for until then. */
export function drainSoon(owner: Draining): void {
  if (owner.isDraining) return;
  owner.isDraining = true;
  queueMicrotask(() => {
    owner.isDraining = false;
    try {
      owner.drain();
    } catch (error) {
      owner.faulted(error);
    }
  });
}
