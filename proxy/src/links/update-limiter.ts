/**
 * How fast connections that have missed something go back to their origins, so that a gap on a busy channel does not become a
 * stampede; hints are the publisher's wish and are not limited.
 */
import { type Faulty, uncontained } from '@holdfast/control-api';
import type { Clock, Timer } from '../runtime/clock.js';

/**
 * Time between two batches of the same link, in ms: 10 a second.
 *
 * @limit {ms} between two batches of connections that return to one URL
 * @over the others wait
 */
const INTERVAL_MS = 100;

/**
 * How many connections go in one batch.
 *
 * @limit {} connections in such a batch
 * @over the others wait
 */
const BATCH = 100;

/** How many go within one interval over all links: after a gap of all channels every connection may have one of its own. */
const TOTAL = 500;

interface Queue {
  readonly waiting: Set<() => void>;
  timer: Timer | undefined;
}

/** One queue per link. The first batch waits too, so that those who find the same gap go together. */
export class UpdateLimiter {
  readonly #clock: Clock;
  readonly #faults;
  readonly #queues = new Map<string, Queue>();
  /** The interval for which `#left` counts, by its number since the clock began. */
  #interval = 0;
  #left = TOTAL;

  constructor(clock: Clock, faults = uncontained) {
    this.#clock = clock;
    this.#faults = faults;
  }

  /** Calls `go` in its turn; a fault of it ends `what`. The result withdraws it. */
  enter(link: string, go: () => void, what?: Faulty): () => void {
    let queue = this.#queues.get(link);
    if (queue === undefined) {
      queue = { waiting: new Set(), timer: undefined };
      this.#queues.set(link, queue);
      this.#arm(link, queue);
    }
    // A new function, so that the same `go` may wait twice.
    const turn = () => this.#faults.run('timer', go, what);
    const { waiting } = queue;
    waiting.add(turn);
    return () => waiting.delete(turn);
  }

  #arm(link: string, queue: Queue): void {
    queue.timer = this.#clock.after(INTERVAL_MS, () => {
      if (queue.waiting.size === 0) {
        this.#queues.delete(link);
        return;
      }
      this.#arm(link, queue);
      const batch = first(queue.waiting, Math.min(BATCH, this.#budget()));
      // One of the batch may withdraw another.
      for (const turn of batch) {
        if (!queue.waiting.delete(turn)) continue;
        this.#left--;
        turn();
      }
    });
  }

  /** How many may still go within the present interval. */
  #budget(): number {
    const interval = Math.floor(this.#clock.monotonic() / INTERVAL_MS);
    if (interval !== this.#interval) {
      this.#interval = interval;
      this.#left = TOTAL;
    }
    return this.#left;
  }
}

function first<T>(all: Iterable<T>, count: number): T[] {
  const found: T[] = [];
  if (count <= 0) return found;
  for (const one of all) if (found.push(one) >= count) break;
  return found;
}
