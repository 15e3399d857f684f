/** `activity` and `counts`: that something happens, in batches. */
import type { Clock } from '../runtime/clock.js';
import { Batch } from './batch.js';
import type { Emit } from './packet.js';

/** Sums activity per route, and requests over all. */
export class ActivityStats {
  readonly #emit: Emit;
  readonly #routes = new Map<string, number>();
  readonly #batch: Batch;
  #requests = 0;

  constructor(clock: Clock, emit: Emit) {
    this.#emit = emit;
    this.#batch = new Batch(clock, () => this.#send());
  }

  /** Activity on a route, the empty one included. */
  add(route: string, count: number): void {
    this.#routes.set(route, (this.#routes.get(route) ?? 0) + count);
    this.#batch.arm();
  }

  /** A client's request. */
  request(): void {
    this.#requests++;
    this.#batch.arm();
  }

  /** Sends nothing more. */
  close(): void {
    this.#batch.close();
  }

  #send(): void {
    for (const [route, count] of this.#routes) this.#emit('activity', { route, count });
    this.#routes.clear();
    if (this.#requests > 0) this.#emit('counts', { 'requests-received': this.#requests });
    this.#requests = 0;
  }
}
