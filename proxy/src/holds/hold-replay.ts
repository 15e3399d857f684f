/** What holds have to do with the history: what their clients have missed, and the ids by which those of streams may come back. */
import type { Position } from '@holdfast/control-api';
import { headerValue, type Instruct } from '@holdfast/grip';
import type { Delivery } from '../channels/delivery.js';
import type { Subscription, SubscriptionList } from '../channels/subscription-list.js';
import { StreamPiece } from '../edge/port.js';
import { type Chains, type ReplayedUpTo, readChains, wasReplayed } from '../history/chains.js';
import type { ReplayDeps } from '../history/replay.js';
import { Cursor, idEvent, isWhole, withId } from '../history/tokens.js';
import type { HoldDeps } from './hold.js';

/** Made for holds that a history serves. */
export class ResponseReplay {
  readonly #deps: ReplayDeps;
  readonly #sequencer: HoldDeps['sequencer'];
  readonly #live: Promise<void> | undefined;
  readonly #watch: (read: Promise<void>) => void;
  #isReading = false;
  #isOver = false;
  /** The id from which it was read last because of a gap. */
  #askedFrom: string | undefined;
  #chains: Chains | undefined;

  /**
   * `live` is as of `ChannelRegistry.add` for all channels of the hold. `watch` takes care of what is thrown while the
   * hold uses what was read.
   */
  constructor(
    deps: ReplayDeps,
    sequencer: HoldDeps['sequencer'],
    live: Promise<void> | undefined,
    watch: (read: Promise<void>) => void,
  ) {
    this.#deps = deps;
    this.#sequencer = sequencer;
    this.#live = live;
    this.#watch = watch;
  }

  /** Items must wait. */
  get isReading(): boolean {
    return this.#isReading;
  }

