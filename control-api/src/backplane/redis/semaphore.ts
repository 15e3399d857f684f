/**
 * Owns: that only so many tasks run at a time. Does not own: the tasks.
 */

/** Runs tasks in the order of arrival, a limited number at the same time. Those that wait are kept, all of them. */
export class Turnstile {
  readonly #limit: number;
  #waiting: Array<() => Promise<void>> = [];
  /** Those before this index have begun. After an outage a task waits for each channel: taking them out one by one is slow. */
  #begun = 0;
  #running = 0;

  constructor(limit: number) {
    this.#limit = limit;
  }

  /** The task must not reject. */
  enter(task: () => Promise<void>): void {
    this.#waiting.push(task);
    this.#next();
  }

  #next(): void {
    if (this.#running >= this.#limit) return;
    const task = this.#waiting[this.#begun];
    if (!task) return;
    this.#begun += 1;
    if (this.#begun * 2 >= this.#waiting.length) {
      this.#waiting = this.#waiting.slice(this.#begun);
      this.#begun = 0;
    }
    this.#running += 1;
    void task().finally(() => {
      this.#running -= 1;
      this.#next();
    });
  }
}
