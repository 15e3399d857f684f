/** Writes what was collected for each connection at the end of a turn of the event loop. */

/**
 * Connections that are written to before anything else happens, the publisher's answer included. Each costs a system call
 * of 5–10 µs, so that an answer is put off by 0.15 ms at most.
 */
export const FLUSHED_SOON = 16;

/** Collects what it has to write. */
export interface Flushable {
  /** Writes what was collected; called once for each `add`. */
  flush(): void;
}

/**
 * Flushes each connection once for each time that it was added, in the order of adding. At the end of a turn of the event loop
 * everything that was collected in it is one write for each connection.
 */
export class FlushQueue {
  #atEnd: Flushable[] = [];
  #soon: Flushable[] = [];

  /** Has `flush` called at the end of this turn of the event loop. */
  add(flushable: Flushable): void {
    if (this.#atEnd.push(flushable) === 1) setImmediate(this.#end);
  }

  /**
   * Has `flush` called in a microtask if by then only a few were added: their clients get it sooner (on an idle machine 1.0 ms
   * after the publish instead of 1.2), and there is little to be saved by waiting. At the end of the turn otherwise.
   */
  addSoon(flushable: Flushable): void {
    if (this.#soon.push(flushable) === 1) queueMicrotask(this.#decide);
  }

  readonly #decide = (): void => {
    if (this.#soon.length > FLUSHED_SOON) setImmediate(this.#flushSoon);
    else this.#flushSoon();
  };

  readonly #flushSoon = (): void => {
    const soon = this.#soon;
    this.#soon = [];
    for (const flushable of soon) flushable.flush();
  };

  readonly #end = (): void => {
    const atEnd = this.#atEnd;
    this.#atEnd = [];
    for (const flushable of atEnd) flushable.flush();
  };
}
