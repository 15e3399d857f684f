/**
 * Owns: the way of items into one stream: their filters, the limit of what may wait for the client, ids for those who
 * may come back, keep-alives between them, and their count. Does not own: which items are next, or bodies.
 */
import type { Faulty } from '@holdfast/control-api';
import type { KeepAlive } from '@holdfast/grip';
import type { CloseReason } from '../channels/close-reasons.js';
import type { Delivery } from '../channels/delivery.js';
import type { Subscription, SubscriptionList } from '../channels/subscription-list.js';
import type { ClientResponse } from '../edge/port.js';
import { StreamPiece } from '../edge/stream-piece.js';
import { Telling } from '../history/telling.js';
import { type Filtered, ItemFilter, passesFreely } from '../links/item-filter.js';
import type { LinkScope } from '../links/link-scope.js';
import { KeepAliveTimer } from '../runtime/keep-alive-timer.js';
import type { HoldParts } from './hold.js';
import type { StreamReplay } from './stream-replay.js';

const EMPTY = Buffer.alloc(0);

/** The stream. Each of its methods may end it. */
export interface StreamOutputOwner extends Faulty {
  readonly id: string;
  readonly routeKey: string;
  /** Clients of this stream are told what is wrong with it. */
  readonly isDebug: boolean;
  /** An item says that the stream is over. */
  outputClosed(): void;
  /** More waits for the client than may, and it must not lose anything. */
  outputOverflowed(): void;
  /** An item could not be filtered, on a debug route. */
  fail(text: string, reason: CloseReason): void;
}

/** The items of one stream. */
export class StreamOutput {
  readonly #owner: StreamOutputOwner;
  readonly #response: ClientResponse;
  readonly #parts: HoldParts;
  readonly #replay: StreamReplay | undefined;
  #list: SubscriptionList;
  #scope: LinkScope;
  #filter: ItemFilter | undefined;
  #keepAlive: KeepAliveTimer | undefined;
  #telling: Telling | undefined;
  /** What is being told waits for the client. */
  #full = false;
  #over = false;
  #items = 0;
  #dropped = 0;

  constructor(
    owner: StreamOutputOwner,
    { response, list, scope }: { response: ClientResponse; list: SubscriptionList; scope: LinkScope },
    replay: StreamReplay | undefined,
    parts: HoldParts,
  ) {
    this.#owner = owner;
    this.#response = response;
    this.#list = list;
    this.#scope = scope;
    this.#replay = replay;
    this.#parts = parts;
  }

  /** Items that were written. */
  get items(): number {
    return this.#items;
  }

  /** Items that were not, because the client is slow. */
  get dropped(): number {
    return this.#dropped;
  }

  /** A link's subscriptions have taken the place of the present ones. */
  follow(list: SubscriptionList, scope: LinkScope): void {
    this.#list = list;
    this.#scope = scope;
    this.#filter = undefined;
  }

  /** Runs the filters, if there are any, and writes what comes of it. */
  take(delivery: Delivery, subscription: Subscription): void {
    const format = delivery.stream;
    const content = format?.action === 'send' ? format.content : EMPTY;
    const contentFilters = format?.action === 'send' ? format.contentFilters : undefined;
    if (this.#filter?.isBusy !== true && passesFreely(subscription.plan, contentFilters)) {
      this.#use(delivery, undefined);
      return;
    }
    this.#filter ??= new ItemFilter(this.#list, this.#scope, this.#parts.filters, (filtering) =>
      this.#parts.subscriber.faults.watch('delivery', filtering, this.#owner),
    );
    const filter = this.#filter;
    filter.run(subscription, delivery.item, content, contentFilters, (filtered) => {
      if (!this.#over && filtered.result !== 'drop') this.#filtered(delivery, content, filtered);
    });
  }

