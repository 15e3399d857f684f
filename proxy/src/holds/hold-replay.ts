/** What holds have to do with the history: what their clients have missed, and the ids by which those of streams may come back. */
import type { Position } from '@holdfast/control-api';
import { headerValue, type Instruct } from '@holdfast/grip';
import type { Delivery } from '../channels/delivery.js';
import type { Subscription, SubscriptionList } from '../channels/subscription-list.js';
import { StreamPiece } from '../edge/port.js';
import { type Chains, type ReplayedUpTo, readChains, wasReplayed } from '../history/chains.js';
import { beginningOf, type InitialWish, initialWishes } from '../history/initial.js';
import type { ReplayDeps } from '../history/replay.js';
import { Cursor, idEvent, isWhole, type TokenPositions, withId } from '../history/tokens.js';
import type { HoldDeps, HoldStart } from './hold.js';

/** Made for holds that a history serves. */
export class ResponseReplay {
  readonly #deps: ReplayDeps;
  readonly #sequencer: HoldDeps['sequencer'];
  readonly #live: Promise<void> | undefined;
  readonly #watch: (read: Promise<void>) => void;
  /** What a new client begins with, on channels whose ids are not tracked; until it is asked for. */
  #initial: readonly InitialWish[] | undefined;
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
    { instruct, scope, list }: Pick<HoldStart, 'instruct' | 'scope' | 'list'>,
  ) {
    this.#deps = deps;
    this.#sequencer = sequencer;
    this.#live = live;
    this.#watch = watch;
    const wishes = initialWishes(instruct.hold?.channels ?? [], scope.route);
    this.#initial = wishes?.filter(({ channel }) => list.find(channel)?.prevId === undefined);
  }

  /** Whether `ask` brings what a new client begins with. */
  get hasInitial(): boolean {
    return this.#initial !== undefined && this.#initial.length > 0;
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
    const { events } = this.#deps;
    this.#isReading = true;
    const read = this.#read(subscriptions).then((chains) => {
      if (this.#isOver) return;
      if (subscriptions.length > 0) events.replayEnded('response', chains !== undefined);
      this.#isReading = false;
      this.#chains = chains;
      if (chains === undefined) otherwise();
      then();
    });
    this.#watch(read);
  }

  async #read(subscriptions: readonly Subscription[]): Promise<Chains | undefined> {
    const { reader } = this.#deps;
    const wishes = this.#initial;
    this.#initial = undefined;
    const read = readChains(subscriptions, 'response', { reader, sequencer: this.#sequencer, live: this.#live });
    if (wishes === undefined || wishes.length === 0) return await read;
    const first = await Promise.all(wishes.map((wish) => this.#readInitial(wish)));
    const chains = await read;
    return (
      chains && {
        deliveries: [...chains.deliveries, ...first.flatMap(({ deliveries }) => deliveries)],
        upTo: new Map([...chains.upTo, ...first.flatMap(({ upTo }) => [...upTo])]),
      }
    );
  }

  /** One item is the answer: of the last ones the newest that can be. */
  async #readInitial({ channel, initial }: InitialWish): Promise<Chains> {
    const missed = await this.#deps.initial.read(channel, initial, this.#live);
    if (missed === undefined) return { deliveries: [], upTo: new Map() };
    const { deliveries, end } = missed;
    const newest = 'last' in initial ? deliveries.findLast(({ response }) => response?.action === 'send') : undefined;
    const answers = 'last' in initial ? (newest === undefined ? [] : [newest]) : deliveries;
    return { deliveries: answers, upTo: new Map([[channel, end]]) };
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
  /** For the response's `Last-Event-ID`; undefined where the client named none of ours. */
  readonly lastEventId: string | undefined;
}

/** The same of one channel. */
type ResumedChannel = Pick<Resumed, 'deliveries' | 'complete'>;

/** What a stream's replay is made from. */
export interface StreamReplayStart extends Pick<HoldStart, 'scope' | 'mustResume'> {
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
  /** Channels whose initial items are read: they say where it begins. */
  #awaited: Set<string> | undefined;
  #missedByClient: Resumed | undefined;
  #hasBegun = false;

  constructor(start: StreamReplayStart, deps: HoldDeps & { replay: ReplayDeps }) {
    const { list, instruct, live, scope } = start;
    this.#deps = deps.replay;
    this.#sequencer = deps.sequencer;
    this.#live = live;
    const wishes = initialWishes(instruct.hold?.channels ?? [], scope.route);
    if (isEventStream(instruct)) this.#cursor = new Cursor(deps.replay.tokens);
    else if (wishes === undefined) return;
    this.resumed = this.#resume(start, wishes)?.then((missed) => {
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
      if (cursor.at(channel) !== undefined || this.#awaited?.has(channel)) continue;
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

  #resume(start: StreamReplayStart, wishes: readonly InitialWish[] | undefined): Promise<Resumed> | undefined {
    const { lastEventId: token, mustResume = false } = start;
    const positions = this.#cursor === undefined || token === undefined ? undefined : this.#positionsOf(token);
    const isLost = mustResume && this.#cursor !== undefined && positions === undefined;
    if (positions === undefined && wishes === undefined && !isLost) return undefined;
    const reads: Promise<ResumedChannel>[] = [];
    let resumes = isLost;
    for (const { channel, prevId } of start.list.all) {
      // Where the origin says by a prev-id what it has sent, that counts.
      if (prevId !== undefined) continue;
      const after = positions?.get(this.#deps.tokens.tag(channel));
      const wish = wishes?.find((one) => one.channel === channel);
      if (after !== undefined) resumes = true;
      if (after !== undefined || wish !== undefined) reads.push(this.#missedOn(channel, after, wish));
    }
    return reads.length === 0 && !isLost ? undefined : this.#join(resumes ? token : undefined, reads, isLost);
  }

  #positionsOf(token: string): TokenPositions | undefined {
    const { tokens, tokenIgnored } = this.#deps;
    const positions = tokens.read(token);
    // Other ids are the origin's own.
    if (positions === undefined && tokens.isOfOtherKey(token)) tokenIgnored?.(true);
    return positions;
  }

  /** What the client missed on a channel since a position; if that is none, or not kept, what a new client begins with. */
  async #missedOn(
    channel: string,
    after: Position | undefined,
    wish: InitialWish | undefined,
  ): Promise<ResumedChannel> {
    const { reader, initial, latest } = this.#deps;
    const begin = latest(channel);
    if (after === undefined) {
      this.#awaited ??= new Set();
      this.#awaited.add(channel);
    } else {
      this.#cursor?.set(channel, after);
      const missed = await reader.read(channel, { after }, this.#live);
      if (missed !== undefined) {
        this.#setReplayed(channel, missed.end);
        return { deliveries: missed.deliveries, complete: true };
      }
      // What is lost stays lost: from here on the client goes by where the stream began.
      this.#cursor?.delete(channel);
      if (begin !== undefined) this.#cursor?.set(channel, begin);
    }
    const complete = after === undefined;
    const first = wish && (await initial.read(channel, wish.initial, this.#live));
    if (first !== undefined) {
      this.#setReplayed(channel, first.end);
      this.#cursor?.set(channel, beginningOf(first));
      return { deliveries: first.deliveries, complete };
    }
    if (complete && this.#cursor !== undefined) {
      if (begin === undefined) await this.#askHeads(this.#cursor, [channel]);
      else this.#cursor.set(channel, begin);
    }
    // The origin has named a position from which not all is kept.
    const isBehind = wish !== undefined && 'since' in wish.initial;
    return { deliveries: [], complete: complete && !isBehind };
  }

  /** `token` is the client's, where it is one of ours, or should be; without one nothing was resumed. */
  async #join(token: string | undefined, reads: readonly Promise<ResumedChannel>[], isLost: boolean): Promise<Resumed> {
    const all = await Promise.all(reads);
    const complete = !isLost && all.every((one) => one.complete);
    if (token !== undefined || !complete) this.#deps.events.replayEnded('stream', complete);
    const deliveries = all.flatMap((one) => one.deliveries);
    return { deliveries, complete, lastEventId: complete ? token : NOT_ALL };
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
