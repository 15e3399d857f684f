/** Reads history for many holds and sessions at a time: a limited number at once, identical reads shared, within a time. */
import type { History, HistoryStart, ItemMessage, Log, Position } from '@holdfast/control-api';
import { itemBytes } from '@holdfast/grip';
import { Delivery } from '../channels/delivery.js';
import type { Clock } from '../runtime/clock.js';

/**
 * Reads under way at the same time. Others wait: a store that many clients come back to answers them in turn.
 *
 * @limit {} reads of history at a time
 * @over the others wait
 */
export const MAX_READS = 8;

/**
 * Different reads that wait. Beyond that history cannot serve: the asker goes the way it has without one.
 *
 * @limit {} reads of history that wait
 * @over history does not serve that client
 */
export const MAX_WAITING_READS = 10_000;

/**
 * Items of one page.
 *
 * @limit {} items of one page of history
 * @over the next page
 */
export const PAGE_ITEMS = 500;

/**
 * Items of one read. Who has missed more is not served from the history.
 *
 * @limit {} items that one client missed
 * @over history does not serve that client
 */
export const MAX_REPLAY_ITEMS = 10_000;

/**
 * Bytes that they take in memory, all of each item counted: as many as a whole history may on a node without Redis. As above.
 *
 * @limit {MiB} of them in memory
 * @over history does not serve
 */
export const MAX_REPLAY_BYTES = 64 * 2 ** 20;

/**
 * How long an asker waits, in ms, its turn included.
 *
 * @limit {s} that a client waits for its history
 * @over history does not serve
 */
export const READ_TIMEOUT_MS = 5_000;

/** What was missed on a channel: all of it, in order. Shared between all who have missed the same. */
export interface Missed {
  readonly deliveries: readonly Delivery[];
  /** What is at or before here is in `deliveries`, or was there before; what comes after reaches the asker live. */
  readonly end: Position;
}

interface Read {
  readonly channel: string;
  readonly start: HistoryStart;
  readonly result: Promise<Missed | undefined>;
  readonly settle: (missed: Missed | undefined) => void;
}

/** What a {@link HistoryReader} is made of. */
export interface HistoryReaderOptions {
  readonly history: History;
  readonly clock: Clock;
  readonly log: Log;
}

/** Reads whole histories from a start on. */
export class HistoryReader {
  readonly #history: History;
  readonly #clock: Clock;
  readonly #log: Log;
  /** By what is read, in order of asking. One that has begun is not here: it may have missed what a later asker misses. */
  readonly #waiting = new Map<string, Read>();
  #reading = 0;

  constructor({ history, clock, log }: HistoryReaderOptions) {
    this.#history = history;
    this.#clock = clock;
    this.#log = log;
  }

  /**
   * Reads all items after a start. `live` is what `ChannelRegistry.add` gave for the asker, whose channel has to be live
   * before anything is read, so that nothing lies between. Undefined when not all of it is there, or not in time.
   */
  read(channel: string, start: HistoryStart, live?: Promise<void>): Promise<Missed | undefined> {
    const missed = live === undefined ? this.#enter(channel, start) : live.then(() => this.#enter(channel, start));
    return this.#timed(missed);
  }

  /**
   * Where a channel stands on this node, which is to be live, or with `ago`, in ms, where it stood so long before, or earlier;
   * undefined when that cannot be found out.
   */
  head(channel: string, live?: Promise<void>, ago?: number): Promise<Position | undefined> {
    if (ago !== undefined) return this.#timed(this.#history.head(channel, ago));
    return this.#timed((live ?? Promise.resolve()).then(() => this.#history.head(channel)));
  }

  /** Where the item with this publisher's id stands; undefined where it is not kept, or that cannot be found out. */
  after(channel: string, id: string): Promise<Position | undefined> {
    const place = this.#history.read(channel, { afterId: id }, 1).then((page) => {
      const next = page?.messages[0]?.position;
      return next === undefined ? page?.end : { epoch: next.epoch, offset: next.offset - 1 };
    });
    return this.#timed(place);
  }

  #enter(channel: string, start: HistoryStart): Promise<Missed | undefined> {
    const key = `${channel.length}:${channel}${textOf(start)}`;
    const waiting = this.#waiting.get(key);
    if (waiting !== undefined) return waiting.result;
    if (this.#waiting.size >= MAX_WAITING_READS) return Promise.resolve(undefined);
    let settle: Read['settle'] = () => {};
    const result = new Promise<Missed | undefined>((resolve) => {
      settle = resolve;
    });
    this.#waiting.set(key, { channel, start, result, settle });
    // Those that come back in the same turn of the event loop share one read.
    setImmediate(() => this.#begin());
    return result;
  }

  #begin(): void {
    for (const [key, read] of this.#waiting) {
      if (this.#reading >= MAX_READS) return;
      this.#waiting.delete(key);
      this.#reading++;
      void this.#all(read).then((missed) => {
        this.#reading--;
        read.settle(missed);
        this.#begin();
      });
    }
  }

  async #all({ channel, start }: Read): Promise<Missed | undefined> {
    const messages: ItemMessage[] = [];
    let bytes = 0;
    try {
      for (let from = start; ; ) {
        const page = await this.#history.read(channel, from, PAGE_ITEMS);
        if (page === undefined) return undefined;
        for (const message of page.messages) {
          bytes += itemBytes(message.item);
          messages.push(message);
        }
        if (bytes > MAX_REPLAY_BYTES) return undefined;
        if (page.complete) return { deliveries: this.#deliveries(messages), end: page.end };
        if (messages.length >= MAX_REPLAY_ITEMS) return undefined;
        from = { after: page.end };
      }
    } catch (error) {
      this.#log.warn({ channel, err: error }, 'history cannot be read');
      return undefined;
    }
  }

  #deliveries(messages: readonly ItemMessage[]): Delivery[] {
    const now = this.#clock.monotonic();
    return messages.map(({ item, position }) => new Delivery(item, now, position));
  }

  /** Undefined when nothing has come in time, or a failure. */
  #timed<T>(promise: Promise<T | undefined>): Promise<T | undefined> {
    return new Promise((resolve) => {
      const timer = this.#clock.after(READ_TIMEOUT_MS, () => resolve(undefined));
      const settle = (value: T | undefined) => {
        this.#clock.clear(timer);
        resolve(value);
      };
      promise.then(settle, () => settle(undefined));
    });
  }
}

/** Names a start among the reads of a channel. */
function textOf(start: HistoryStart): string {
  if ('after' in start) return `p${start.after.offset}:${start.after.epoch}`;
  if ('afterId' in start) return `i${start.afterId}`;
  return start.before === undefined ? `l${start.last}` : `b${start.last}:${start.before.offset}:${start.before.epoch}`;
}
