/** Tokens that were verified, by their digests, so that a publisher's token is verified once and not for each publish. */

/**
 * Tokens that are remembered. A publisher has one for minutes, and uses it for many publishes.
 *
 * @limit {} verified tokens that are remembered
 * @over the one that was verified first is forgotten, and verified again when it comes
 */
export const MAX_TOKENS = 10_000;

/**
 * Bytes of the tokens that are remembered: what is kept of one, its channels above all, is not much more than the token. One is mostly
 * a few hundred bytes.
 *
 * @limit {MiB} of verified tokens that are remembered
 * @over the one that was verified first is forgotten, and verified again when it comes
 */
export const MAX_TOKEN_BYTES = 8 * 1024 * 1024;

/** What is remembered has a time after which it counts no more. */
interface Expiring {
  /** In ms since the epoch. */
  readonly until: number;
  /** Of the token. */
  readonly bytes: number;
}

/** Values by digest, each until its time. */
export class TokenCache<Value extends Expiring> {
  /** In the order in which they were verified. */
  readonly #values = new Map<string, Value>();
  #bytes = 0;

  /** Undefined where there is none, or its time is over. */
  get(digest: string, now: number): Value | undefined {
    const value = this.#values.get(digest);
    if (value === undefined || now < value.until) return value;
    this.delete(digest);
    return undefined;
  }

  set(digest: string, value: Value): void {
    this.delete(digest);
    this.#values.set(digest, value);
    this.#bytes += value.bytes;
    while (this.#values.size > MAX_TOKENS || this.#bytes > MAX_TOKEN_BYTES) {
      const [first] = this.#values.keys();
      if (first === undefined) return;
      this.delete(first);
    }
  }

  delete(digest: string): void {
    const value = this.#values.get(digest);
    if (value === undefined) return;
    this.#values.delete(digest);
    this.#bytes -= value.bytes;
  }

  clear(): void {
    this.#values.clear();
    this.#bytes = 0;
  }

  get size(): number {
    return this.#values.size;
  }
}
