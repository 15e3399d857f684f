/** A share of a node's counts: what one process of it has entered, which leaves as a whole when the process ends. */
import { keyOf, type OccupancyCounts } from './occupancy.js';

interface Entered {
  readonly group: string;
  readonly member: string;
  connections: number;
}

/** Passes everything on, and knows what it takes to undo it. A crashed worker cannot say what it had. */
export class OccupancyShare implements OccupancyCounts {
  readonly #counts: OccupancyCounts;
  readonly #entered = new Map<string, Entered>();
  #isClosed = false;

  constructor(counts: OccupancyCounts) {
    this.#counts = counts;
  }

  enter(group: string, member: string, note?: string): void {
    if (this.#isClosed) return;
    const key = keyOf(group, member);
    const entered = this.#entered.get(key);
    if (entered === undefined) this.#entered.set(key, { group, member, connections: 1 });
    else entered.connections++;
    this.#counts.enter(group, member, note);
  }

  leave(group: string, member: string): void {
    const key = keyOf(group, member);
    const entered = this.#entered.get(key);
    if (entered === undefined) return;
    entered.connections--;
    if (entered.connections === 0) this.#entered.delete(key);
    this.#counts.leave(group, member);
  }

  /** All of it leaves. Nothing can enter any more. */
  close(): void {
    this.#isClosed = true;
    for (const { group, member, connections } of this.#entered.values()) {
      for (let left = connections; left > 0; left--) this.#counts.leave(group, member);
    }
    this.#entered.clear();
  }
}
