/**
 * Owns: that only so many tasks run at a time. Does not own: the tasks.
 */

/** Runs tasks in the order of arrival, a limited number at the same time. Those that wait are kept, all of them. */
export class Turnstile {
  readonly #limit: number;
  readonly #waiting: Array<() => Promise<void>> = [];
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
    const task = this.#waiting.shift();
    if (!task) return;
    this.#running += 1;
    void task().finally(() => {
      this.#running -= 1;
      this.#next();
    });
  }
}
