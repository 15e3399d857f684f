/**
 * Which items each client of a load run has received: what it lost, got twice or out of order. A client is owed every item that is
 * due once it is held, whether its connection lasts or not; what it missed while it was away counts as lost until it comes.
 */
import { dueOf, firstAfter, type Mark, type Schedule } from './mark.js';

/**
 * Holes in what one client received that are remembered, to tell a late item from one that comes twice.
 *
 * @limit {} holes of one client of `holdfast load` are remembered
 * @over the oldest stays lost; what comes in it counts as doubled, and the report says how many were given up
 */
export const MAX_HOLES = 16;

/** What the clients have received, in items of all clients together. */
export interface Received {
  /** Owed, and received for the first time. */
  readonly received: number;
  /** Owed and not received. */
  readonly lost: number;
  /** Received once more. */
  readonly doubled: number;
  /** Received for the first time after one with a higher number. */
  readonly disordered: number;
  /** Received, and due before the client was held. */
  readonly early: number;
  /** Holes that are not remembered any more. */
  readonly forgotten: number;
}

/** Counts for a fixed number of clients: a few numbers for each. */
export class Tally {
  /** The run that counts: the first that was seen, or that was given. */
  schedule: Schedule | undefined;
  /** Items of other runs, which do not count. */
  foreign = 0;
  /** Highest number that any client received. */
  highest = 0;
  /** When each was held first, in ms since the Unix epoch; 0: not yet. */
  readonly #held: Float64Array;
  /** Number of the first item that each is owed; 0: not known yet. */
  readonly #owed: Uint32Array;
  /** One more than the highest number that each received; 0: none. */
  readonly #next: Uint32Array;
  /** From and past the end of each hole, rising, in turns. */
  readonly #holes: (number[] | undefined)[];
  /** Items due so much after a client was held, by another machine's clock, are owed to it, in ms. */
  readonly #slack: number;
  readonly #counts = { received: 0, lost: 0, doubled: 0, disordered: 0, early: 0, forgotten: 0 };

  /** `slack` in ms: 0 where items are published by this process, whose clock then says when they are due. */
  constructor(clients: number, slack: number) {
    this.#held = new Float64Array(clients);
    this.#owed = new Uint32Array(clients);
    this.#next = new Uint32Array(clients);
    this.#holes = new Array(clients);
    this.#slack = slack;
  }

  /** Without what was not due when it was read; {@link finish} adds that. */
  get counts(): Received {
    return this.#counts;
  }

  /** A client is held, for the first time or again. */
  held(client: number, now: number): void {
    if (this.#held[client] === 0) this.#held[client] = now;
  }

  /** Whether a client was ever held. */
  wasHeld(client: number): boolean {
    return this.#held[client] !== 0;
  }

  /** A client received an item. Returns for how long it was due, in ms; undefined where that counts for nothing. */
  take(client: number, { schedule, number }: Mark, now: number): number | undefined {
    if (number === 0) return undefined;
    this.schedule ??= schedule;
    if (schedule.run !== this.schedule.run || number > this.schedule.last) {
      this.foreign++;
      return undefined;
    }
    if (number > this.highest) this.highest = number;
    return this.#isNew(client, number) ? now - dueOf(this.schedule, number) : undefined;
  }

  /** Counts it; true if the client was owed it, and had not received it. */
  #isNew(client: number, number: number): boolean {
    const next = this.#next[client] as number;
    const owed = this.#owedTo(client);
    if (number >= next) {
      this.#next[client] = number + 1;
      const from = Math.max(next, owed);
      if (number > from) this.#miss(client, from, number);
    } else if (number < owed) {
      // Twice, or late, but from before its time: nothing that it is owed.
      return false;
    } else if (!this.#fill(client, number)) {
      this.#counts.doubled++;
      return false;
    }
    if (number < owed) this.#counts.early++;
    else this.#counts.received++;
    return number >= owed;
  }

  #owedTo(client: number): number {
    const known = this.#owed[client] as number;
    if (known !== 0 || this.schedule === undefined) return known;
    const owed = firstAfter(this.schedule, (this.#held[client] as number) + this.#slack);
    this.#owed[client] = owed;
    return owed;
  }

  #miss(client: number, from: number, end: number): void {
    this.#counts.lost += end - from;
    const holes = this.#holes[client] ?? [];
    this.#holes[client] = holes;
    holes.push(from, end);
    this.#bound(holes);
  }

  #bound(holes: number[]): void {
    if (holes.length <= 2 * MAX_HOLES) return;
    holes.splice(0, 2);
    this.#counts.forgotten++;
  }

  /** Takes a number out of the hole that it is in; false if it is in none. */
  #fill(client: number, number: number): boolean {
    const holes = this.#holes[client];
    if (holes === undefined || !takeOut(holes, number)) return false;
    if (holes.length === 0) this.#holes[client] = undefined;
    else this.#bound(holes);
    this.#counts.disordered++;
    this.#counts.lost--;
    return true;
  }

  /** How many of the clients that were held lack the item, or one before it. */
  behind(number: number): number {
    let count = 0;
    this.#held.forEach((held, client) => {
      if (held === 0 || this.#owedTo(client) > number) return;
      if ((this.#next[client] as number) <= number || this.#holes[client] !== undefined) count++;
    });
    return count;
  }

  /** The run is over: items up to `last` that did not come are lost, but for those that were never published. To be called once. */
  finish(last: number, unpublished: readonly number[] = []): void {
    this.#held.forEach((held, client) => {
      if (held === 0) return;
      const from = Math.max(this.#next[client] as number, this.#owedTo(client));
      if (from !== 0 && from <= last) this.#miss(client, from, last + 1);
      const holes = this.#holes[client];
      for (const number of unpublished) if (holes !== undefined && takeOut(holes, number)) this.#counts.lost--;
    });
  }
}

/** Splits or shortens the hole that a number is in. */
function takeOut(holes: number[], number: number): boolean {
  for (let at = 0; at < holes.length; at += 2) {
    const [from, end] = [holes[at] as number, holes[at + 1] as number];
    if (number < from || number >= end) continue;
    const left = number > from ? [from, number] : [];
    const right = number + 1 < end ? [number + 1, end] : [];
    holes.splice(at, 2, ...left, ...right);
    return true;
  }
  return false;
}