  /** Whether to read because of a gap: not from an id from which it was read already, and there was a gap still. */
  mayAsk({ prevId }: Subscription): boolean {
    if (this.#askedFrom === prevId) return false;
    this.#askedFrom = prevId;
    return true;
  }

  /** Reads what followed these last ids; calls `otherwise` where the history does not have it, and then `then`. */
  ask(subscriptions: readonly Subscription[], otherwise: () => void, then: () => void): void {
    const { reader, events } = this.#deps;
    this.#isReading = true;
    const read = readChains(subscriptions, 'response', { reader, sequencer: this.#sequencer, live: this.#live }).then(
      (chains) => {
        if (this.#isOver) return;
        events.replayEnded('response', chains !== undefined);
        this.#isReading = false;
        this.#chains = chains;
        if (chains === undefined) otherwise();
        then();
      },
    );
    this.#watch(read);
  }

  /** What was read, to be used before what came meanwhile; once. */
  take(): Chains | undefined {
    const chains = this.#chains;
    this.#chains = undefined;
    return chains;
  }

  /** An item of the history is used. */
  used(): void {
    this.#deps.events.itemReplayed('response');
  }

  /** The hold is over. */
  stop(): void {
    this.#isOver = true;
  }
}

const EMPTY: Buffer = Buffer.alloc(0);

/** Says in the response that not all that was missed is replayed: Mercure's word for it. */
const NOT_ALL = 'earliest';

/** What is replayed to a client that comes back. */
export interface Resumed {
  readonly deliveries: readonly Delivery[];
  readonly complete: boolean;
  /** For the response's `Last-Event-ID`. */
  readonly lastEventId: string;
}

/** What a stream's replay is made from. */
export interface StreamReplayStart {
  readonly list: SubscriptionList;
  readonly instruct: Instruct;
  /** As of `ChannelRegistry.add` for all channels of the list, which must have been called just before. */
  readonly live: Promise<void> | undefined;
  /** What the client said. */
  readonly lastEventId?: string | undefined;
}

/** The replay of one stream, made in the step that registers it. */
export class StreamReplay {
  /** Resolves when `missedByClient` says what that is; undefined when it did not come back with an id of ours. */
  readonly resumed: Promise<void> | undefined;
  readonly #deps: ReplayDeps;
  readonly #sequencer: HoldDeps['sequencer'];
  readonly #live: Promise<void> | undefined;
  /** Undefined when the stream has no ids: it is no event stream. */
  readonly #cursor: Cursor | undefined;
  /** Made when something is replayed, which for most streams never is. */
  #replayedUpTo: ReplayedUpTo | undefined;
  /** Last bytes of the initial body. */
  #tail = EMPTY;
  /** The ids from which the history was asked last because of a gap, by channel. */
  #asked: Map<string, string> | undefined;
  #heads: Promise<void> | undefined;
  #missedByClient: Resumed | undefined;
  #hasBegun = false;

  constructor({ list, instruct, live, lastEventId }: StreamReplayStart, deps: HoldDeps & { replay: ReplayDeps }) {
    this.#deps = deps.replay;
    this.#sequencer = deps.sequencer;
    this.#live = live;
    if (!isEventStream(instruct)) return;
    this.#cursor = new Cursor(deps.replay.tokens);
    this.resumed = this.#resume(list, lastEventId)?.then((missed) => {
      this.#missedByClient = missed;
    });
    this.follow(list);
  }

  /** Whether the client may come back for what it missed, and so must not lose anything while it is here. */
  get isResumable(): boolean {
    return this.#cursor !== undefined;
  }

  /** What the client missed before it came back, once `resumed` is. */
  get missedByClient(): Resumed | undefined {
    return this.#missedByClient;
  }

  /** The same as items to be replayed, once. */
  takeMissedByClient(): readonly Delivery[] | undefined {
    const missed = this.#missedByClient;
    this.#missedByClient = undefined;
    return missed?.deliveries;
  }

  /** Whether an item was replayed from the history before it came. */
  hasReplayed(delivery: Delivery): boolean {
    return this.#replayedUpTo !== undefined && wasReplayed(delivery, this.#replayedUpTo);
  }

  /** The stream has these channels from now on, all of them registered. */
  follow(list: SubscriptionList, before?: Pick<SubscriptionList, 'channels'>): void {
    const cursor = this.#cursor;
    if (cursor === undefined) return;
    for (const channel of before?.channels ?? []) if (!list.has(channel)) cursor.delete(channel);
    const unknown: string[] = [];
    for (const channel of list.channels) {
      if (cursor.at(channel) !== undefined) continue;
      const latest = this.#deps.latest(channel);
      if (latest === undefined) unknown.push(channel);
      else cursor.set(channel, latest);
    }
    if (unknown.length > 0) this.#heads = this.#askHeads(cursor, unknown);
  }

  /** A part of the initial body was written. */
  wrote(chunk: Buffer): void {
    if (this.#cursor !== undefined) this.#tail = Buffer.concat([this.#tail, chunk.subarray(-4)]).subarray(-4);
  }

  /**
   * Gives an event that says where the stream begins, so that it may come back before the first item: at once
   * or, where that has to be asked, later; the result resolves then. Only the first call counts.
   */
  begin(push: (piece: StreamPiece) => void): Promise<void> | undefined {
    const cursor = this.#cursor;
    const isFirst = !this.#hasBegun;
    this.#hasBegun = true;
    const tail = this.#tail;
    this.#tail = EMPTY;
    if (!isFirst || cursor === undefined || (tail.length > 0 && !isWhole(tail))) return undefined;
    const write = () => {
      const { token } = cursor;
      if (token !== undefined) push(new StreamPiece(idEvent(token)));
    };
    if (this.#heads !== undefined) return this.#heads.then(write);
    write();
    return undefined;
  }

  /** What is written for an item: with its id, if it can have one. `own` is the content where a filter has changed it. */
  piece(delivery: Delivery, own: StreamPiece | undefined): StreamPiece {
    const cursor = this.#cursor;
    const plain = own ?? delivery.piece;
    if (cursor === undefined) return plain;
    const mark = () => {
      const { token } = cursor;
      const content = token === undefined ? undefined : withId(plain.payload, token);
      return content === undefined ? plain : new StreamPiece(content);
    };
    const moved = cursor.moved(delivery);
    return moved && own === undefined && cursor.isSingle ? delivery.markedPiece(mark) : mark();
  }

  /** Whether to ask because of a gap: not from an id from which it was asked already, and there was a gap still. */
  mayAsk({ channel, prevId }: Subscription): boolean {
    if (prevId === undefined || this.#asked?.get(channel) === prevId) return false;
    this.#asked ??= new Map();
    this.#asked.set(channel, prevId);
    return true;
  }

  /** Reads what followed the last ids of these subscriptions; undefined when the history does not have it. */
  async missed(subscriptions: readonly Subscription[]): Promise<Chains['deliveries'] | undefined> {
    const { reader, events } = this.#deps;
    const chains = await readChains(subscriptions, 'stream', {
      reader,
      sequencer: this.#sequencer,
      live: this.#live,
    });
    events.replayEnded('stream', chains !== undefined);
    for (const [channel, end] of chains?.upTo ?? []) this.#setReplayed(channel, end);
    return chains?.deliveries;
  }

  #setReplayed(channel: string, end: Position): void {
    this.#replayedUpTo ??= new Map();
    this.#replayedUpTo.set(channel, end);
  }

  #resume(list: SubscriptionList, token: string | undefined): Promise<Resumed> | undefined {
    const { tokens, reader, tokenIgnored } = this.#deps;
    if (token === undefined) return undefined;
    const positions = tokens.read(token);
    if (positions === undefined) {
      // Other ids are the origin's own.
      if (tokens.isOfOtherKey(token)) tokenIgnored?.(true);
      return undefined;
    }
    const reads: Promise<readonly Delivery[] | undefined>[] = [];
    for (const { channel, prevId } of list.all) {
      const after = positions.get(tokens.tag(channel));
      // Where the origin says by a prev-id what it has sent, that counts.
      if (after === undefined || prevId !== undefined) continue;
      const begin = this.#deps.latest(channel);
      reads.push(
        reader.read(channel, { after }, this.#live).then((missed) => {
          if (missed === undefined) {
            // What is lost stays lost: from here on the client goes by where the stream began.
            this.#cursor?.delete(channel);
            if (begin !== undefined) this.#cursor?.set(channel, begin);
            return undefined;
          }
          this.#setReplayed(channel, missed.end);
          return missed.deliveries;
        }),
      );
      this.#cursor?.set(channel, after);
    }
    return reads.length === 0 ? undefined : this.#join(token, reads);
  }

  async #join(token: string, reads: readonly Promise<readonly Delivery[] | undefined>[]): Promise<Resumed> {
    const all = await Promise.all(reads);
    const complete = !all.includes(undefined);
    this.#deps.events.replayEnded('stream', complete);
    return { deliveries: all.flatMap((one) => one ?? []), complete, lastEventId: complete ? token : NOT_ALL };
  }

  async #askHeads(cursor: Cursor, channels: readonly string[]): Promise<void> {
    const heads = await Promise.all(channels.map((channel) => this.#deps.reader.head(channel, this.#live)));
    for (const [i, channel] of channels.entries()) {
      const head = heads[i];
      // An item that has come meanwhile says more once it is written; until then the head would claim it.
      const isLate = cursor.at(channel) !== undefined || this.#deps.latest(channel) !== undefined;
      if (head !== undefined && !isLate) cursor.set(channel, head);
    }
  }
}

/** Whether items are appended to server-sent events. A body that the origin had compressed is decoded by then. */
function isEventStream({ response: { headers } }: Instruct): boolean {
  const [type = ''] = (headerValue(headers, 'content-type') ?? '').split(';', 1);
  return type.trim().toLowerCase() === 'text/event-stream';
}
