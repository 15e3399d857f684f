/**
 * The way of items into one connection: filter → admit → encode → write → count. What a response hold, a stream and a
 * session do differently is what their classes, which extend it, fill in.
 */
import type { Faulty } from '@holdfast/control-api';
import type { HttpResponseFormat, HttpStreamFormat, WsMessageFormat, XmppStanzaFormat } from '@holdfast/grip';
import type { Delivery } from '../channels/delivery.js';
import type { Subscriber, SubscriberKind } from '../channels/subscriber.js';
import type { SubscriberDeps } from '../channels/subscriber-deps.js';
import type { Subscription, SubscriptionList } from '../channels/subscription-list.js';
import type { HttpFilters } from '../links/http-filter.js';
import type { LinkScope } from '../links/link-scope.js';
import { type Filtered, ItemFilter, mayPass, passesFreely } from './item-filter.js';

/** An item in the form for one kind of connection. */
export type ItemFormat = HttpResponseFormat | HttpStreamFormat | WsMessageFormat | XmppStanzaFormat;

/** Of a form, the part that has content for the client. */
export type SendFormat<Format extends ItemFormat> = Extract<Format, { readonly action: 'send' }>;

/** Of a form, what it asks for otherwise. */
export type ActionFormat<Format extends ItemFormat> = Exclude<Format, { readonly action: 'send' }>;

/** What is written for an item. */
export interface Encoded {
  /** What counts against `client_queue_size` while it waits. */
  readonly payload: Buffer;
}

/** What the pipelines of holds and of sessions share. */
export interface PipelineDeps {
  readonly subscriber: SubscriberDeps;
  readonly filters: HttpFilters;
  /** The global debug setting. */
  readonly debug: boolean;
}

/** The hold or session that items are for. Each of its methods may end it. */
export interface ItemReceiver extends Faulty {
  readonly id: string;
  readonly routeKey: string;
  /** Its client is shown what is wrong. */
  readonly isDebug: boolean;
  /** More waits for the client than may, and it is to be closed. */
  overflowed(): void;
  /** An item could not be filtered, on a debug route. */
  filterFailed(error: string): void;
}

const EMPTY = Buffer.alloc(0);

/**
 * One connection's pipeline. An item that no filter has to look at passes within the call and allocates nothing here; of
 * others the order is kept, however long a filter takes. It is a base class, so that a connection that waits for items has
 * no further object for it.
 */
export abstract class ItemPipeline<Format extends ItemFormat, Piece extends Encoded> {
  protected abstract readonly receiver: ItemReceiver;
  protected abstract readonly deps: PipelineDeps;
  /** Label of metrics. */
  protected abstract readonly kind: SubscriberKind;
  /** The connection's name in the log. */
  protected abstract readonly noun: string;
  /** Whether the client relies on getting every item: where it is too slow it is closed, so that it comes back for them. */
  protected abstract readonly needsAll: boolean;
  /** What filters may look at. */
  protected abstract readonly list: SubscriptionList;
  /** Where links of filters lead. Asked for when the first item needs a filter. */
  protected abstract readonly scope: LinkScope;
  /** Made when the first item needs one. */
  #filter: ItemFilter | undefined;
  #over = false;
  #items = 0;
  #dropped = 0;

  /** Bytes that wait for the client before this item; 0 where the item itself waits until the client has room. */
  protected abstract waitingBefore(delivery: Delivery): number;

  /** Makes what is written; `own` is the content where a filter has changed it for this client. Undefined: nothing can be. */
  protected abstract encode(delivery: Delivery, format: SendFormat<Format>, own: Buffer | undefined): Piece | undefined;

  /** Writes it. */
  protected abstract write(piece: Piece, delivery: Delivery, own: Buffer | undefined): void;

  /** Does what an item without content asks for. */
  protected abstract act(format: ActionFormat<Format>): void;

  /** Why content that a filter has made cannot be sent, if it cannot. */
  protected refusal(_format: Format, _own: Buffer): string | undefined {
    return undefined;
  }

  /** Items that were written. */
  get items(): number {
    return this.#items;
  }

  /** Items that were not, because the client is slow. */
  get dropped(): number {
    return this.#dropped;
  }

  /** Takes an item of a subscription, now or when its filters have answered. */
  take(delivery: Delivery, format: Format, subscription: Subscription): void {
    const contentFilters = format.action === 'send' ? format.contentFilters : undefined;
    if (this.#filter?.isBusy !== true && passesFreely(subscription.plan, contentFilters)) {
      this.#pass(delivery, format, undefined);
    } else this.#runFilters(delivery, format, subscription, contentFilters);
  }

