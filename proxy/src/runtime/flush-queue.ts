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
  readonly #atEnd = new Collected();
  readonly #soon = new Collected();

  /** Has `flush` called at the end of this turn of the event loop. */
  add(flushable: Flushable): void {
    if (this.#atEnd.add(flushable) === 1) setImmediate(this.#end);
  }

  /**
   * Has `flush` called in a microtask if by then only a few were added: their clients get it sooner (on an idle machine 1.0 ms
   * after the publish instead of 1.2), and there is little to be saved by waiting. At the end of the turn otherwise.
   */
  addSoon(flushable: Flushable): void {
    if (this.#soon.add(flushable) === 1) queueMicrotask(this.#decide);
  }

  readonly #decide = (): void => {
    if (this.#soon.count > FLUSHED_SOON) setImmediate(this.#flushSoon);
    else this.#flushSoon();
  };

  readonly #flushSoon = (): void => this.#soon.flush();

  readonly #end = (): void => this.#atEnd.flush();
}

/**
 * What is to be flushed. Its two lists stay, and are filled by turns: new ones would grow from nothing with each item, which is
 * garbage of 24 bytes for each of its receivers.
 */
class Collected {
  #list: Array<Flushable | undefined> = [];
  /** Undefined while it is flushed. */
  #spare: Array<Flushable | undefined> | undefined = [];
  #count = 0;

  get count(): number {
    return this.#count;
  }

  /** Returns how many there are now. */
  add(flushable: Flushable): number {
    this.#list[this.#count] = flushable;
    return ++this.#count;
  }

  /** Flushes what was added before this call. What is added meanwhile waits for the next. */
  flush(): void {
    const list = this.#list;
    const count = this.#count;
    this.#list = this.#spare ?? [];
    this.#spare = undefined;
    this.#count = 0;
    for (let i = 0; i < count; i++) {
      const flushable = list[i] as Flushable;
      // Nothing is kept alive by having been here.
      list[i] = undefined;
      flushable.flush();
    }
    this.#spare = list;
  }
}
