/**
 * The order of items on each channel by their prev-ids: which item passes, which waits, and for how long. Duplicates are the
 * backplane's to find.
 */
import type { ItemMessage } from '@holdfast/control-api';
import { ITEM_OVERHEAD, type Item, itemBytes } from '@holdfast/grip';
import type { Clock, Timer } from '../runtime/clock.js';

/**
 * How many items may wait on one channel. Beyond that the one that has waited longest passes early.
 *
 * @limit {} items that wait on a channel for the item before them
 * @over the one that has waited longest passes early, counted
 */
export const MAX_WAITING_PER_CHANNEL = 100;

/**
 * How many items may wait on one node. Beyond that the item that has waited longest on the channel of the newest passes
 * early, which may be the newest itself.
 *
 * @limit {} such items on the node
 * @over the one that has waited longest passes early, counted
 */
export const MAX_WAITING = 10_000;

/**
 * How many bytes the items that wait on one channel, and on one node, may take in memory, all of each item counted. Beyond
 * that as many pass early as it takes, as above.
 *
 * @limit {MiB} of such items on a channel
 * @over the oldest pass early until the rest fits, counted
 */
export const MAX_WAITING_BYTES_PER_CHANNEL = 16 * 2 ** 20;

/**
 * See {@link MAX_WAITING_BYTES_PER_CHANNEL}.
 *
 * @limit {MiB} of such items on the node
 * @over the oldest pass early until the rest fits, counted
 */
export const MAX_WAITING_BYTES = 64 * 2 ** 20;

/** Why an item that waited passes: the item before it has, its time is up, too many wait, or the node goes down. */
export type ReleaseCause = 'predecessor' | 'timeout' | 'overflow' | 'shutdown';

/** Counts what the sequencer does; implemented by the metrics. */
export interface SequencerEvents {
  /** An item has come before the one that it names, and waits. */
  itemHeld(): void;
  /** An item that waited has passed. */
  itemReleased(cause: ReleaseCause): void;
  /** So many waiting items were dropped, because nobody is subscribed to their channel any more. */
  itemsAbandoned(count: number): void;
}

/** What a {@link Sequencer} is made of. */
export interface SequencerOptions {
  readonly clock: Clock;
  /** How long an item may wait for the one before it, in ms; 0 or less lets every item pass. */
  readonly messageWait: number;
  /** {@link MAX_WAITING_PER_CHANNEL} if left out. */
  readonly maxWaitingPerChannel?: number;
  /** {@link MAX_WAITING} if left out. */
  readonly maxWaiting?: number;
  /** Takes each item as it passes, one after the other. Must not throw; may call any method of the sequencer. */
  readonly release: (message: ItemMessage) => void;
  readonly events: SequencerEvents;
}

interface Waiting {
  readonly message: ItemMessage;
  readonly bytes: number;
  readonly timer: Timer;
}

/** What is known of a channel; there is no entry for one of which nothing is. */
interface Sequence {
  lastId: string | undefined;
  /** In order of arrival. Short enough to be searched. */
  readonly waiting: Waiting[];
  /** Of those that wait. */
  bytes: number;
}

/**
 * Puts the items of each channel in order. For channels with subscribers only, and after duplicates are gone.
 *
 * - An item waits if it names another item than the last one that passed, or one that itself waits. It follows as soon
 *   as that one passes; several that name the same one follow in order of arrival.
 * - It waits for `messageWait` at most, to the millisecond. Then it passes anyway, after those before it in its chain that
 *   have come.
 * - So no item passes twice or is lost, none passes later than `messageWait` after it came, and of two items of which one
 *   names the other, the other passes first if it comes before the one has passed.
 * - An item without id passes by the same rules and makes the last id unknown: the next item then need not wait. A
 *   `no-seq` item passes at once and changes nothing.
 */
export class Sequencer {
  readonly #clock: Clock;
  readonly #messageWait: number;
  readonly #maxWaitingPerChannel: number;
  readonly #maxWaiting: number;
  readonly #release: (message: ItemMessage) => void;
  readonly #events: SequencerEvents;
  readonly #sequences = new Map<string, Sequence>();
  #waiting = 0;
  #bytes = 0;

  constructor(options: SequencerOptions) {
    this.#clock = options.clock;
    this.#messageWait = options.messageWait;
    this.#maxWaitingPerChannel = options.maxWaitingPerChannel ?? MAX_WAITING_PER_CHANNEL;
    this.#maxWaiting = options.maxWaiting ?? MAX_WAITING;
    this.#release = options.release;
    this.#events = options.events;
  }

