/** Reads histories: the record of a channel that is subscribed to, what it missed, and the pages of `History`. */
import type { ControlError } from '../../../errors.js';
import type { Clock } from '../../../runtime/clock.js';
import {
  beforeHole,
  type HistoryPage,
  type HistoryStart,
  type ItemMessage,
  type LastItems,
  type Message,
  type Position,
} from '../../backplane.js';
import type { RedisCommands } from '../connection/commands.js';
import type { SubscriberConnection } from '../connection/subscribers.js';
import { decodePayload } from '../envelope.js';
import { type ConnectionWarnings, FOREIGN_KEY, type RedisEvents } from '../events.js';
import {
  type ChannelHead,
  findIdScript,
  parseFound,
  parseHeads,
  parseRange,
  parseSince,
  positionsScript,
  type Range,
  rangeScript,
  removeScript,
  sinceScript,
} from '../history-scripts.js';
import type { ChannelKeys } from '../keys.js';
import { MAX_BACKFILLS, RANGE_BYTES, RANGE_ENTRIES, RETRY_MS } from '../limits.js';
import type { Arrival, ChannelCursor, Page } from './cursor.js';

/** Interest that is not live yet, as its subscriber waits for it. */
export interface PendingInterest {
  /** When interest was declared, in ms by the monotonic clock. */
  readonly since: number;
  readonly promise: Promise<void>;
  readonly resolve: () => void;
  readonly reject: (error: ControlError) => void;
}

/** One channel. */
export interface ChannelSubscription {
  /** Undefined for the internal channel of recovers, and for feeds. */
  readonly channel: string | undefined;
  /** Of a feed: what the names of its items' channels begin with. */
  readonly prefix: string | undefined;
  readonly keys: ChannelKeys;
  /** Undefined once interest was withdrawn: what comes is dropped. */
  cursor: ChannelCursor<Message> | undefined;
  /** Until the interest is live. */
  pending: PendingInterest | undefined;
  /** Where SUBSCRIBE was sent, as long as that connection holds. */
  connection: SubscriberConnection | undefined;
  /** Its history is being read, or will be when it is its turn. */
  reading: boolean;
}

/** Makes a {@link PendingInterest}. */
export function pendingInterest(since: number): PendingInterest {
  let resolve: () => void = () => {};
  let reject: (error: ControlError) => void = () => {};
  const promise = new Promise<void>((onResolve, onReject) => {
    resolve = onResolve;
    reject = onReject;
  });
  // The caller may ignore the promise.
  promise.catch(() => {});
  return { since, promise, resolve, reject };
}

/** Catches channels up. What fails is tried again until it succeeds or is not wanted any more. */
export class Backfill {
  readonly #commands: RedisCommands;
  readonly #clock: Clock;
  readonly #events: RedisEvents;
  readonly #warnings: ConnectionWarnings;
  readonly #semaphore = new Semaphore(MAX_BACKFILLS);

  constructor(commands: RedisCommands, clock: Clock, events: RedisEvents, warnings: ConnectionWarnings) {
    this.#warnings = warnings;
    this.#commands = commands;
    this.#clock = clock;
    this.#events = events;
  }

  /** Schedules the backfill of a channel if it is behind. To be called after every input of its cursor. */
  schedule(subscription: ChannelSubscription): void {
    if (subscription.reading || subscription.cursor?.phase !== 'behind') return;
    subscription.reading = true;
    this.#semaphore.run(() => this.#read(subscription));
  }

