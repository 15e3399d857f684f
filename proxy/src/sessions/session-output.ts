/**
 * Owns: the way of items into one session: their filters, the limit of what may wait for the client, tokens for those
 * who may come back, and their count. Does not own: the subscriptions, what the origin says, or the session's end.
 */
import { isUtf8 } from 'node:buffer';
import type { Faulty } from '@holdfast/control-api';
import type { Delivery } from '../channels/delivery.js';
import type { Subscription, SubscriptionList } from '../channels/subscription-list.js';
import { type Filtered, ItemFilter, passesFreely } from '../links/item-filter.js';
import { scopeOf } from '../links/link-scope.js';
import { FramePiece } from '../websocket/frame-piece.js';
import type { MessageSocket } from '../websocket/message-socket.js';
import type { Dial, SessionParts } from './session-parts.js';
import { SessionReplay } from './session-replay.js';

const EMPTY = Buffer.alloc(0);

/** The session. Each of its methods may end it. */
export interface SessionOutputOwner extends Faulty {
  readonly id: string;
  readonly routeKey: string;
  readonly dial: Dial;
  readonly client: MessageSocket;
  readonly subscriptions: SubscriptionList;
  /** An item was sent. */
  sent(): void;
  /** Delivers an item that had to wait for what was missed before it. */
  deliver(delivery: Delivery): void;
  /** An item asks for news of the origin. */
  refresh(): void;
  /** An item says that the session is over. */
  closedByItem(code: number | undefined, reason: string | undefined): void;
  /** More waits for the client than may, and it is to be closed. */
  overflowed(): void;
  /** An item could not be filtered, on a debug route. */
  filterFailed(error: string): void;
}

/** The items of one session. */
export class SessionOutput {
  readonly #owner: SessionOutputOwner;
  readonly #parts: SessionParts;
  /** Undefined unless the client asked for it. */
  readonly #replay: SessionReplay | undefined;
  #filter: ItemFilter | undefined;
  #over = false;
  #items = 0;
  #dropped = 0;

  /** `resume` is as of `SessionStart`. */
  constructor(owner: SessionOutputOwner, resume: string | undefined, parts: SessionParts) {
    this.#owner = owner;
    this.#parts = parts;
    this.#replay = this.#makeReplay(resume);
  }

  /** Items that were sent. */
  get items(): number {
    return this.#items;
  }

  /** Items that were not, because the client is slow. */
  get dropped(): number {
    return this.#dropped;
  }

