/** How far this node is in one channel: a pure state machine that delivers once and in order, and finds what is missing. */
import type { Gap, Position } from '../../backplane.js';

/** A message that came by pub/sub or from the history. */
export interface Arrival<M> {
  readonly position: Position;
  /** The id of the message, by which items at the same offset are distinguished. */
  readonly id: string;
  /** Length of the payload. */
  readonly size: number;
  /** Undefined if it could not be understood: it then counts as lost. */
  readonly message: M | undefined;
  /** When it was accepted, in ms by the clock of the store; left out where that is not known. */
  readonly acceptedAt?: number | undefined;
}

/** Where a channel was, reported on the connection of its messages: those up to `top` came before it, or never will. */
export interface Barrier {
  /** Empty if the channel had no item. */
  readonly epoch: string;
  readonly top: number;
  readonly lastId: string;
}

/** A part of the history, beginning at the cursor's own offset, or with the oldest item if the epoch is another. */
export interface Page<M> extends Barrier {
  readonly arrivals: readonly Arrival<M>[];
  readonly more: boolean;
}

/** Where a cursor puts what it finds. May withdraw the cursor's interest from within. */
export interface CursorSink<M> {
  deliver(message: M, acceptedAt: number | undefined): void;
  gap(gap: Omit<Gap, 'channel'>): void;
  /** So many delivered messages were found in the history. */
  filled(messages: number): void;
}

/** How much a cursor keeps while it waits for the history. */
export interface CursorLimits {
  readonly messages: number;
  readonly size: number;
  /** What all cursors of a node keep together. */
  readonly total: HeldTotal;
}

/** How much is kept by all cursors that share it. */
export interface HeldTotal {
  size: number;
  readonly limit: number;
}

/**
 * `opening` and `lost` wait for a barrier, the second after the connection was lost; `behind` waits for pages; `live`
 * waits for nothing.
 */
export type CursorPhase = 'opening' | 'live' | 'behind' | 'lost' | 'closed';

/** Before a channel's first item: the first epoch is right. */
const NOTHING: Position = { epoch: '', offset: 0 };

/** The cursor of one channel. While {@link phase} is `behind`, the caller reads pages after {@link after}. */
export class ChannelCursor<M> {
  readonly #sink: CursorSink<M>;
  readonly #limits: CursorLimits;
  #phase: CursorPhase = 'opening';
  #after: Position = NOTHING;
  /** Id of the message at `#after`; undefined if not known. */
  #lastId: string | undefined;
  /** The item at `#after` may have been replaced by another: pages are to be compared with `#lastId`. */
  #unverified = false;
  /** The last position known to be taken: what lies before it and has not come must be read from the history. */
  #seen: Position = NOTHING;
  #held: Arrival<M>[] = [];
  #heldSize = 0;
  /** How many of the held messages came before the page was asked for, and so before the history was read. */
  #heldBefore = 0;
  /** Where the channel stood at least, when the page was asked for. */
  #expected: Position = NOTHING;
  #generation = 0;

  constructor(sink: CursorSink<M>, limits: CursorLimits) {
    this.#sink = sink;
    this.#limits = limits;
  }

  get phase(): CursorPhase {
    return this.#phase;
  }

  /** The last message that was delivered, or is known to be lost. */
  get after(): Position {
    return this.#after;
  }

  /** Changes whenever pages that were asked for earlier are of no use any more. */
  get generation(): number {
    return this.#generation;
  }

  /** How many messages wait. */
  get held(): number {
    return this.#held.length;
  }

  /** The first barrier: everything later is delivered, nothing earlier. */
  open({ epoch, top, lastId }: Barrier): void {
    this.#openAt({ epoch, offset: top }, lastId);
  }