  /** Calls `then` when no item waits for the answer of a server: now, or later. */
  whenIdle(then: () => void): void {
    if (this.#filter === undefined) then();
    else this.#filter.whenIdle(then);
  }

  /** Writes what was missed, as fast as the client takes it; calls `then` unless the stream ends before. */
  tell(deliveries: readonly Delivery[], then: () => void): void {
    this.#telling = new Telling(deliveries, {
      tell: (delivery) => this.#tellOne(delivery),
      isFull: () => this.#full,
      whenIdle: (go) => this.whenIdle(go),
      told: () => {
        this.#telling = undefined;
        then();
      },
    });
    this.#telling.resume();
  }

  /** The client has room again. */
  writable(): void {
    this.#full = false;
    this.#telling?.resume();
  }

  /** Whether so many more bytes may wait beside those that do; otherwise the policy for slow clients is carried out. */
  admits(waiting: number, bytes: number): boolean {
    const { clientQueueSize, slowClientPolicy, events, log } = this.#parts.subscriber;
    if (waiting === 0 || waiting + bytes <= clientQueueSize) return true;
    events.itemDropped('stream', 'slow-client');
    const first = this.#dropped++ === 0;
    // Whoever follows ids relies on having all: closed, it comes back and gets them.
    if (slowClientPolicy === 'close' || this.#list.tracked !== undefined || this.#replay?.isResumable) {
      log.warn({ id: this.#owner.id, waiting }, 'slow client: closing its stream');
      this.#owner.outputOverflowed();
      // The first loss is reported at once, the number of all of them with the end of the hold.
    } else if (first) log.warn({ id: this.#owner.id, waiting }, 'slow client: dropping items');
    return false;
  }

  /** From here on keep-alives are as an instruct says: none where it is undefined. */
  keepAlive(keepAlive: KeepAlive | undefined): void {
    // One that runs still, for nothing has been sent since, must not be put off by links that have nothing to tell.
    const since = this.#keepAlive?.last;
    this.hush();
    if (keepAlive === undefined) return;
    const { clock, random } = this.#parts.subscriber;
    const piece = new StreamPiece(keepAlive.content);
    const beat = () => {
      if (this.#response.waiting === 0) this.#response.push(piece);
    };
    this.#keepAlive = new KeepAliveTimer(keepAlive, clock, random, beat, this.#owner, since);
  }

  /** Ends the keep-alives: a body goes out. */
  hush(): void {
    this.#keepAlive?.stop();
    this.#keepAlive = undefined;
  }

  /** The stream is over: nothing is written any more. */
  stop(): void {
    this.#over = true;
    this.hush();
    this.#telling?.stop();
  }

  /** What an item other than content asks for was for those who were there. */
  #tellOne(delivery: Delivery): void {
    const subscription = this.#list.find(delivery.item.channel);
    if (subscription === undefined) return;
    if (subscription.prevId !== undefined) subscription.prevId = delivery.item.id;
    if (delivery.stream?.action === 'send') this.take(delivery, subscription);
  }

  #filtered(delivery: Delivery, content: Buffer, filtered: Filtered): void {
    if (filtered.result === 'send') {
      this.#use(delivery, filtered.content === content ? undefined : new StreamPiece(filtered.content));
    } else if (filtered.result === 'error') {
      const { events, log } = this.#parts.subscriber;
      events.itemDropped('stream', 'filter-failed');
      log.warn({ id: this.#owner.id, error: filtered.error }, 'item not delivered: its filter failed');
      if (this.#owner.isDebug) this.#owner.fail(filtered.error, 'filter-failed');
    }
  }

  /** Carries an item out; `own` is its content where a filter has changed it for this client. */
  #use(delivery: Delivery, own: StreamPiece | undefined): void {
    if (delivery.stream?.action === 'close') {
      this.#owner.outputClosed();
      return;
    }
    const plain = own ?? delivery.piece;
    const isTold = this.#telling !== undefined;
    if (!isTold && !this.admits(this.#response.waiting, plain.payload.length)) return;
    const piece = this.#replay === undefined ? plain : this.#replay.piece(delivery, own);
    if (isTold) this.#writeTold(piece);
    else this.#response.push(piece);
    this.#items++;
    this.#keepAlive?.sent(delivery.at);
    this.#parts.subscriber.events.itemSent('stream', this.#owner.routeKey);
  }

  #writeTold(piece: StreamPiece): void {
    if (!this.#response.write(piece.payload)) this.#full = true;
    this.#parts.replay?.events.itemReplayed('stream');
  }
}
