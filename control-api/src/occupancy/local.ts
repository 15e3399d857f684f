/** {@link Occupancy} of a node that is alone. */
import type { Clock } from '../runtime/clock.js';
import { GATHER_MS, HeldMembers } from './held-members.js';
import type { Occupancy, OccupancyEdge, OccupancyListener } from './occupancy.js';

/** Most edges of one call of the listener. */
const EDGES_AT_ONCE = 500;

/** What {@link LocalOccupancy} is made of. */
export interface LocalOccupancyOptions {
  readonly clock: Clock;
  /** How long a member is kept after its last connection, in ms. */
  readonly delay: number;
}

/** Knows what it has reported, so that only edges are. */
export class LocalOccupancy implements Occupancy {
  readonly #clock: Clock;
  readonly #held: HeldMembers;
  readonly #members = new Map<string, Set<string>>();
  #listener: OccupancyListener | undefined;
  #timer: unknown;
  #seq = 0;

  constructor({ clock, delay }: LocalOccupancyOptions) {
    this.#clock = clock;
    this.#held = new HeldMembers({ clock, delay, changed: () => this.#reportSoon() });
  }

  start(listener: OccupancyListener): void {
    this.#listener = listener;
  }

  enter(group: string, member: string, note?: string): void {
    if (this.#listener !== undefined) this.#held.enter(group, member, note);
  }

  leave(group: string, member: string): void {
    if (this.#listener !== undefined) this.#held.leave(group, member);
  }

  close(): Promise<void> {
    this.#listener = undefined;
    this.#held.close();
    this.#clock.clear(this.#timer);
    return Promise.resolve();
  }

  #reportSoon(): void {
    this.#timer ??= this.#clock.after(GATHER_MS, () => this.#report());
  }

  #report(): void {
    this.#timer = undefined;
    while (this.#held.hasChanges) {
      const edges: OccupancyEdge[] = [];
      for (const { key, group, member, held } of this.#held.take(EDGES_AT_ONCE)) {
        const members = this.#members.get(group) ?? new Set<string>();
        if (members.has(member) === held) continue;
        if (held) members.add(member);
        else members.delete(member);
        if (members.size === 0) this.#members.delete(group);
        else this.#members.set(group, members);
        this.#seq = Math.max(this.#seq + 1, this.#clock.wall() * 1_000);
        const note = held ? this.#held.noteOf(key) : undefined;
        edges.push({ group, member, occupied: held, size: members.size, seq: this.#seq, note });
      }
      if (edges.length > 0) this.#listener?.onEdges(edges);
    }
  }
}