  /**
   * As {@link open}, but what came after `before` is to be delivered as well. `missing`: items up to this offset may be
   * missing, as the history does not reach back to when they came.
   */
  openLate(before: Position, barrier: Barrier, missing: number | undefined): void {
    if (this.#phase !== 'opening') return;
    if (missing !== undefined) {
      this.#gap('trimmed', { epoch: before.epoch, offset: 0 }, { epoch: before.epoch, offset: missing });
    }
    if (barrier.epoch === before.epoch) this.#see({ epoch: barrier.epoch, offset: barrier.top });
    this.#openAt(before, undefined);
  }

  /** A message came by pub/sub. */
  live(arrival: Arrival<M>): void {
    if (this.#phase === 'closed') return;
    if (this.#phase !== 'live') this.#hold(arrival);
    else if (!this.#continue(arrival)) {
      this.#hold(arrival);
      this.#phase = 'behind';
    }
  }

  /** The connection of the messages was lost. */
  lose(): void {
    if (this.#phase === 'closed') return;
    this.#drop();
    this.#seen = NOTHING;
    this.#generation += 1;
    this.#unverified = true;
    if (this.#phase !== 'opening') this.#phase = 'lost';
  }

  /** A barrier after the first one: anew after the connection was lost, or to check a quiet channel. */
  check(barrier: Barrier): void {
    if (this.#phase === 'closed') return;
    if (this.#phase === 'opening') {
      this.open(barrier);
      return;
    }
    const { epoch, top } = barrier;
    const after = this.#after;
    this.#seen = { epoch, offset: top };
    if (after.epoch !== epoch || after.offset > top) this.#unverified = true;
    if (this.#phase === 'behind') return;
    if (this.#isAt(barrier)) {
      this.#lastId = barrier.lastId;
      this.#unverified = false;
      this.#resume();
      return;
    }
    if (after.offset === top) this.#unverified = true;
    this.#phase = 'behind';
  }

  /** A page is asked for now. */
  reading(): void {
    this.#heldBefore = this.#held.length;
    this.#expected = { epoch: this.#after.epoch, offset: this.#target() };
  }

  /** The page that was asked for last, if {@link generation} is the same as then. */
  page(page: Page<M>): void {
    if (this.#phase !== 'behind') return;
    const isOther = this.#after.epoch !== page.epoch;
    if (this.#unverified || isOther || this.#isBelow(page)) this.#compare(page);
    // The sink may have closed the cursor meanwhile.
    if (this.#phase !== 'behind') return;
    this.#unverified = false;
    this.#merge(page);
  }

  /** Nothing is delivered any more. */
  close(): void {
    this.#phase = 'closed';
    this.#drop();
    this.#generation += 1;
  }

  /** Takes a message that is next, or was there before; false if others should have come first. */
  #continue(arrival: Arrival<M>): boolean {
    const { epoch, offset } = arrival.position;
    if (this.#after.epoch === '') this.#after = { epoch, offset: 0 };
    if (epoch !== this.#after.epoch) {
      this.#unverified = true;
      return false;
    }
    if (offset <= this.#after.offset) return true;
    if (offset > this.#after.offset + 1 || arrival.message === undefined) return false;
    this.#deliver(arrival);
    return true;
  }

  #isAt({ epoch, top, lastId }: Barrier): boolean {
    if (this.#after.epoch !== epoch || this.#after.offset !== top) return false;
    return this.#lastId === undefined || this.#lastId === lastId;
  }

  #openAt(after: Position, lastId: string | undefined): void {
    if (this.#phase !== 'opening') return;
    this.#after = after.epoch === '' ? NOTHING : after;
    this.#lastId = lastId;
    this.#unverified = false;
    this.#resume();
  }

  /** What was held is looked at in order, as if it came now; the first hole ends that. */
  #resume(): void {
    const held = this.#held;
    this.#drop();
    this.#phase = 'live';
    for (const arrival of held) this.live(arrival);
    if (this.#phase === 'live' && this.#target() > this.#after.offset) this.#phase = 'behind';
  }

  /** Decides whether the page continues what was delivered, and if not, reports the gap and begins anew. */
  #compare(page: Page<M>): void {
    const after = this.#after;
    const [first] = page.arrivals;
    if (after.epoch === '') {
      this.#after = page.epoch === '' ? NOTHING : { epoch: page.epoch, offset: 0 };
    } else if (page.epoch !== after.epoch) {
      this.#begin({ epoch: page.epoch, offset: this.#firstOf(page) - 1 }, undefined, page);
      this.#gap('epoch', after, undefined);
    } else if (this.#isBelow(page) || page.top < after.offset || !this.#isSame(page, first)) {
      // Which of the kept items were delivered before is not known: to deliver them could be to deliver them twice.
      this.#begin({ epoch: page.epoch, offset: page.top }, page.lastId, page);
      this.#gap('rewound', after, undefined);
    } else if (
      after.offset > 0 &&
      this.#lastId !== undefined &&
      page.top > after.offset &&
      first?.position.offset !== after.offset
    ) {
      // What followed cannot be distinguished from what another item in this place may have been followed by.
      const offset = this.#firstOf(page) - 1;
      this.#begin({ epoch: page.epoch, offset }, undefined, page);
      this.#gap('trimmed', after, offset > after.offset ? { epoch: page.epoch, offset } : undefined);
    }
  }

  /** The store has less than it is known to have had. */
  #isBelow({ epoch, top }: Page<M>): boolean {
    return epoch === this.#expected.epoch && top < this.#expected.offset;
  }

  #isSame(page: Page<M>, first: Arrival<M> | undefined): boolean {
    if (this.#after.offset === 0 || this.#lastId === undefined) return true;
    if (page.top === this.#after.offset) return page.lastId === this.#lastId;
    return first?.position.offset !== this.#after.offset || first.id === this.#lastId;
  }

  /** The first item that is there, kept or held; the next one to come if there is none. */
  #firstOf({ epoch, top, arrivals }: Page<M>): number {
    let first = arrivals[0]?.position.offset ?? top + 1;
    for (const { position } of this.#held) if (position.epoch === epoch) first = Math.min(first, position.offset);
    return first;
  }

  #begin(after: Position, lastId: string | undefined, { epoch, top }: Page<M>): void {
    this.#after = after.epoch === '' ? NOTHING : after;
    this.#lastId = lastId;
    this.#seen = { epoch, offset: top };
  }

  /** Delivers the page and what was held, as far as nothing is missing; what is lost for good is reported as a gap. */
  #merge({ top, arrivals, more }: Page<M>): void {
    const known = new Map<number, Arrival<M>>();
    const { epoch } = this.#after;
    for (const arrival of this.#held) if (arrival.position.epoch === epoch) known.set(arrival.position.offset, arrival);
    for (const arrival of arrivals) if (arrival.position.epoch === epoch) known.set(arrival.position.offset, arrival);
    const target = this.#target();
    // Of what comes later than the page, nothing is known to be missing.
    const last = more ? (arrivals.at(-1)?.position.offset ?? this.#after.offset) : top;
    // What is beyond the target, and not there, is still on its way.
    const lostUntil = Math.min(target, last);
    const fromHistory = new Set(arrivals);
    let filled = 0;
    for (const offset of [...known.keys()].sort((a, b) => a - b)) {
      const arrival = known.get(offset);
      if (!arrival || offset <= this.#after.offset) continue;
      if (offset > this.#after.offset + 1) {
        if (offset - 1 > lostUntil) break;
        this.#skip(offset - 1);
      }
      if (arrival.message === undefined) this.#skip(offset);
      else {
        this.#deliver(arrival);
        if (fromHistory.has(arrival)) filled += 1;
      }
      if (this.#phase !== 'behind') return;
    }
    if (filled > 0) this.#sink.filled(filled);
    if (!more && this.#after.offset < lostUntil) this.#skip(lostUntil);
    if (this.#phase !== 'behind') return;
    this.#release();
    if (this.#after.offset >= target) this.#resume();
  }

  /** Forgets what was held and is not needed any more. */
  #release(): void {
    const { epoch, offset } = this.#after;
    // Another epoch that came before the history was read is over; one that came since may be the next.
    const rest = this.#held.filter(({ position }, i) =>
      position.epoch === epoch ? position.offset > offset : i >= this.#heldBefore,
    );
    this.#held = rest;
    this.#heldBefore = 0;
    this.#weigh(rest.reduce((sum, { size }) => sum + size, 0));
  }

  #target(): number {
    let target = this.#seen.epoch === this.#after.epoch ? this.#seen.offset : 0;
    for (const { position } of this.#held) {
      if (position.epoch === this.#after.epoch) target = Math.max(target, position.offset);
    }
    return target;
  }

  #see(position: Position): void {
    if (position.epoch !== this.#seen.epoch || position.offset > this.#seen.offset) this.#seen = position;
  }

  #hold(arrival: Arrival<M>): void {
    this.#see(arrival.position);
    const { messages, size, total } = this.#limits;
    if (this.#held.length >= messages || this.#heldSize + arrival.size > size) this.#drop();
    // It has been seen, so it is read from the history in its turn.
    if (total.size + arrival.size > total.limit) return;
    this.#held.push(arrival);
    this.#weigh(this.#heldSize + arrival.size);
  }

  #weigh(size: number): void {
    this.#limits.total.size += size - this.#heldSize;
    this.#heldSize = size;
  }

  #drop(): void {
    this.#held = [];
    this.#weigh(0);
    this.#heldBefore = 0;
  }

  #deliver({ position, id, message, acceptedAt }: Arrival<M>): void {
    this.#after = position;
    this.#lastId = id;
    this.#sink.deliver(message as M, acceptedAt);
  }

  /** Everything up to an offset is lost. */
  #skip(offset: number): void {
    const after = this.#after;
    this.#after = { epoch: after.epoch, offset };
    this.#lastId = undefined;
    this.#gap('trimmed', after, this.#after);
  }

  #gap(reason: Gap['reason'], after: Position, until: Position | undefined): void {
    this.#sink.gap({ reason, after, until });
  }
}
