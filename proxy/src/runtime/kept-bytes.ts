/** Collects bytes that come in any number of pieces, in little more memory than the bytes take. */

/** Shorter pieces are copied together, in bytes: each by itself takes 100 bytes more, and all of the read that it came in. */
const SHORT = 1_024;

/** What short pieces are copied into, in bytes. */
const SLAB = 4_096;

/** Bytes in the order of their coming. A body that comes in one piece is kept as it is. */
export class KeptBytes {
  /** How many there are. */
  length = 0;
  readonly #pieces: Buffer[] = [];
  #slab: Buffer | undefined;
  #used = 0;

  add(piece: Buffer): void {
    this.length += piece.length;
    if (piece.length >= SHORT || (this.#pieces.length === 0 && this.#slab === undefined)) {
      this.#closeSlab();
      this.#pieces.push(piece);
      return;
    }
    for (let rest = piece; rest.length > 0; ) {
      this.#slab ??= Buffer.allocUnsafe(SLAB);
      const taken = rest.copy(this.#slab, this.#used);
      this.#used += taken;
      rest = rest.subarray(taken);
      if (this.#used === SLAB) this.#closeSlab();
    }
  }

  /** All of them, in few pieces. */
  get pieces(): readonly Buffer[] {
    const slab = this.#slab;
    return slab === undefined ? this.#pieces : [...this.#pieces, slab.subarray(0, this.#used)];
  }

  /** All of them, in one. */
  whole(): Buffer {
    const { pieces } = this;
    return pieces.length === 1 ? (pieces[0] as Buffer) : Buffer.concat(pieces, this.length);
  }

  #closeSlab(): void {
    if (this.#slab === undefined) return;
    this.#pieces.push(this.#slab.subarray(0, this.#used));
    this.#slab = undefined;
    this.#used = 0;
  }
}
