/**
 * What is written to one stream: items, what was missed no faster than the client takes it, ids for clients that may come
 * back, and keep-alives between them.
 */
import type { HttpStreamFormat, KeepAlive } from '@holdfast/grip';
import type { Delivery } from '../channels/delivery.js';
import type { SubscriptionList } from '../channels/subscription-list.js';
import { ItemPipeline, type ItemReceiver } from '../delivery/pipeline.js';
import { type ClientResponse, StreamPiece } from '../edge/port.js';
import { ReplayWriter } from '../history/replay-writer.js';
import type { LinkScope } from '../links/link-scope.js';
import { KeepAliveTimer } from '../runtime/timers.js';
import type { HoldParts } from './hold.js';
import type { StreamReplay } from './stream-replay.js';

/** The stream. */
export interface StreamReceiver extends ItemReceiver {
  /** An item says that the stream is over. */
  closedByItem(): void;
}

/** The items of one stream. */
export class StreamWriter extends ItemPipeline<HttpStreamFormat, StreamPiece> {
  protected readonly receiver: StreamReceiver;
  protected readonly parts: HoldParts;
  protected list: SubscriptionList;
  protected scope: LinkScope;
  readonly #response: ClientResponse;
  readonly #replay: StreamReplay | undefined;
  #keepAlive: KeepAliveTimer | undefined;
  /** Undefined unless what was missed is being written. */
  #missed: ReplayWriter | undefined;
  /** What is replayed waits for the client. */
  #full = false;

  constructor(
    receiver: StreamReceiver,
    { response, list, scope }: { response: ClientResponse; list: SubscriptionList; scope: LinkScope },
    replay: StreamReplay | undefined,
    parts: HoldParts,
  ) {
    super();
    this.receiver = receiver;
    this.parts = parts;
    this.list = list;
    this.scope = scope;
    this.#response = response;
    this.#replay = replay;
  }

  /** A link's subscriptions have taken the place of the present ones. */
  follow(list: SubscriptionList, scope: LinkScope): void {
    this.list = list;
    this.scope = scope;
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
    const { clock, random } = this.parts.subscriber;
    const piece = new StreamPiece(keepAlive.content);
    const beat = () => {
      if (this.#response.waiting === 0) this.#response.push(piece);
    };
    this.#keepAlive = new KeepAliveTimer(keepAlive, clock, random, beat, this.receiver, since);
  }

  /** Ends the keep-alives: a body goes out. */
  stopKeepAlive(): void {
    this.#keepAlive?.stop();
    this.#keepAlive = undefined;
  }

  override stop(): void {
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
    return own === undefined ? delivery.piece : new StreamPiece(own);
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
    this.parts.replay?.events.itemReplayed('stream');
  }
}
