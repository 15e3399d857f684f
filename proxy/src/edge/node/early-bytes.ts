/** Bounds what a client sends behind a held request, which nothing parses until the answer is complete. */

/**
 * Bytes behind a held request from which on nothing more is read; of one read there may be
 * 64 KiB more. A client that has gone is not noticed then, so that one more read is made every `LOOK_MS`, until there are
 * `AHEAD_MAX` bytes; then the connection is cut.
 */
export const EARLY_MAX = 16_384;
export const AHEAD_MAX = 131_072;
export const LOOK_MS = 10_000;

/**
 * What cannot be the beginning of a request is answered 400 behind the answer under way: of that so many bytes are kept, and
 * what follows it is read and dropped. With more than `GARBAGE_MAX` bytes the connection is cut.
 */
const GARBAGE_KEPT = 1_024;
export const GARBAGE_MAX = 1_048_576;

/** The beginning of a request: empty lines, a method, and a space if it is there already (RFC 9112 §2.2, §3). */
const REQUEST_START = /^(?:\r?\n)*(?:[!#$%&'*+\-.^_`|~0-9A-Za-z]{1,32}(?: |$)|\r?$)/;

/** Made with the first read, which `add` must still be called for. */
export class EarlyBytes {
  readonly kept: Buffer[] = [];
  /** Not the beginning of a request: the rest is dropped. */
  readonly #isGarbage: boolean;
  #bytes = 0;

  constructor(first: Buffer) {
    this.#isGarbage = !REQUEST_START.test(first.toString('latin1', 0, 64));
  }

  add(read: Buffer): void {
    this.#bytes += read.length;
    if (!this.#isGarbage) this.kept.push(read);
    else if (this.kept.length === 0) this.kept.push(Buffer.from(read.subarray(0, GARBAGE_KEPT)));
  }

  /** Whether to stop reading for now. */
  get isMuch(): boolean {
    return !this.#isGarbage && this.#bytes >= EARLY_MAX;
  }

  /** Whether to stop reading for good. */
  get isLast(): boolean {
    return this.#bytes >= AHEAD_MAX;
  }

  /** Whether to cut the client. */
  get isTooMuch(): boolean {
    return this.#isGarbage && this.#bytes > GARBAGE_MAX;
  }
}
