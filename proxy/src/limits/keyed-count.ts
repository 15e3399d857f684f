/** How many of something each of many keys has at the moment, and whether it may have one more. */

/** Counts by key. Only keys that have something take memory, so that it is bounded by what is counted. */
export class KeyedCount {
  readonly #max: number;
  readonly #counts = new Map<string, number>();

  constructor(max: number) {
    this.#max = max;
  }

  /** Counts one more, or returns false where the key has as many as it may. */
  add(key: string): boolean {
    const count = this.#counts.get(key) ?? 0;
    if (count >= this.#max) return false;
    this.#counts.set(key, count + 1);
    return true;
  }

  /** Takes one off that `add` has counted. */
  remove(key: string): void {
    const count = this.#counts.get(key) ?? 0;
    if (count > 1) this.#counts.set(key, count - 1);
    else this.#counts.delete(key);
  }

  /** Keys that have something. */
  get size(): number {
    return this.#counts.size;
  }
}
