/** Bounds what a client sends behind a held request, which nothing parses until the answer is complete. */

/**
 * Bytes behind a held request from which on nothing more is read; of one read there may be
 * 64 KiB more. A client that has gone is not noticed then, so that one more read is made every `LOOK_MS`, until there are
 * `AHEAD_MAX` bytes; then the connection is cut.
 *
 * @limit {} bytes behind a request that is held, and what else was in the last read of 64 KiB
 * @over nothing more is read from the client
 */
export const EARLY_MAX = 16_384;
/**
 * @limit {} bytes behind a request that is held, read to notice a client that has gone
 * @over connection cut
 */
export const AHEAD_MAX = 131_072;
/**
 * @limit {s} between two reads behind a held request whose early bytes have reached `EARLY_MAX`, to notice a client
 *   that has gone
 * @over one more read is made
 */
export const LOOK_MS = 10_000;

/**
 * What cannot be the beginning of a request is answered 400 behind the answer under way: of that so many bytes are kept, and
 * what follows it is read and dropped. With more than `GARBAGE_MAX` bytes the connection is cut.
 */
const GARBAGE_KEPT = 1_024;
/**
 * @limit {} bytes behind a request that is held and that cannot be requests; they are dropped
 * @over connection cut
 */
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
