/** What is written to one stream once it is held: items, what was missed, and keep-alives between them. */
import { type HttpStreamFormat, headerValue, type Instruct, type KeepAlive } from '@holdfast/grip';
import type { Delivery } from '../channels/delivery.js';
import type { SubscriptionList } from '../channels/subscription-list.js';
import { USER_META } from '../channels/users.js';
import { ItemPipeline, type ItemReceiver } from '../delivery/pipeline.js';
import { type ClientResponse, StreamPiece } from '../edge/port.js';
import { ReplayWriter } from '../history/replay.js';
import type { LinkScope } from '../links/link-scope.js';
import { KeepAliveTimer } from '../runtime/timers.js';
import type { HoldDeps } from './hold.js';
import type { StreamReplay } from './hold-replay.js';
import { reportCutEvent } from './stream-reports.js';

/** What the client of an event stream waits at least before it comes back to a system of which a node goes down, and how much longer at random: ms. */
const RETRY_MS = 2_000;
const RETRY_JITTER_MS = 8_000;

const EVENT_STREAM = /^text\/event-stream[ \t]*(?:;|$)/i;

/** The stream. */
export interface StreamReceiver extends ItemReceiver {
  /** An item says that the stream is over. */
  closedByItem(): void;
}

/** The items of one stream. */
export class StreamWriter extends ItemPipeline<HttpStreamFormat, StreamPiece> {
  protected readonly receiver: StreamReceiver;
  protected readonly deps: HoldDeps;
  protected list: SubscriptionList;
  protected scope: LinkScope;
  readonly #response: ClientResponse;
  readonly #replay: StreamReplay | undefined;
  readonly #isEvents: boolean;
  #keepAlive: KeepAliveTimer | undefined;
  /** Undefined unless what was missed is being written. */
  #missed: ReplayWriter | undefined;
  /** What is replayed waits for the client. */
  #full = false;

  constructor(
    receiver: StreamReceiver,
    {
      response,
      list,
      scope,
      instruct,
    }: { response: ClientResponse; list: SubscriptionList; scope: LinkScope; instruct: Instruct },
    replay: StreamReplay | undefined,
    deps: HoldDeps,
  ) {
    super();
    this.receiver = receiver;
    this.deps = deps;
    this.list = list;
    this.scope = scope;
    this.#response = response;
    this.#replay = replay;
    this.#isEvents = EVENT_STREAM.test(headerValue(instruct.response.headers, 'content-type') ?? '');
  }

  /** Has the client of an event stream, which is about to end, wait some seconds before it comes back (HTML §9.2.6). */
  #sayRetry(): void {
    if (!this.#isEvents || this.deps.shutdownRetry !== true) return;
    const ms = RETRY_MS + Math.floor(this.deps.subscriber.random() * RETRY_JITTER_MS);
    this.#response.push(new StreamPiece(Buffer.from(`retry: ${ms}\n\n`)));
  }

  /** A link's subscriptions have taken the place of the present ones. */
  follow(list: SubscriptionList, scope: LinkScope): void {
    this.list = list;
    this.scope = scope;
    this.deps.subscriber.registry.identify(this.receiver.id, list.meta.get(USER_META));
    this.relist();
  }

  /** Writes what was missed, as fast as the client takes it; calls `then` unless the stream ends before. */
  replay(deliveries: readonly Delivery[], then: () => void): void {
    this.#missed = new ReplayWriter(deliveries, {
      write: (delivery) => this.#replayOne(delivery),
      isFull: () => this.#full,
      whenIdle: (go) => this.whenIdle(go),
      done: () => {
        this.#missed = undefined;
        then();
      },
    });
    this.#missed.resume();
  }

  /** The client has room again. */
  onWritable(): void {
    this.#full = false;
    this.#missed?.resume();
  }

  /** From here on keep-alives are as an instruct says: none where it is undefined. */
  keepAlive(keepAlive: KeepAlive | undefined): void {
    // The time since the last item counts on: links without anything new must not put a keep-alive off.
    const since = this.#keepAlive?.last;
    this.stopKeepAlive();
    if (keepAlive === undefined) return;
    const { clock, random, traffic } = this.deps.subscriber;
    const piece = new StreamPiece(keepAlive.content);
    const beat = () => {
      if (this.#response.waiting > 0) return;
      this.#response.push(piece);
      traffic?.bytesSent('stream', piece.payload.length);
    };
    this.#keepAlive = new KeepAliveTimer(keepAlive, clock, random, beat, this.receiver, since);
  }

  /** Ends the keep-alives: a body goes out. */
  stopKeepAlive(): void {
    this.#keepAlive?.stop();
    this.#keepAlive = undefined;
  }

  /** With `isGoingDown` the node goes down: an event stream is sent a time to wait first. */
  override stop(isGoingDown = false): void {
    if (isGoingDown) this.#sayRetry();
    super.stop();
    this.stopKeepAlive();
    this.#missed?.stop();
  }

  protected get kind(): 'stream' {
    return 'stream';
  }

  protected get noun(): string {
    return 'stream';
  }

  /** Where prev-ids or ids of ours are followed, a client that is closed comes back and gets the rest. */
  protected get needsAll(): boolean {
    return this.list.tracked !== undefined || this.#replay?.isResumable === true;
  }

  protected waitingBefore(): number {
    return this.#missed === undefined ? this.#response.waiting : 0;
  }

  protected encode(delivery: Delivery, _format: unknown, own: Buffer | undefined): StreamPiece {
    // What a filter has made of the content is the filter's.
    if (own !== undefined) return new StreamPiece(own);
    if (this.#isEvents && delivery.takeCutEvent())
      reportCutEvent(this.receiver, delivery, this.scope, this.deps.subscriber);
    return delivery.piece;
  }

  protected write(plain: StreamPiece, delivery: Delivery, own: Buffer | undefined): void {
    const piece =
      this.#replay === undefined ? plain : this.#replay.piece(delivery, own === undefined ? undefined : plain);
    if (this.#missed === undefined) this.#response.push(piece);
    else this.#writeReplayed(piece);
    this.#keepAlive?.sent(delivery.at);
  }

  /** Only `close` gets here: hints and refreshes are the hold's. */
  protected act(): void {
    this.receiver.closedByItem();
  }

  /** Actions among what was missed have no effect: they were for clients connected at the time. */
  #replayOne(delivery: Delivery): void {
    const { stream } = delivery;
    const subscription = this.list.find(delivery.item.channel);
    if (subscription === undefined) return;
    if (subscription.prevId !== undefined) subscription.prevId = delivery.item.id;
    if (stream?.action === 'send') this.take(delivery, stream, subscription);
  }

  #writeReplayed(piece: StreamPiece): void {
    if (!this.#response.write(piece.payload)) this.#full = true;
    this.deps.replay?.events.itemReplayed('stream');
  }
}
