/** Keeping the order of what takes its time, and of what does not, for each of several things. */

/** For each owner, results are used in the order in which they were asked for. */
export class Turns<Owner extends object> {
  /** The latest result that is awaited, or has one before it that is. */
  readonly #last = new WeakMap<Owner, Promise<unknown>>();
  /** Of all owners: mostly none, and then there is nothing to look up. */
  #awaited = 0;

  /**
   * Calls `use` with a value: at once, where it is there and nothing before it is awaited; else after what is before it. The value
   * must not reject.
   */
  inTurn<Value, Result>(
    owner: Owner,
    value: Value | Promise<Value>,
    use: (value: Value) => Result,
  ): Result | Promise<Result> {
    const before = this.#awaited === 0 ? undefined : this.#last.get(owner);
    if (before === undefined && !(value instanceof Promise)) return use(value);
    const used = Promise.all([value, before]).then(([own]) => use(own));
    this.#last.set(owner, used);
    this.#awaited++;
    return used.finally(() => {
      this.#awaited--;
      if (this.#last.get(owner) === used) this.#last.delete(owner);
    });
  }
}

/** What later things of the same owner have to wait for. */
export class Waits<Owner extends object> {
  readonly #last = new WeakMap<Owner, Promise<void>>();
  /** Of all owners: mostly none, and then there is nothing to look up. */
  #open = 0;

  /** They wait until this resolves, and what the caller does then at once is done. It must not reject. */
  add(owner: Owner, until: Promise<unknown>): void {
    this.#open++;
    const wait: Promise<void> = until.then(() => {
      this.#open--;
      if (this.#last.get(owner) === wait) this.#last.delete(owner);
    });
    this.#last.set(owner, wait);
  }

  /** The latest; undefined where nothing is to be waited for. After it there may be another. */
  of(owner: Owner): Promise<void> | undefined {
    return this.#open === 0 ? undefined : this.#last.get(owner);
  }
}