  /** An item of a subscription has come: it is carried out now, or after what the history has to tell. */
  take(delivery: Delivery, subscription: Subscription): void {
    if (this.#replay === undefined || this.#replay.admits(delivery)) this.#run(delivery, subscription);
  }

  /** The session has come to a channel; `live` is as of `ChannelRegistry.add`. */
  subscribed(channel: string, live: Promise<void> | undefined): void {
    this.#replay?.subscribed(channel, live);
  }

  /** The session has left a channel. */
  unsubscribed(channel: string): void {
    this.#replay?.unsubscribed(channel);
  }

  /** The client has room again. */
  writable(): void {
    this.#replay?.writable();
  }

  /** Whether so many more bytes may wait for the client; otherwise the policy for slow clients is carried out. */
  admits(bytes: number): boolean {
    const { clientQueueSize, slowClientPolicy, events, log } = this.#parts.subscriber;
    const { waiting } = this.#owner.client;
    if (waiting === 0 || waiting + bytes <= clientQueueSize) return true;
    events.itemDropped('ws', 'slow-client');
    const first = this.#dropped++ === 0;
    // One that can come back gets what it missed.
    if (slowClientPolicy === 'close' || this.#replay !== undefined) {
      log.warn({ id: this.#owner.id, waiting }, 'slow client: closing its session');
      this.#owner.overflowed();
    } else if (first) log.warn({ id: this.#owner.id, waiting }, 'slow client: dropping items');
    return false;
  }

  /** The session is over: nothing is sent any more. */
  stop(): void {
    this.#over = true;
    this.#replay?.stop();
  }

  #makeReplay(resume: string | undefined): SessionReplay | undefined {
    const { replay, subscriber } = this.#parts;
    if (replay === undefined || resume === undefined) return undefined;
    return new SessionReplay(resume, subscriber.clientQueueSize, replay, {
      replay: (delivery) => {
        const subscription = this.#owner.subscriptions.find(delivery.item.channel);
        // What another action asked for was for those who were there.
        if (subscription !== undefined && delivery.ws?.action === 'send') this.#run(delivery, subscription);
      },
      deliver: (delivery) => this.#owner.deliver(delivery),
      whenIdle: (then) => {
        if (this.#filter === undefined) then();
        else this.#filter.whenIdle(then);
      },
      push: (frame) => this.#owner.client.push(frame),
      overflowed: () => this.#owner.overflowed(),
      watch: (work) => subscriber.faults.watch('history', work, this.#owner),
    });
  }

  /** Runs the filters, if there are any. */
  #run(delivery: Delivery, subscription: Subscription): void {
    const format = delivery.ws;
    const contentFilters = format?.action === 'send' ? format.contentFilters : undefined;
    if (this.#filter?.isBusy !== true && passesFreely(subscription.plan, contentFilters)) {
      this.#use(delivery, undefined);
      return;
    }
    const { dial, subscriptions } = this.#owner;
    const { request, route, standing } = dial;
    this.#filter ??= new ItemFilter(
      subscriptions,
      scopeOf(request, route, standing),
      this.#parts.filters,
      (filtering) => this.#parts.subscriber.faults.watch('delivery', filtering, this.#owner),
    );
    const content = format?.action === 'send' ? format.content : EMPTY;
    this.#filter.run(subscription, delivery.item, content, contentFilters, (filtered) => {
      if (!this.#over && filtered.result !== 'drop') this.#filtered(delivery, content, filtered);
    });
  }

  #filtered(delivery: Delivery, content: Buffer, filtered: Filtered): void {
    if (filtered.result === 'error') this.#filterFailed(filtered.error);
    else if (filtered.result === 'send') {
      const { ws } = delivery;
      const isOwn = filtered.content !== content && ws?.action === 'send';
      if (isOwn && ws.type === 'text' && !isUtf8(filtered.content)) {
        this.#filterFailed('filter error: it made text that is not UTF-8');
      } else this.#use(delivery, isOwn ? new FramePiece(ws.type, filtered.content) : undefined);
    }
  }

  #filterFailed(error: string): void {
    const { events, log } = this.#parts.subscriber;
    events.itemDropped('ws', 'filter-failed');
    log.warn({ id: this.#owner.id, error }, 'item not delivered: its filter failed');
    if (this.#owner.dial.route.debug || this.#parts.debug) this.#owner.filterFailed(error);
  }

  /** Carries an item out; `own` is the message where a filter has changed it for this client. */
  #use(delivery: Delivery, own: FramePiece | undefined): void {
    const format = delivery.ws;
    if (format?.action === 'refresh') this.#owner.refresh();
    else if (format?.action === 'close') this.#owner.closedByItem(format.code, format.reason);
    else if (this.#send(own ?? delivery.frame, delivery)) {
      this.#items++;
      this.#owner.sent();
      this.#parts.subscriber.events.itemSent('ws', this.#owner.routeKey);
    }
  }

  /** False when the client is too slow for it. */
  #send(frame: FramePiece, delivery: Delivery): boolean {
    if (this.#replay?.isTold(delivery)) this.#sendTold(frame, delivery, this.#replay);
    else {
      if (!this.admits(frame.payload.length)) return false;
      const { client } = this.#owner;
      client.push(frame);
      const mark = this.#replay?.mark(delivery);
      if (mark !== undefined) client.push(mark);
    }
    return true;
  }

  #sendTold({ type, payload }: FramePiece, delivery: Delivery, replay: SessionReplay): void {
    const { client } = this.#owner;
    const mark = replay.mark(delivery);
    this.#parts.replay?.events.itemReplayed('ws');
    const taken = client.send(type, payload);
    if (!(mark === undefined ? taken : client.send(mark.type, mark.payload))) replay.filled();
  }
}
