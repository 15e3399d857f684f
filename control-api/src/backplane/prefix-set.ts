/** A set of prefixes, of which those of a name are found in time that does not grow with their number. */

const NONE: readonly string[] = [];

/** Prefixes by their lengths: a name is looked up once for each length that there is, and of most systems there are few. */
export class PrefixSet {
  readonly #prefixes = new Set<string>();
  /** How many there are of each length, the shortest first. */
  #lengths: { readonly length: number; count: number }[] = [];

  constructor(prefixes: Iterable<string> = []) {
    for (const prefix of prefixes) this.add(prefix);
  }

  get size(): number {
    return this.#prefixes.size;
  }

  has(prefix: string): boolean {
    return this.#prefixes.has(prefix);
  }

  [Symbol.iterator](): Iterator<string> {
    return this.#prefixes.values();
  }

  /** Adding twice changes nothing. */
  add(prefix: string): void {
    if (this.#prefixes.has(prefix)) return;
    this.#prefixes.add(prefix);
    const { length } = prefix;
    const known = this.#lengths.find((one) => one.length === length);
    if (known !== undefined) known.count++;
    else this.#lengths = [...this.#lengths, { length, count: 1 }].sort((one, other) => one.length - other.length);
  }

  /** Unknown ones are ignored. */
  delete(prefix: string): void {
    if (!this.#prefixes.delete(prefix)) return;
    const known = this.#lengths.find(({ length }) => length === prefix.length);
    if (known !== undefined && --known.count === 0) this.#lengths = this.#lengths.filter((one) => one !== known);
  }

  clear(): void {
    this.#prefixes.clear();
    this.#lengths = [];
  }

  /** Those that a name begins with, the shortest first. Allocates nothing where there are none. */
  of(name: string): readonly string[] {
    let found: string[] | undefined;
    for (const { length } of this.#lengths) {
      if (length > name.length) break;
      const prefix = name.slice(0, length);
      if (!this.#prefixes.has(prefix)) continue;
      found ??= [];
      found.push(prefix);
    }
    return found ?? NONE;
  }
}
