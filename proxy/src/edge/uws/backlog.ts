/**
 * Owns: how much of request bodies waits on a uws edge, all connections together. Does not own: the bodies.
 *
 * The library goes on reading, paused or not, for as long as each read fills its 512 KiB. A fast client on the same machine
 * can keep it at that: tens of megabytes of one body have been seen, so that a limit for each would bound nothing.
 */

/**
 * Most bytes of one body that wait, and of several together; with more, that of which the most waits loses its client.
 *
 * @limit {MiB} of one body that is held back, where the library does not stop reading; a chunk counts 256 bytes at
 *   least
 * @over the client is cut
 */
export const WAITING_MAX = 64 * 2 ** 20;
/**
 * @limit {MiB} of several such bodies together
 * @over the client with the most waiting bytes is cut
 */
export const SHARED_MAX = 32 * 2 ** 20;

/** A body of which some waits. */
export interface WaitingBody {
  readonly waiting: number;
  /** Cuts its client; `waited` tells of what waited no more. */
  cut(): void;
}

/** What waits, of one edge. */
export class UwsBacklog {
  readonly #bodies = new Set<WaitingBody>();
  #bytes = 0;

  get bytes(): number {
    return this.#bytes;
  }

  /** So many more bytes of a body wait, or, when negative, so many less. */
  waits(body: WaitingBody, change: number): void {
    this.#bytes += change;
    if (body.waiting > 0) this.#bodies.add(body);
    else this.#bodies.delete(body);
    while (change > 0 && this.#bytes > (this.#bodies.size > 1 ? SHARED_MAX : WAITING_MAX)) {
      const largest = this.#largest();
      if (largest === undefined) return;
      largest.cut();
      if (largest.waiting > 0) return;
    }
  }

  #largest(): WaitingBody | undefined {
    let largest: WaitingBody | undefined;
    for (const body of this.#bodies) if (body.waiting > (largest?.waiting ?? 0)) largest = body;
    return largest;
  }
}