  /** Opens a channel with what came since a moment, in ms by the clock of Redis. */
  openLate(subscription: ChannelSubscription, head: ChannelHead, since: number): void {
    const { cursor, pending } = subscription;
    if (!cursor || !pending) return;
    const { generation } = cursor;
    const isMeant = () => subscription.cursor === cursor && cursor.generation === generation;
    this.#semaphore.run(async () => {
      const { meta, stream } = subscription.keys;
      const ask = () => this.#commands.run(sinceScript, [meta, stream], [since]);
      const reply = await this.#persist(ask, isMeant);
      if (reply === undefined || !isMeant()) return;
      this.#events.historyRead();
      const { epoch, before, missing } = parseSince(reply);
      subscription.pending = undefined;
      cursor.openLate({ epoch, offset: before }, head, missing);
      pending.resolve();
      this.schedule(subscription);
    });
  }

  async #read(subscription: ChannelSubscription): Promise<void> {
    for (;;) {
      const { cursor } = subscription;
      if (cursor?.phase !== 'behind') {
        // In one step with the look at the phase, so that none waits for a reader that has ended.
        subscription.reading = false;
        return;
      }
      const { generation, after } = cursor;
      cursor.reading();
      const isMeant = () => subscription.cursor === cursor && cursor.generation === generation;
      const range = await this.#persist(() => this.range(subscription.keys, after, RANGE_ENTRIES), isMeant);
      if (range === undefined || !isMeant()) continue;
      cursor.page(pageOf(range));
      // A server that has less than another one reported, such as an old master: it will not know more at once.
      if (cursor.phase === 'behind' && cursor.after === after) await this.#pause();
    }
  }

  /** Reads history from a position on, inclusive. */
  async range(
    { meta, stream }: { readonly meta: string; readonly stream: string },
    from: Position,
    count: number,
  ): Promise<Range> {
    const reply = await this.#commands.run(rangeScript, [meta, stream], [from.epoch, from.offset, count, RANGE_BYTES]);
    this.#events.historyRead();
    const range = parseRange(reply);
    if (range.fault !== undefined) {
      const text = `the history of a channel cannot be read, and is as if it held nothing: ${FOREIGN_KEY}`;
      this.#warnings.warn({ key: stream }, new Error(range.fault), text);
    }
    return range;
  }

  /** Tries until it succeeds; undefined once it is not meant any more. */
  async #persist<T>(run: () => Promise<T>, isMeant: () => boolean): Promise<T | undefined> {
    while (isMeant()) {
      try {
        return await run();
      } catch {
        await this.#pause();
      }
    }
    return undefined;
  }

  #pause(): Promise<void> {
    return new Promise((resolve) => this.#clock.after(RETRY_MS, resolve));
  }
}

/** Turns kept entries into arrivals. */
export function pageOf({ epoch, top, lastId, entries, more }: Range): Page<Message> {
  const arrivals = entries.map(({ offset, payload, time }): Arrival<Message> => {
    const position = { epoch, offset };
    const acceptedAt = Number.isNaN(time) ? undefined : time;
    return { position, ...decodePayload(payload, position), size: payload.length, acceptedAt };
  });
  return { epoch, top, lastId, arrivals, more };
}

/** Runs tasks in the order of arrival, a limited number at the same time. Those that wait are kept, all of them. */
class Semaphore {
  readonly #limit: number;
  #waiting: Array<() => Promise<void>> = [];
  /** Those before this index have begun. After an outage a task waits for each channel: taking them out one by one is slow. */
  #begun = 0;
  #running = 0;

  constructor(limit: number) {
    this.#limit = limit;
  }

  /** The task must not reject. */
  run(task: () => Promise<void>): void {
    this.#waiting.push(task);
    this.#next();
  }

  #next(): void {
    if (this.#running >= this.#limit) return;
    const task = this.#waiting[this.#begun];
    if (!task) return;
    this.#begun += 1;
    if (this.#begun * 2 >= this.#waiting.length) {
      this.#waiting = this.#waiting.slice(this.#begun);
      this.#begun = 0;
    }
    this.#running += 1;
    void task().finally(() => {
      this.#running -= 1;
      this.#next();
    });
  }
}

