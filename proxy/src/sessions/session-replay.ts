/**
 * What a session has to do with the history: the tokens with which its client may come back, and what is replayed to it
 * then, channel by channel as it is subscribed.
 */
import type { Position } from '@holdfast/control-api';
import type { Initial } from '@holdfast/grip';
import type { Delivery } from '../channels/delivery.js';
import { type ReplayedUpTo, wasReplayed } from '../history/chains.js';
import { beginningOf } from '../history/initial.js';
import type { Missed } from '../history/reader.js';
import { type ReplayDeps, ReplayWriter } from '../history/replay.js';
import { Cursor } from '../history/tokens.js';
import { FramePiece } from '../websocket/message-socket.js';

/** The session. */
export interface SessionReplayOwner {
  /** Runs an item that was missed through the filters, and writes it and then what `mark` gives. */
  replay(delivery: Delivery): void;
  /** Delivers an item that had to wait. */
  deliver(delivery: Delivery): void;
  /** Calls `then` when no filter has to wait for a server. */
  whenIdle(then: () => void): void;
  /** Sends a frame of ours. */
  push(frame: FramePiece): void;
  /** More waits for the client than may. */
  overflowed(): void;
  /** Takes care of what is thrown by work that goes on. */
  watch(work: Promise<unknown>): void;
}

/** What waits until a channel's history is replayed. */
interface Pending {
  readonly waiting: Delivery[];
  bytes: number;
}

/** What is replayed on a channel. */
interface Found {
  /** Undefined: nothing. */
  readonly missed: Missed | undefined;
  /** Whether all that was missed is there; undefined where the client is new on the channel. */
  readonly resumed: boolean | undefined;
  /** Where a client that is new there begins. */
  readonly begin: Position | undefined;
}

/** Says that items may have been missed that cannot be replayed. */
const GAP = new FramePiece('text', Buffer.from('{"holdfast-resume":null}'));

/** The replay of one session whose client asked for it, or whose origin wants initial items for it. */
export class SessionReplay {
  readonly #parts: ReplayDeps;
  readonly #owner: SessionReplayOwner;
  readonly #clientQueueSize: number;
  /** Undefined where the client has not asked: it gets no tokens. */
  readonly #cursor: Cursor | undefined;
  readonly #replayedUpTo: ReplayedUpTo = new Map();
  readonly #pending = new Map<string, Pending>();
  /** What is still to be replayed, one channel after the other. */
  readonly #turns: (() => void)[] = [];
  #writer: ReplayWriter | undefined;
  /** The channel that is being replayed: live items of it wait. */
  #replayedChannel = '';
  #full = false;
  #announces = false;
  #over = false;

  /** `token` is the client's, or empty, or undefined where it did not ask. What waits for one channel is at most `clientQueueSize` bytes. */
  constructor(token: string | undefined, clientQueueSize: number, parts: ReplayDeps, owner: SessionReplayOwner) {
    this.#parts = parts;
    this.#owner = owner;
    this.#clientQueueSize = clientQueueSize;
    if (token === undefined) return;
    const known = parts.tokens.read(token);
    this.#cursor = new Cursor(parts.tokens, known);
    if (token !== '' && known === undefined) {
      parts.tokenIgnored?.(parts.tokens.isOfOtherKey(token));
      this.#gap();
    }
  }

  /** Whether the client has asked to come back for what it misses. */
  get isResumable(): boolean {
    return this.#cursor !== undefined;
  }

  /** Whether an item that is written now comes from the history, and so has to wait for the client. */
  isReplaying({ item }: Delivery): boolean {
    return this.#writer !== undefined && this.#replayedChannel === item.channel;
  }

  /** The session has come to a channel; `live` is as of `ChannelRegistry.add`. A client that is new there begins with `initial`. */
  subscribed(channel: string, live: Promise<void> | undefined, initial?: Initial): void {
    if (this.#over || this.#pending.has(channel)) return;
    const after = this.#cursor?.at(channel);
    if (after === undefined && initial === undefined) {
      this.#begin(channel, live);
      return;
    }
    const pending: Pending = { waiting: [], bytes: 0 };
    this.#pending.set(channel, pending);
    const read = this.#read(channel, live, after, initial).then((found) => {
      if (this.#isCurrent(channel, pending)) this.#turn(() => this.#replay(channel, pending, live, found));
    });
    this.#owner.watch(read);
  }