  /** Whether so many more bytes may wait beside those that do; otherwise the policy for slow clients is applied. */
  admits(waiting: number, bytes: number, channel?: string): boolean {
    const { clientQueueSize, slowClientPolicy, events, log } = this.deps.subscriber;
    if (waiting === 0 || waiting + bytes <= clientQueueSize) return true;
    events.itemDropped(this.kind, 'slow-client', channel);
    const isFirst = this.#dropped++ === 0;
    const { id } = this.receiver;
    if (slowClientPolicy === 'close' || this.needsAll) {
      log.warn({ id, waiting }, `slow client: closing its ${this.noun}`);
      this.receiver.overflowed();
      // The first loss is reported at once, the number of all of them with the end of the connection.
    } else if (isFirst) log.warn({ id, waiting }, 'slow client: dropping items');
    return false;
  }

  /** The same of an item, beside those of a queue. */
  admitsItem(queue: { readonly bytes: number } | undefined, { bytes, item }: Delivery): boolean {
    return this.admits(queue?.bytes ?? 0, bytes, item.channel);
  }

  /** Whether content of this form would be written now: nothing waits for a filter, no filter is against it, and the client has room. */
  fits(delivery: Delivery, format: Format | undefined): boolean {
    if (this.#over || this.isFiltering || format === undefined || format.action !== 'send') return false;
    const subscription = this.list.through(delivery);
    if (subscription === undefined) return false;
    const content = contentOf(format);
    const waiting = this.waitingBefore(delivery);
    if (waiting > 0 && waiting + content.length > this.deps.subscriber.clientQueueSize) return false;
    return mayPass(this.list, subscription.plan, delivery.item, content, format.contentFilters);
  }

  /** Whether an item waits for a filter that asks a server. */
  get isFiltering(): boolean {
    return this.#filter?.isBusy === true;
  }

  /** Calls `then` when no item waits for a filter that asks a server: now, or later. */
  whenIdle(then: () => void): void {
    if (this.#filter === undefined) then();
    else this.#filter.whenIdle(then);
  }

  /**
   * Calls `then` when the items that wait for a filter are through: now, or later. None comes after them, for `subscriber`, whose items
   * these are, is taken off its channels.
   */
  finish(subscriber: Subscriber, then: () => void): void {
    if (this.isFiltering) {
      const { channels, patterns } = this.list;
      this.deps.subscriber.registry.remove(subscriber, channels, patterns);
    }
    this.whenIdle(then);
  }

  /** The connection is over: nothing is written any more. */
  stop(): void {
    this.#over = true;
  }

  /** Whether `stop` was called. */
  protected get isOver(): boolean {
    return this.#over;
  }

  /** `list` and `scope` are others from here on. */
  protected relist(): void {
    this.#filter = undefined;
  }

  /** An item has passed its filters. */
  #pass(delivery: Delivery, format: Format, own: Buffer | undefined): void {
    if (!isSend(format)) {
      this.act(format as ActionFormat<Format>);
      return;
    }
    const piece = this.encode(delivery, format, own);
    if (piece === undefined || !this.#hasRoom(delivery, piece)) return;
    this.write(piece, delivery, own);
    this.#items++;
    const { events, traffic } = this.deps.subscriber;
    events.itemSent(this.kind, this.receiver.routeKey);
    traffic?.bytesSent(this.kind, piece.payload.length);
  }

  #runFilters(
    delivery: Delivery,
    format: Format,
    subscription: Subscription,
    contentFilters: readonly string[] | undefined,
  ): void {
    this.#filter ??= new ItemFilter(this.list, this.scope, this.deps.filters, (filtering) =>
      this.deps.subscriber.faults.watch('delivery', filtering, this.receiver),
    );
    const content = contentOf(format);
    this.#filter.run(subscription, delivery.item, content, contentFilters, (filtered) => {
      if (!this.#over) this.#filtered(delivery, format, content, filtered);
    });
  }

  #filtered(delivery: Delivery, format: Format, content: Buffer, filtered: Filtered): void {
    if (filtered.result === 'drop') return;
    if (filtered.result === 'error') {
      this.#failed(filtered.error, delivery);
      return;
    }
    const own = filtered.content === content ? undefined : filtered.content;
    const refusal = own === undefined ? undefined : this.refusal(format, own);
    if (refusal === undefined) this.#pass(delivery, format, own);
    else this.#failed(refusal, delivery);
  }

  #hasRoom(delivery: Delivery, { payload }: Piece): boolean {
    return this.admits(this.waitingBefore(delivery), payload.length, delivery.item.channel);
  }

  #failed(error: string, { item }: Delivery): void {
    const { events, log } = this.deps.subscriber;
    events.itemDropped(this.kind, 'filter-failed', item.channel);
    log.warn({ id: this.receiver.id, error }, 'item not delivered: its filter failed');
    if (this.receiver.isDebug) this.receiver.filterFailed(error);
  }
}

function isSend<Format extends ItemFormat>(format: Format): format is SendFormat<Format> {
  return format.action === 'send';
}

/** What filters are given: empty for an action, and for a patch, which they cannot look at. */
function contentOf(format: ItemFormat): Buffer {
  if (format.action !== 'send') return EMPTY;
  return ('content' in format ? format.content : format.body) ?? EMPTY;
}
