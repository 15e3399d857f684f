/** What the shares of a hub have interest in: channels, or prefixes. Each is asked of the backplane behind once. */

/** The backplane behind, and who else follows the interest. */
export interface InterestSource<Share> {
  /** As `Backplane.subscribe`, or as `PrefixInterest.subscribePrefix`. */
  subscribe(name: string): Promise<void> | undefined;
  unsubscribe(name: string): void;
  /** The first share has interest. */
  opened(name: string): void;
  /** No share has any more. */
  closed(name: string): void;
  /** A share has interest from now on; `shares` are all that have. */
  joined(share: Share, name: string, shares: ReadonlySet<Share>): void;
  /** It has none any more; `shares` are those that still have. */
  left(share: Share, name: string, shares: ReadonlySet<Share>): void;
}

interface Interest<Share> {
  readonly shares: Set<Share>;
  /** Until the backplane behind has it live: one promise for all shares. */
  pending: Promise<void> | undefined;
}

/** Name → shares. */
export class InterestTable<Share> {
  readonly #source: InterestSource<Share>;
  readonly #namesOf: (share: Share) => Set<string>;
  readonly #interests = new Map<string, Interest<Share>>();

  /** `namesOf` is where the names of a share are kept: so that one that leaves is not looked for in all of the process. */
  constructor(source: InterestSource<Share>, namesOf: (share: Share) => Set<string>) {
    this.#source = source;
    this.#namesOf = namesOf;
  }

  get size(): number {
    return this.#interests.size;
  }

  subscribe(share: Share, name: string): Promise<void> | undefined {
    const known = this.#interests.get(name);
    if (known !== undefined) {
      if (known.shares.has(share)) return known.pending;
      this.#namesOf(share).add(name);
      known.shares.add(share);
      this.#source.joined(share, name, known.shares);
      return known.pending;
    }
    this.#namesOf(share).add(name);
    const interest: Interest<Share> = { shares: new Set([share]), pending: undefined };
    this.#interests.set(name, interest);
    this.#source.opened(name);
    this.#source.joined(share, name, interest.shares);
    interest.pending = this.#source.subscribe(name)?.then(
      () => {
        interest.pending = undefined;
      },
      (error) => {
        // Withdrawn by the backplane behind. A newer interest in the same name is not concerned.
        if (this.#interests.get(name) === interest) {
          for (const one of interest.shares) this.#leave(one, name, interest);
          this.#forget(name);
        }
        throw error;
      },
    );
    return interest.pending;
  }

  unsubscribe(share: Share, name: string): void {
    const interest = this.#interests.get(name);
    if (interest === undefined || !interest.shares.has(share)) return;
    this.#leave(share, name, interest);
    if (interest.shares.size > 0) return;
    this.#forget(name);
    this.#source.unsubscribe(name);
  }

  /** Withdraws all that a share has interest in. */
  leave(share: Share): void {
    for (const name of this.#namesOf(share)) this.unsubscribe(share, name);
  }

  /** Those with interest: a live view. */
  sharesOf(name: string): ReadonlySet<Share> | undefined {
    return this.#interests.get(name)?.shares;
  }

  /** The same, to be walked while a message is delivered: a share that joins meanwhile is left out; one that leaves is too. */
  *of(name: string): Iterable<Share> {
    const interest = this.#interests.get(name);
    if (interest === undefined) return;
    for (const share of [...interest.shares]) if (interest.shares.has(share)) yield share;
  }

  #leave(share: Share, name: string, { shares }: Interest<Share>): void {
    this.#namesOf(share).delete(name);
    shares.delete(share);
    this.#source.left(share, name, shares);
  }

  /** The share comes last from here on: {@link of} has them in turn. */
  putLast(share: Share, name: string): void {
    const shares = this.#interests.get(name)?.shares;
    if (shares?.delete(share)) shares.add(share);
  }

  /** The share comes first from here on. */
  putFirst(share: Share, name: string): void {
    const shares = this.#interests.get(name)?.shares;
    if (!shares?.delete(share)) return;
    const others = [...shares];
    shares.clear();
    for (const one of [share, ...others]) shares.add(one);
  }

  #forget(name: string): void {
    this.#interests.delete(name);
    this.#source.closed(name);
  }
}