  /** Takes an item in order of arrival. `release` may be called for it and for others before this returns. */
  offer(message: ItemMessage): void {
    const { item } = message;
    if (item.noSeq) {
      this.#release(message);
      return;
    }
    if (this.#mustWait(item)) this.#hold(message);
    else this.#pass(message);
  }

  /** Id of the last item that passed on a channel, if it had one and the channel was not forgotten since. */
  lastId(channel: string): string | undefined {
    return this.#sequences.get(channel)?.lastId;
  }

  /**
   * A hold has found that it has missed items of this channel: the last id is unknown from now on, so that the next
   * hold is not found wanting for the same reason. What waits goes on waiting.
   */
  forgetLastId(channel: string): void {
    const sequence = this.#sequences.get(channel);
    if (sequence === undefined) return;
    sequence.lastId = undefined;
    if (sequence.waiting.length === 0) this.#sequences.delete(channel);
  }

  /** All last ids are unknown from now on, as after a `recover`. What waits goes on waiting, its time unchanged. */
  forgetLastIds(): void {
    for (const channel of [...this.#sequences.keys()]) this.forgetLastId(channel);
  }

  /** The last subscriber of a channel has gone: its last id is forgotten, and what waits is dropped. */
  forget(channel: string): void {
    const sequence = this.#sequences.get(channel);
    if (sequence === undefined) return;
    this.#sequences.delete(channel);
    const { length } = sequence.waiting;
    if (length === 0) return;
    this.#waiting -= length;
    this.#bytes -= sequence.bytes;
    for (const { timer } of sequence.waiting.splice(0)) this.#clock.clear(timer);
    this.#events.itemsAbandoned(length);
  }

  /** The node goes down: what waits passes now, while there is somebody to take it. */
  finish(): void {
    for (const sequence of [...this.#sequences.values()]) {
      for (let first = sequence.waiting[0]; first !== undefined; first = sequence.waiting[0]) {
        this.#letPass(first, 'shutdown');
      }
    }
  }

  /** How many items wait, on all channels. */
  get waiting(): number {
    return this.#waiting;
  }

  /** Of how many channels something is known: no more than have subscribers, if `forget` is called as it should be. */
  get channels(): number {
    return this.#sequences.size;
  }

  #mustWait({ channel, prevId }: Item): boolean {
    if (prevId === undefined || this.#messageWait <= 0) return false;
    const sequence = this.#sequences.get(channel);
    if (sequence === undefined || sequence.lastId === prevId) return false;
    return sequence.lastId !== undefined || sequence.waiting.some(({ message }) => message.item.id === prevId);
  }

  #hold(message: ItemMessage): void {
    const { channel } = message.item;
    // There is one, or the item need not wait.
    const sequence = this.#sequences.get(channel) as Sequence;
    const bytes = itemBytes(message.item) + ITEM_OVERHEAD;
    const timer = this.#clock.after(this.#messageWait, () => this.#letPass(entry, 'timeout'));
    const entry: Waiting = { message, bytes, timer };
    sequence.waiting.push(entry);
    sequence.bytes += bytes;
    this.#waiting++;
    this.#bytes += bytes;
    this.#events.itemHeld();
    // Only now, for the new item may be what the oldest was waiting for. The subscriber of one may make the others go too.
    for (let first = sequence.waiting[0]; first !== undefined && this.#isOver(sequence); first = sequence.waiting[0]) {
      this.#letPass(first, 'overflow');
    }
  }

  #isOver({ waiting, bytes }: Sequence): boolean {
    return (
      waiting.length > this.#maxWaitingPerChannel ||
      this.#waiting > this.#maxWaiting ||
      bytes > MAX_WAITING_BYTES_PER_CHANNEL ||
      this.#bytes > MAX_WAITING_BYTES
    );
  }

  /** Ends the waiting of an item, and of all that wait before it in its chain: they pass first. */
  #letPass(entry: Waiting, cause: ReleaseCause): void {
    const { channel } = entry.message.item;
    const sequence = this.#sequences.get(channel);
    if (sequence === undefined) return;
    const { waiting } = sequence;
    const chain = new Set([entry]);
    let first = entry;
    for (;;) {
      const { prevId } = first.message.item;
      const before = waiting.find(({ message }) => message.item.id === prevId);
      // A chain that names itself has no beginning.
      if (before === undefined || chain.has(before)) break;
      chain.add(before);
      first = before;
    }
    this.#take(sequence, first);
    this.#events.itemReleased(cause);
    this.#pass(first.message);
  }

  /** Lets an item pass, and after it all that wait for it, for those, and so on. */
  #pass(message: ItemMessage): void {
    const { channel, id } = message.item;
    this.#emit(message);
    if (id === undefined) return;
    let passed: string[] | undefined;
    for (let next = 0; ; ) {
      // Looked up each time: what takes an item may have been the last subscriber.
      const sequence = this.#sequences.get(channel);
      if (sequence === undefined || sequence.waiting.length === 0) return;
      passed ??= [id];
      if (next === passed.length) return;
      const before = passed[next];
      const entry = sequence.waiting.find(({ message }) => message.item.prevId === before);
      if (entry === undefined) {
        next++;
        continue;
      }
      this.#take(sequence, entry);
      this.#events.itemReleased('predecessor');
      this.#emit(entry.message);
      if (entry.message.item.id !== undefined) passed.push(entry.message.item.id);
    }
  }

  /** The last id is set before the item goes out: what takes it may ask, or make the sequencer forget. */
  #emit(message: ItemMessage): void {
    const { channel, id } = message.item;
    const sequence = this.#sequences.get(channel);
    if (id === undefined) this.forgetLastId(channel);
    else if (sequence !== undefined) sequence.lastId = id;
    else this.#sequences.set(channel, { lastId: id, waiting: [], bytes: 0 });
    this.#release(message);
  }

  #take(sequence: Sequence, entry: Waiting): void {
    sequence.waiting.splice(sequence.waiting.indexOf(entry), 1);
    sequence.bytes -= entry.bytes;
    this.#waiting--;
    this.#bytes -= entry.bytes;
    this.#clock.clear(entry.timer);
  }
}
