/** Whether this process has so much memory in use that no new holds should be taken (`shed_memory`). */
import { totalmem } from 'node:os';
import { getHeapStatistics } from 'node:v8';
import type { Clock } from './clock.js';

/** What is in use, and what may be, in bytes. */
export interface MemoryUse {
  readonly resident: number;
  /** Of the machine or the container, this process's share of it. */
  readonly residentMax: number;
  readonly heap: number;
  /** From here on node ends the process. */
  readonly heapMax: number;
}

/** How long a measurement holds, in ms: it costs some 20 µs. */
const MEASURE_MS = 100;

/**
 * Memory is short when the resident set, or the heap of JavaScript, is over its share of what it may be: the first is bounded by
 * the machine or the container, the second by node.
 */
export class Memory {
  readonly #share: number;
  readonly #clock: Clock;
  readonly #measure: () => MemoryUse;
  #measuredAt = Number.NEGATIVE_INFINITY;
  #isShort = false;

  /** `share` is from 0 to 1; 0 never finds memory short, and does not measure. */
  constructor(share: number, clock: Clock, measure: () => MemoryUse) {
    this.#share = share;
    this.#clock = clock;
    this.#measure = measure;
  }

  /** That of this process, one of so many on the machine that share its memory. */
  static ofProcess(share: number, clock: Clock, processes: number): Memory {
    const residentMax = limitOf(process.constrainedMemory(), totalmem()) / processes;
    const { heap_size_limit: heapMax } = getHeapStatistics();
    return new Memory(share, clock, () => {
      const { used_heap_size: heap } = getHeapStatistics();
      return { resident: process.memoryUsage.rss(), residentMax, heap, heapMax };
    });
  }

  /** Whether it is short; measured at most every 100 ms. */
  get isShort(): boolean {
    if (this.#share === 0) return false;
    const now = this.#clock.monotonic();
    if (now - this.#measuredAt >= MEASURE_MS) {
      this.#measuredAt = now;
      const { resident, residentMax, heap, heapMax } = this.#measure();
      this.#isShort = resident > residentMax * this.#share || heap > heapMax * this.#share;
    }
    return this.#isShort;
  }
}

/** Node says 0, or more than there is, where a container has no limit. */
function limitOf(constrained: number | undefined, total: number): number {
  return constrained === undefined || constrained === 0 ? total : Math.min(constrained, total);
}
