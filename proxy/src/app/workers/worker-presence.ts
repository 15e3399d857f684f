/** How a worker says to its primary who joins and leaves channels: in batches, as what happens in one turn of the event loop is often much. */
import type { OccupancyCounts } from '@holdfast/control-api';
import type { Channel } from './channel.js';

/** The topic of the channel between the two. */
export const PRESENCE_TOPIC = 'presence';

/** Rows of one notification. */
const ROWS_AT_ONCE = 1_000;

/** A member enters, perhaps with a note, or leaves. */
export type PresenceRow =
  | readonly ['enter', group: string, member: string, note?: string]
  | readonly ['leave', group: string, member: string];

/** The worker's end. The order of the calls is kept. */
export class WorkerPresence implements OccupancyCounts {
  readonly #channel: Pick<Channel, 'notify'>;
  #rows: PresenceRow[] = [];

  constructor(channel: Pick<Channel, 'notify'>) {
    this.#channel = channel;
  }

  enter(group: string, member: string, note?: string): void {
    this.#add(note === undefined ? ['enter', group, member] : ['enter', group, member, note]);
  }

  leave(group: string, member: string): void {
    this.#add(['leave', group, member]);
  }

  #add(row: PresenceRow): void {
    if (this.#rows.push(row) === 1) setImmediate(() => this.#send());
    else if (this.#rows.length >= ROWS_AT_ONCE) this.#send();
  }

  #send(): void {
    const rows = this.#rows;
    if (rows.length === 0) return;
    this.#rows = [];
    const bytes = rows.reduce((sum, [, ...texts]) => sum + texts.join('').length, 0);
    void this.#channel.notify(PRESENCE_TOPIC, rows, bytes);
  }
}

/** The primary's end: does what a worker says. */
export function carryOut(rows: readonly PresenceRow[], counts: OccupancyCounts): void {
  for (const [what, group, member, note] of rows) {
    if (what === 'enter') counts.enter(group, member, note);
    else counts.leave(group, member);
  }
}
