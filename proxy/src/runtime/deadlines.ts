/** What is due at moments of its own, the earliest first: a binary heap from which anything can be taken before its time. */

interface Entry<What> {
  readonly what: What;
  readonly due: number;
  /** Its index in the heap. */
  place: number;
}

/** Each thing has one moment at most. Setting and taking away cost the logarithm of how many there are. */
export class Deadlines<What> {
  /** Neither of the two below an entry is due before it. */
  readonly #heap: Entry<What>[] = [];
  readonly #entries = new Map<What, Entry<What>>();

  get size(): number {
    return this.#heap.length;
  }

  /** The earliest moment of all. */
  get first(): number | undefined {
    return this.#heap[0]?.due;
  }

  /** The moment of one. */
  of(what: What): number | undefined {
    return this.#entries.get(what)?.due;
  }

  /** Takes the place of an earlier moment of the same. */
  set(what: What, due: number): void {
    this.delete(what);
    const entry = { what, due, place: this.#heap.length };
    this.#entries.set(what, entry);
    this.#heap.push(entry);
    this.#rise(entry);
  }

  /** One without a moment is ignored. */
  delete(what: What): void {
    const entry = this.#entries.get(what);
    if (entry === undefined) return;
    this.#entries.delete(what);
    const last = this.#heap.pop() as Entry<What>;
    if (last === entry) return;
    this.#put(last, entry.place);
    this.#rise(last);
    this.#sink(last);
  }

  /** Takes out one that is due at `now`; undefined where none is. */
  take(now: number): What | undefined {
    const [first] = this.#heap;
    if (first === undefined || first.due > now) return undefined;
    this.delete(first.what);
    return first.what;
  }

  #rise(entry: Entry<What>): void {
    while (entry.place > 0) {
      const above = this.#heap[(entry.place - 1) >> 1] as Entry<What>;
      if (above.due <= entry.due) return;
      this.#swap(above, entry);
    }
  }

  #sink(entry: Entry<What>): void {
    for (;;) {
      const left = this.#heap[2 * entry.place + 1];
      const right = this.#heap[2 * entry.place + 2];
      const below = left !== undefined && right !== undefined && right.due < left.due ? right : left;
      if (below === undefined || below.due >= entry.due) return;
      this.#swap(entry, below);
    }
  }

  #swap(upper: Entry<What>, lower: Entry<What>): void {
    const { place } = upper;
    this.#put(upper, lower.place);
    this.#put(lower, place);
  }

  #put(entry: Entry<What>, place: number): void {
    entry.place = place;
    this.#heap[place] = entry;
  }
}
