/**
 * Owns: a response that stays open and to which published items are appended (GRIP `hold: stream`).
 * Does not own: how the hold came about, or the origin's end of the initial body (its owner does).
 */
import type { Instruct } from '@holdfast/grip';
import type { Delivery } from '../channels/delivery.js';
import type { Subscriber } from '../channels/subscriber.js';
import type { SubscriberEnd, SubscriberParts } from '../channels/subscriber-parts.js';
import type { CloseReason } from '../close-reasons.js';
import type { ClientResponse, ResponseOwner } from '../edge/edge.js';
import { StreamPiece } from '../edge/stream-piece.js';
import { KeepAliveTimer } from '../keep-alive.js';
import type { HoldOwner } from './hold.js';

/** `opening`: the initial body is going out, items wait. `open`: items are written as they come. */
type State = 'opening' | 'open' | 'over';

/**
 * Registered from its construction on. Items that arrive while the initial body is going out wait in order, within the
 * same limit as items for a slow client, and follow it.
 */
export class StreamHold implements Subscriber, ResponseOwner {
  readonly id: string;
  readonly kind = 'stream';
  readonly #response: ClientResponse;
  readonly #instruct: Instruct;
  readonly #channels: readonly string[];
  readonly #owner: HoldOwner;
  readonly #parts: SubscriberParts;
  readonly #since: number;
  #state: State = 'opening';
  #early: Delivery[] | undefined;
  #earlyBytes = 0;
  #keepAlive: KeepAliveTimer | undefined;
  #items = 0;
  #dropped = 0;

  /** `channels` are the full names; `instruct` must have a hold. The head is not written yet. */
  constructor(
    id: string,
    response: ClientResponse,
    instruct: Instruct,
    channels: readonly string[],
    owner: HoldOwner,
    parts: SubscriberParts,
  ) {
    this.id = id;
    this.#response = response;
    this.#instruct = instruct;
    this.#channels = channels;
    this.#owner = owner;
    this.#parts = parts;
    this.#since = parts.clock.now();
    response.own(this);
    parts.events.subscriberOpened('stream');
    parts.registry.add(this, channels)?.catch((error: Error) => {
      parts.log.warn({ id, err: error }, 'subscription failed: closing the stream, so that its client comes back');
      this.#end('origin-failed');
    });
  }

  /** Sends the head at once, so that clients know the stream is up before its first byte. Throws as `writeHead` does. */
  open(): void {
    const { code, reason, headers } = this.#instruct.response;
    this.#response.writeHead({ status: code, reason, headers }, undefined, true);
  }

  /** Sends a part of the initial body; false when the client cannot take more: `holdWritable` follows. */
  write(chunk: Buffer): boolean {
    return this.#state === 'over' || this.#response.write(chunk);
  }

  /** The initial body is out: what waited follows, and the keep-alive starts. */
  opened(): void {
    if (this.#state !== 'opening') return;
    this.#state = 'open';
    const { keepAlive } = this.#instruct.hold ?? {};
    if (keepAlive !== undefined) {
      const piece = new StreamPiece(keepAlive.content);
      const { clock, random } = this.#parts;
      this.#keepAlive = new KeepAliveTimer(keepAlive, clock, random, () => this.#beat(piece));
    }
    const early = this.#early;
    this.#early = undefined;
    for (const delivery of early ?? []) this.deliver(delivery);
  }

  /** The origin broke off in the initial body: the client is to see that it is incomplete. */
  abandon(): void {
    this.#end('origin-failed', true);
  }

  deliver(delivery: Delivery): boolean {
    const format = delivery.stream;
    if (this.#state === 'over' || format === undefined) return false;
    if (format.action === 'close') {
      if (this.#state === 'open') this.#end('closed');
      else this.#queue(delivery, 0);
      return true;
    }
    if (format.action !== 'send') return false;
    if (this.#state === 'opening') this.#queue(delivery, format.content.length);
    else this.#send(delivery);
    return true;
  }

  /** A stream without a next link has nothing to recover from. */
  recover(): void {}

  shutDown(): void {
    this.#end('shutdown');
  }

  onWritable(): void {
    this.#owner.holdWritable();
  }

  onGone(): void {
    const end = this.#leave('client-gone');
    if (end !== undefined) this.#owner.holdEnded(end);
  }

  #send(delivery: Delivery): void {
    const { piece } = delivery;
    if (!this.#admits(this.#response.waiting, piece.payload.length)) return;
    this.#response.push(piece);
    this.#items++;
    this.#keepAlive?.sent(delivery.at);
    this.#parts.events.itemSent('stream');
  }

  #queue(delivery: Delivery, bytes: number): void {
    if (!this.#admits(this.#earlyBytes, bytes)) return;
    this.#earlyBytes += bytes;
    this.#early ??= [];
    this.#early.push(delivery);
  }

  /** Whether so many more bytes may wait; otherwise the policy for slow clients is carried out. */
  #admits(waiting: number, bytes: number): boolean {
    const { queueLimit, slowClientPolicy, events, log } = this.#parts;
    if (waiting === 0 || waiting + bytes <= queueLimit) return true;
    events.itemDropped('stream', 'slow-client');
    if (slowClientPolicy === 'drop') {
      // The first loss is reported at once, the number of all of them with the end of the hold.
      if (this.#dropped++ === 0) log.warn({ id: this.id, waiting }, 'slow client: dropping items');
      return false;
    }
    this.#dropped++;
    log.warn({ id: this.id, waiting }, 'slow client: closing its stream');
    this.#end('slow-client', true, true);
    return false;
  }

  #beat(piece: StreamPiece): void {
    if (this.#response.waiting === 0) this.#response.push(piece);
  }

  #end(reason: CloseReason, broken = false, discard = false): void {
    const end = this.#leave(reason);
    if (end === undefined) return;
    if (broken) this.#response.abort(discard);
    else this.#response.end();
    this.#owner.holdEnded(end);
  }

  #leave(reason: CloseReason): SubscriberEnd | undefined {
    if (this.#state === 'over') return undefined;
    this.#state = 'over';
    this.#keepAlive?.stop();
    this.#early = undefined;
    const { clock, registry, events } = this.#parts;
    registry.remove(this, this.#channels);
    events.subscriberEnded('stream', reason);
    const duration = clock.now() - this.#since;
    const { length } = this.#channels;
    return {
      kind: 'stream',
      reason,
      items: this.#items,
      dropped: this.#dropped,
      duration,
      channels: length === 0 ? [] : this.#channels,
    };
  }
}