/** Reads the history of a channel; see `History.read`. Rejects with the error of Redis or of the connection. */
export async function readHistory(
  commands: RedisCommands,
  backfill: Backfill,
  keys: ChannelKeys,
  start: HistoryStart,
  limit: number,
): Promise<HistoryPage | undefined> {
  if ('last' in start) return await readLast(backfill, keys, start, limit);
  let after =
    'after' in start
      ? start.after
      : parseFound(await commands.run(findIdScript, [keys.meta, keys.stream], [start.afterId]));
  if (!after) return undefined;
  // One more for the start itself, which is read along.
  const page = pageOf(await backfill.range(keys, after, limit + 1));
  // Before its first item a channel has no epoch: the first one is right.
  if (after.epoch === '') after = { epoch: page.epoch, offset: 0 };
  if (page.epoch !== after.epoch || page.top < after.offset) return undefined;
  const messages: ItemMessage[] = [];
  let end = after;
  for (const { position, message } of page.arrivals) {
    if (position.offset <= after.offset) continue;
    // A limit that the start did not use up lets one too many through.
    if (messages.length >= limit) break;
    if (position.offset !== end.offset + 1 || message?.type !== 'item') return undefined;
    if (isForAll(message)) messages.push(message);
    end = position;
  }
  if (messages.length < limit && end.offset < page.top && !page.more) return undefined;
  return { messages, end, complete: end.offset >= page.top };
}

/** An item for one subscriber is for nobody who comes later: it has its place in the history, and is left out. */
function isForAll({ item }: ItemMessage): boolean {
  return item.deliver !== 'one';
}

/** Where a channel stands in Redis. Rejects as {@link readHistory} does. */
export async function readHead(commands: RedisCommands, keys: ChannelKeys, metaTtlMs: number): Promise<Position> {
  const [head] = parseHeads(await commands.run(positionsScript, [keys.meta], [metaTtlMs]));
  if (head?.fault !== undefined) throw new Error(head.fault);
  return { epoch: head?.epoch ?? '', offset: head?.top ?? 0 };
}

/** The last items that are there, without a hole among them. */
async function readLast(
  backfill: Backfill,
  keys: ChannelKeys,
  { last, before }: LastItems,
  limit: number,
): Promise<HistoryPage | undefined> {
  const from =
    before === undefined ? { epoch: '', offset: -last } : { ...before, offset: Math.max(1, before.offset - last) };
  const page = pageOf(await backfill.range(keys, from, Math.min(last, limit)));
  if (before !== undefined && (before.epoch !== page.epoch || before.offset > page.top + 1)) return undefined;
  const { epoch } = page;
  const top = before === undefined ? page.top : before.offset - 1;
  let messages: (ItemMessage & { readonly position: Position })[] = [];
  let next = 0;
  for (const { position, message } of page.arrivals) {
    if (position.offset > top || messages.length >= limit) break;
    if (position.offset !== next) messages = [];
    next = position.offset + 1;
    if (message?.type !== 'item') messages = [];
    else if (isForAll(message)) messages.push({ ...message, position });
  }
  const end = { epoch, offset: next === 0 ? top : next - 1 };
  return { messages, end, complete: end.offset >= top };
}

/** Where a channel stood at a moment by `performance.now`; see `History.head`. Rejects as {@link readHistory} does. */
export async function readStand(
  commands: RedisCommands,
  keys: ChannelKeys,
  metaTtlMs: number,
  at: number,
): Promise<Position> {
  const [head] = parseHeads(await commands.run(positionsScript, [keys.meta], [metaTtlMs]));
  if (head === undefined) return { epoch: '', offset: 0 };
  if (head.fault !== undefined) throw new Error(head.fault);
  // Redis has looked at its clock before the reply came: the moment was no later than this by that clock, in whole ms.
  const since = Math.floor(head.now - (performance.now() - at)) - 1;
  if (head.top === 0 || head.time < since) return { epoch: head.epoch, offset: head.top };
  const { epoch, before, missing } = parseSince(await commands.run(sinceScript, [keys.meta, keys.stream], [since]));
  return missing === undefined ? { epoch, offset: before } : beforeHole(epoch, before + 1);
}

/** See `History.remove`. Rejects as {@link readHistory} does. */
export async function removeHistory(commands: RedisCommands, keys: ChannelKeys): Promise<void> {
  await commands.run(removeScript, [keys.stream], []);
}
