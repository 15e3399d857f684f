/** The ids of connections that have ended, for a while: what is sent to one of them comes too late, and not to nobody. */

/**
 * Ids that a process remembers; a session has two. Noting one costs a place in a list.
 *
 * @limit {} ids of ended connections that a process remembers
 * @over the oldest is forgotten: 404 in place of 410
 */
export const ENDED_IDS = 10_000;

/** The last ones. */
export class EndedIds {
  readonly #ids: string[] = [];
  #next = 0;

  /** A connection with this id has ended. */
  add(id: string): void {
    this.#ids[this.#next] = id;
    this.#next = (this.#next + 1) % ENDED_IDS;
  }

  /** Whether it is remembered. Looks at all of them: nothing that is done for each connection may ask. */
  has(id: string): boolean {
    return this.#ids.includes(id);
  }
}
