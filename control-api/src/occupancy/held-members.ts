/** What one node has: connections by group and member, those that have just gone included, and what of it has yet to be reported. */
import type { Clock } from '../runtime/clock.js';
import { keyOf, type OccupancyCounts } from './occupancy.js';

/** For how long changes are gathered before they are reported, in ms. */
export const GATHER_MS = 20;

/** A member whose state has to be reported. */
export interface HeldChange {
  readonly key: string;
  readonly group: string;
  readonly member: string;
  /** Whether this node has it. */
  readonly held: boolean;
}

interface Held {
  readonly group: string;
  readonly member: string;
  readonly note: string | undefined;
  /** 0 while it is kept for who comes back. */
  connections: number;
}

/** What {@link HeldMembers} are made of. */
export interface HeldMembersOptions {
  readonly clock: Clock;
  /** How long a member is kept after its last connection, in ms. */
  readonly delay: number;
  /** Something has to be reported. Called for each change. */
  readonly changed: () => void;
}

/**
 * Only the latest state of a member is ever reported: one that came and went in between is reported as gone, which changes nothing for
 * who never knew of it. So reports can be repeated, and what failed can be reported later.
 */
export class HeldMembers implements OccupancyCounts {
  readonly #clock: Clock;
  readonly #delay: number;
  readonly #changed: () => void;
  readonly #held = new Map<string, Held>();
  /** Key → when it is given up, by the monotonic clock. In that order, as the delay is the same for all. */
  readonly #leaving = new Map<string, number>();
  /** Not reported yet. */
  readonly #changes = new Map<string, Pick<Held, 'group' | 'member'>>();
  #timer: unknown;

  constructor({ clock, delay, changed }: HeldMembersOptions) {
    this.#clock = clock;
    this.#delay = delay;
    this.#changed = changed;
  }

  enter(group: string, member: string, note?: string): void {
    const key = keyOf(group, member);
    const held = this.#held.get(key);
    if (held !== undefined) {
      held.connections++;
      this.#leaving.delete(key);
      return;
    }
    this.#held.set(key, { group, member, note, connections: 1 });
    this.#change(key, { group, member });
  }

  leave(group: string, member: string): void {
    const key = keyOf(group, member);
    const held = this.#held.get(key);
    if (held === undefined || held.connections === 0) return;
    held.connections--;
    if (held.connections > 0) return;
    if (this.#delay === 0) {
      this.#giveUp(key);
      return;
    }
    this.#leaving.set(key, this.#clock.monotonic() + this.#delay);
    this.#timer ??= this.#clock.after(this.#delay, () => this.#look());
  }

  /** At most so many changes, which count as reported from here on. */
  take(limit: number): readonly HeldChange[] {
    const taken: HeldChange[] = [];
    for (const [key, { group, member }] of this.#changes) {
      if (taken.length >= limit) break;
      this.#changes.delete(key);
      taken.push({ key, group, member, held: this.#held.has(key) });
    }
    return taken;
  }

  /** These could not be reported: what they are about is, later and as it is then. */
  putBack(changes: readonly HeldChange[]): void {
    for (const { key, group, member } of changes) this.#changes.set(key, { group, member });
  }

  /** All that this node has is to be reported, as if nobody knew of it. */
  renew(): void {
    for (const [key, { group, member }] of this.#held) this.#changes.set(key, { group, member });
  }

  /** Whether something has to be reported. */
  get hasChanges(): boolean {
    return this.#changes.size > 0;
  }

  /** What the first connection with the member brought along. */
  noteOf(key: string): string | undefined {
    return this.#held.get(key)?.note;
  }

  /** Gives nothing up any more. */
  close(): void {
    this.#clock.clear(this.#timer);
    this.#timer = undefined;
    this.#leaving.clear();
  }

  #look(): void {
    this.#timer = undefined;
    const now = this.#clock.monotonic();
    for (const [key, due] of this.#leaving) {
      if (due > now) {
        this.#timer = this.#clock.after(due - now, () => this.#look());
        return;
      }
      this.#leaving.delete(key);
      this.#giveUp(key);
    }
  }

  #giveUp(key: string): void {
    const held = this.#held.get(key);
    if (held === undefined) return;
    this.#held.delete(key);
    this.#change(key, held);
  }

  #change(key: string, { group, member }: Pick<Held, 'group' | 'member'>): void {
    this.#changes.set(key, { group, member });
    this.#changed();
  }
}
