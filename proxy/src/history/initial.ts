/** What clients that are new on a channel begin with: its last items, or those since a position. Many of them share one read. */
import type { Position } from '@holdfast/control-api';
import type { Initial } from '@holdfast/grip';
import { channelOf } from '../routes/channel-name.js';
import type { Route } from '../routes/route.js';
import type { Clock, Timer } from '../runtime/clock.js';
import type { HistoryReader, Missed } from './reader.js';

/**
 * How long the last items of a channel are kept for those who come next, in ms: a history that is deleted is not given out for longer.
 *
 * @limit {s} for which the last items of a channel are kept for the next clients that begin with them
 * @over they are read again
 */
export const INITIAL_KEPT_MS = 5_000;

/**
 * Bytes of them, over all channels of a process.
 *
 * @limit {MiB} of last items that are kept for the next clients
 * @over those that were read first are read again
 */
export const INITIAL_KEPT_BYTES = 16 * 2 ** 20;

/** What a channel costs beside its items: channels without any may be many. */
const KEPT_OVERHEAD = 1_024;

interface Shared {
  readonly channel: string;
  /** How many items. */
  readonly last: number;
  readonly missed: Promise<Missed | undefined>;
  /** Once it is there. */
  bytes: number;
  timer: Timer | undefined;
}

/** What it is made of. */
export interface InitialItemsDeps {
  readonly reader: Pick<HistoryReader, 'read'>;
  readonly clock: Clock;
  /** Up to where items of a channel have come to this node, since it has interest; undefined where none has. */
  readonly arrived: (channel: string) => Position | undefined;
}

/**
 * Reads what new clients begin with. A read is shared as long as nothing has come to this node that is not among it: who comes then
 * gets all that it lacks live.
 */
export class InitialItems {
  readonly #deps: InitialItemsDeps;
  /** By channel, the one that was asked for first before the others, and by number. */
  readonly #shared = new Map<string, Map<number, Shared>>();
  #bytes = 0;

  constructor(deps: InitialItemsDeps) {
    this.#deps = deps;
  }

  /**
   * To be called in the step that registers the client on the channel; `live` is what `ChannelRegistry.add` gave. Undefined where
   * the history cannot say.
   */
  read(channel: string, initial: Initial, live: Promise<void> | undefined): Promise<Missed | undefined> {
    const { reader, arrived } = this.#deps;
    if ('since' in initial) return reader.read(channel, { after: initial.since }, live);
    return this.#last(channel, initial.last, live, arrived(channel));
  }

  /** This node has no interest in a channel any more: what comes now does not come to it. */
  forget(channel: string): void {
    for (const shared of this.#shared.get(channel)?.values() ?? []) this.#drop(shared);
  }

  /** Bytes of what is kept. */
  get bytes(): number {
    return this.#bytes;
  }

  async #last(
    channel: string,
    last: number,
    live: Promise<void> | undefined,
    needed: Position | undefined,
  ): Promise<Missed | undefined> {
    const shared = this.#shared.get(channel)?.get(last) ?? this.#begin(channel, last, live);
    const missed = await shared.missed;
    if (missed === undefined || covers(missed.end, needed)) return missed;
    // Items went by between, which are in the history by now. Another read than this one has begun since.
    this.#drop(shared);
    return (this.#shared.get(channel)?.get(last) ?? this.#begin(channel, last, live)).missed;
  }

  #begin(channel: string, last: number, live: Promise<void> | undefined): Shared {
    const missed = this.#deps.reader.read(channel, { last }, live);
    const shared: Shared = { channel, last, missed, bytes: 0, timer: undefined };
    const all = this.#shared.get(channel) ?? new Map<number, Shared>();
    this.#shared.set(channel, all);
    all.set(last, shared);
    void missed.then((found) => this.#keep(shared, found));
    return shared;
  }

  #keep(shared: Shared, missed: Missed | undefined): void {
    if (this.#shared.get(shared.channel)?.get(shared.last) !== shared) return;
    if (missed === undefined) {
      this.#drop(shared);
      return;
    }
    shared.bytes = KEPT_OVERHEAD;
    for (const { bytes } of missed.deliveries) shared.bytes += bytes;
    this.#bytes += shared.bytes;
    shared.timer = this.#deps.clock.after(INITIAL_KEPT_MS, () => this.#drop(shared));
    if (this.#bytes > INITIAL_KEPT_BYTES) this.#shrink();
  }

  /** Those that are still read take nothing yet. */
  #shrink(): void {
    for (const all of this.#shared.values()) {
      for (const shared of all.values()) {
        if (this.#bytes <= INITIAL_KEPT_BYTES) return;
        if (shared.bytes > 0) this.#drop(shared);
      }
    }
  }

  #drop(shared: Shared): void {
    const { channel, last } = shared;
    const all = this.#shared.get(channel);
    if (all?.get(last) === shared) {
      all.delete(last);
      if (all.size === 0) this.#shared.delete(channel);
    }
    this.#deps.clock.clear(shared.timer);
    this.#bytes -= shared.bytes;
    shared.bytes = 0;
  }
}

/** Whether all up to a position is among what ends here. */
function covers(end: Position, needed: Position | undefined): boolean {
  return needed === undefined || (end.epoch === needed.epoch && end.offset >= needed.offset);
}

/** A channel by its full name, and what its new client begins with. */
export interface InitialWish {
  readonly channel: string;
  readonly initial: Initial;
}

/** The position before the first of these items, from which they are the next; where there are none, where they end. */
export function beginningOf({ deliveries, end }: Missed): Position {
  const first = deliveries[0]?.position;
  return first === undefined ? end : { epoch: first.epoch, offset: first.offset - 1 };
}

/** The wishes among the channels of an instruct; undefined where there are none, as almost always. The last of a name counts. Patterns have none. */
export function initialWishes(
  channels: readonly { readonly name: string; readonly isPattern?: true; readonly initial?: Initial }[],
  route: Route,
): readonly InitialWish[] | undefined {
  let found: Map<string, Initial> | undefined;
  for (const { name, initial, isPattern } of channels) {
    const channel = initial === undefined || isPattern ? undefined : channelOf(route, name);
    if (channel === undefined || initial === undefined) continue;
    found ??= new Map();
    found.set(channel, initial);
  }
  return found && [...found].map(([channel, initial]) => ({ channel, initial }));
}