  /** What the client missed since a position; if that is none, or not kept, what a new client begins with. */
  async #read(
    channel: string,
    live: Promise<void> | undefined,
    after: Position | undefined,
    initial: Initial | undefined,
  ): Promise<Found> {
    const missed = after && (await this.#parts.reader.read(channel, { after }, live));
    if (missed !== undefined) return { missed, resumed: true, begin: undefined };
    const first = initial && (await this.#parts.initial.read(channel, initial, live));
    // The origin has named a position from which not all is kept.
    const isBehind = first === undefined && initial !== undefined && 'since' in initial;
    const resumed = after !== undefined || isBehind ? false : undefined;
    return { missed: first, resumed, begin: first && beginningOf(first) };
  }

  /** The session has left a channel. */
  unsubscribed(channel: string): void {
    this.#cursor?.delete(channel);
    this.#replayedUpTo.delete(channel);
    this.#pending.delete(channel);
  }

  /** Whether an item is to be delivered now: not if it was replayed already, or has to wait for what is replayed before it. */
  admits(delivery: Delivery): boolean {
    if (this.#replayedUpTo.size > 0 && wasReplayed(delivery, this.#replayedUpTo)) return false;
    const pending = this.#pending.get(delivery.item.channel);
    if (pending === undefined) return true;
    pending.waiting.push(delivery);
    pending.bytes += delivery.bytes;
    if (pending.bytes > this.#clientQueueSize) this.#owner.overflowed();
    return false;
  }

  /** What follows an item that was written: the token that says so; undefined where it says nothing new. */
  mark(delivery: Delivery): FramePiece | undefined {
    const cursor = this.#cursor;
    if (cursor === undefined) return undefined;
    const make = () => tokenFrame(cursor.token ?? '');
    const moved = cursor.moved(delivery);
    if (moved && cursor.isSingle) return delivery.markFrame(make);
    const { token } = cursor;
    return !moved || token === undefined ? undefined : tokenFrame(token);
  }

  /** The client takes no more for now, until `writable`. */
  filled(): void {
    this.#full = true;
  }

  /** The client has room again. */
  onWritable(): void {
    this.#full = false;
    this.#writer?.resume();
  }

  /** The session is over. */
  stop(): void {
    this.#over = true;
    this.#writer?.stop();
    this.#pending.clear();
    this.#turns.length = 0;
  }

  #isCurrent(channel: string, pending: Pending): boolean {
    return !this.#over && this.#pending.get(channel) === pending;
  }

  /** A channel of which the client knows nothing begins where it stands. */
  #begin(channel: string, live: Promise<void> | undefined): void {
    const cursor = this.#cursor;
    if (cursor === undefined) return;
    const latest = this.#parts.latest(channel);
    if (latest !== undefined) {
      cursor.set(channel, latest);
      this.#announce();
      return;
    }
    const read = this.#parts.reader.head(channel, live).then((head) => {
      // An item that has come meanwhile says more once it is written; until then the head would claim it.
      const isLate = cursor.at(channel) !== undefined || this.#parts.latest(channel) !== undefined;
      if (this.#over || head === undefined || isLate) return;
      cursor.set(channel, head);
      this.#announce();
    });
    this.#owner.watch(read);
  }

  #turn(replay: () => void): void {
    this.#turns.push(replay);
    if (this.#turns.length === 1) replay();
  }

  #replay(channel: string, pending: Pending, live: Promise<void> | undefined, found: Found): void {
    if (!this.#isCurrent(channel, pending)) {
      this.#nextTurn();
      return;
    }
    const { missed, resumed, begin } = found;
    if (resumed !== undefined) this.#parts.events.replayEnded('ws', resumed);
    if (resumed === false) {
      this.#cursor?.delete(channel);
      this.#gap();
    }
    if (begin !== undefined) this.#cursor?.set(channel, begin);
    if (missed === undefined) this.#begin(channel, live);
    else this.#replayedUpTo.set(channel, missed.end);
    this.#replayedChannel = channel;
    this.#writer = new ReplayWriter(missed?.deliveries ?? [], {
      write: (delivery) => {
        if (this.#isCurrent(channel, pending)) this.#owner.replay(delivery);
      },
      isFull: () => this.#full,
      whenIdle: (then) => this.#owner.whenIdle(then),
      done: () => {
        this.#writer = undefined;
        this.#release(channel, pending);
        this.#nextTurn();
      },
    });
    this.#writer.resume();
  }

  #release(channel: string, pending: Pending): void {
    if (!this.#isCurrent(channel, pending)) return;
    this.#pending.delete(channel);
    for (const delivery of pending.waiting) this.#owner.deliver(delivery);
  }

  #nextTurn(): void {
    this.#turns.shift();
    this.#turns[0]?.();
  }

  #gap(): void {
    // The session, which makes this in its constructor, cannot write yet.
    queueMicrotask(() => {
      if (!this.#over && this.#cursor !== undefined) this.#owner.push(GAP);
    });
  }

  /** One frame for all channels that the session comes to in one step. */
  #announce(): void {
    if (this.#announces) return;
    this.#announces = true;
    queueMicrotask(() => {
      this.#announces = false;
      const token = this.#cursor?.token;
      if (!this.#over && token !== undefined) this.#owner.push(tokenFrame(token));
    });
  }
}

function tokenFrame(token: string): FramePiece {
  return new FramePiece('text', Buffer.from(`{"holdfast-resume":"${token}"}`));
}
