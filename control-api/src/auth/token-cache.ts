/** Tokens that were verified, by their digests, so that a publisher's token is verified once and not for each publish. */

/**
 * Tokens that are remembered. A publisher has one for minutes, and uses it for many publishes.
 *
 * @limit {} verified tokens that are remembered
 * @over the one that was verified first is forgotten, and verified again when it comes
 */
export const MAX_TOKENS = 10_000;

/** What is remembered has a time after which it counts no more. */
interface Expiring {
  /** In ms since the epoch. */
  readonly until: number;
}

/** Values by digest, each until its time. */
export class TokenCache<Value extends Expiring> {
  /** In the order in which they were verified. */
  readonly #values = new Map<string, Value>();

  /** Undefined where there is none, or its time is over. */
  get(digest: string, now: number): Value | undefined {
    const value = this.#values.get(digest);
    if (value === undefined || now < value.until) return value;
    this.#values.delete(digest);
    return undefined;
  }

  set(digest: string, value: Value): void {
    if (this.#values.size >= MAX_TOKENS) {
      const [first] = this.#values.keys();
      if (first !== undefined) this.#values.delete(first);
    }
    this.#values.set(digest, value);
  }

  delete(digest: string): void {
    this.#values.delete(digest);
  }

  clear(): void {
    this.#values.clear();
  }

  get size(): number {
    return this.#values.size;
  }
}
