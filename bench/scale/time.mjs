// Simulated time: a queue of events in order, and the clock that the code under simulation goes by.
/** What the wall clock shows at the start, in ms since the Unix epoch: any moment that is none of a real one. */
const START_WALL_MS = 1_000_000_000_000;

/** @typedef {{ at: number, order: number, run: (() => void) | undefined }} Event */

/**
 * Runs events in the order of their times, those of one time in the order of scheduling. After each of them everything runs that it has
 * led to without time passing: promises, and what was put off to the end of the turn.
 */
export class SimulatedTime {
  /** A binary heap. @type {Event[]} */
  #heap = [];
  #order = 0;
  /** ms since the start, in fractions. */
  now = 0;
  /** How many events have run. */
  events = 0;

  /** Calls `run` at a moment, or now if that has passed. @param {number} at @param {() => void} run @returns {Event} */
  at(at, run) {
    const event = { at: Math.max(at, this.now), order: this.#order++, run };
    const heap = this.#heap;
    let i = heap.push(event) - 1;
    while (i > 0) {
      const parent = (i - 1) >> 1;
      if (!isBefore(event, heap[parent])) break;
      heap[i] = heap[parent];
      i = parent;
    }
    heap[i] = event;
    return event;
  }

  /** Runs what happens until `holds`, and at most until a moment. @param {number} until @param {() => boolean} [holds] */
  async run(until, holds = () => false) {
    while (!holds()) {
      const event = this.#heap[0];
      if (event === undefined || event.at > until) {
        this.now = Math.max(this.now, Math.min(until, event?.at ?? until));
        return;
      }
      this.#pop();
      if (event.run === undefined) continue;
      this.now = event.at;
      this.events++;
      event.run();
      await new Promise((resolve) => setImmediate(resolve));
    }
  }

  /** The `Clock` of a node. */
  clock() {
    return {
      monotonic: () => Math.floor(this.now),
      wall: () => Math.floor(START_WALL_MS + this.now),
      after: (/** @type {number} */ ms, /** @type {() => void} */ run) => this.at(this.now + ms, run),
      clear: (/** @type {Event | undefined} */ timer) => {
        if (timer !== undefined) timer.run = undefined;
      },
    };
  }

  /** What the clock of a Redis shows, in µs since the Unix epoch. */
  get micros() {
    return Math.floor((START_WALL_MS + this.now) * 1_000);
  }

  #pop() {
    const heap = this.#heap;
    const last = /** @type {Event} */ (heap.pop());
    const size = heap.length;
    if (size === 0) return;
    let i = 0;
    for (;;) {
      let child = 2 * i + 1;
      if (child >= size) break;
      if (child + 1 < size && isBefore(heap[child + 1], heap[child])) child++;
      if (!isBefore(heap[child], last)) break;
      heap[i] = heap[child];
      i = child;
    }
    heap[i] = last;
  }
}

/** @param {Event} one @param {Event} other */
function isBefore(one, other) {
  return one.at < other.at || (one.at === other.at && one.order < other.order);
}

/** Random numbers in [0, 1) that are the same for the same seed (mulberry32). @param {number} seed @returns {() => number} */
export function randomOf(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
