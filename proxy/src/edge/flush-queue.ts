/** Owns: the end of a turn of the event loop, at which what was collected in it is written. Does not own: what is written. */

/** Something that collects what it is to write. */
export interface Flushable {
  /** Writes what was collected; called once for each `add`. */
  flush(): void;
}

/** Has everything that was added in one turn flushed at the end of it, in the order of adding. One for an edge. */
export class FlushQueue {
  #dirty: Flushable[] = [];

  /** Has `flush` called at the end of this turn of the event loop. Adding twice in a turn flushes twice. */
  add(flushable: Flushable): void {
    if (this.#dirty.push(flushable) === 1) setImmediate(this.#run);
  }

  readonly #run = (): void => {
    const dirty = this.#dirty;
    this.#dirty = [];
    for (const flushable of dirty) flushable.flush();
  };
}
