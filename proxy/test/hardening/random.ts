/** Random choices that come again with the same seed. */

/** A 32-bit hash of a text (FNV-1a, mixed), so that neighbouring seeds have nothing in common. */
function hash(text: string): number {
  let value = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) value = Math.imul(value ^ text.charCodeAt(i), 0x01000193);
  value = Math.imul(value ^ (value >>> 16), 0x85ebca6b);
  value = Math.imul(value ^ (value >>> 13), 0xc2b2ae35);
  return (value ^ (value >>> 16)) >>> 0;
}

/** A stream of choices, the same for the same seed on every machine. */
export class Random {
  #state: number;

  constructor(seed: string) {
    this.#state = hash(seed);
  }

  /** From 0 on, below 1. */
  #next(): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let value = this.#state;
    value = Math.imul(value ^ (value >>> 15), value | 1);
    value ^= value + Math.imul(value ^ (value >>> 7), value | 61);
    return ((value ^ (value >>> 14)) >>> 0) / 4_294_967_296;
  }

  /** A whole number from `least` to `most`, both included. */
  int(least: number, most: number): number {
    return least + Math.floor(this.#next() * (most - least + 1));
  }

  /** True once in `times`. */
  once(times: number): boolean {
    return this.#next() * times < 1;
  }

  pick<T>(values: readonly T[]): T {
    return values[this.int(0, values.length - 1)] as T;
  }

  /** One of several makers, called. */
  one<T>(...makers: readonly (() => T)[]): T {
    return this.pick(makers)();
  }

  /** A list of `least` to `most` made values. */
  list<T>(least: number, most: number, make: (index: number) => T): T[] {
    return Array.from({ length: this.int(least, most) }, (_, index) => make(index));
  }

  /** The values in another order. */
  shuffle<T>(values: readonly T[]): T[] {
    const left = [...values];
    const order: T[] = [];
    while (left.length > 0) order.push(...left.splice(this.int(0, left.length - 1), 1));
    return order;
  }

  bytes(least: number, most: number): Buffer {
    return Buffer.from(this.list(least, most, () => this.int(0, 255)));
  }

  /** A length: mostly small, now and then at a boundary, seldom up to `most`. */
  size(most: number): number {
    const edges = [0, 1, 125, 126, 127, 255, 256, 4_095, 4_096, 16_383, 16_384, 65_535, 65_536];
    if (this.once(40)) return most;
    if (this.once(4)) return Math.min(most, this.pick(edges));
    return this.int(0, Math.min(most, 40));
  }
}
