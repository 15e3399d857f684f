/** The one way in, for HTTP and ZeroMQ: makes ids, hands items over to the backplane, gives receipts. */
import { randomUUID } from 'node:crypto';
import { channelNameFault, GripError, type Item, type ItemWarnings, listFormats, type Writable } from '@holdfast/grip';
import type { Acceptance, Backplane, ItemMessage, Message } from './backplane/backplane.js';
import { ControlError, PartlyAccepted } from './errors.js';
import type { CauseLog } from './runtime/bounded-logs.js';
import type { Log } from './runtime/log.js';
import { formatTraceparent, SAMPLED, type TraceContext } from './tracing/trace-context.js';
import { ATTRIBUTE_CHARS, type Span, type Tracing } from './tracing/tracing.js';
import { fitsSomebody, type Reach, type SubscriberCounts } from './views/reach.js';

/**
 * Receives successes from `Publisher` and refusals from each ingress. Implementations must be cheap and must not throw.
 */
export interface PublishEvents {
  /** The backplane accepted one call with this many items (0 for an empty batch). */
  published(items: number): void;
  /** So many items of a call were accepted, and reached nobody. Left out: they are not counted. */
  unreceived?(items: number): void;
  /** The backplane accepted a recover. */
  recovered(): void;
  /**
   * An ingress refused a request, or could not get it accepted: once per request. `reason` is an `ERR_…` code of this
   * package or of @holdfast/grip, hence from a bounded set and fit for a label.
   */
  rejected(reason: string): void;
  /** A publish was accepted or refused, so many ms after it was read. Left out: it is not measured. */
  publishEnded?(result: ControlResult, ms: number): void;
  /** A limit has refused something; `limit` is its name, hence from a bounded set. Beside `rejected`. */
  limited(limit: string): void;
  /**
   * A request that needs a permission was answered: for this scope, by the key with this id, or with none (the empty text), and
   * how. Ids are those of configured keys.
   */
  requested(action: string, key: string, result: ControlResult): void;
}

/** How a request of the control API ended. */
export type ControlResult = 'ok' | 'unauthenticated' | 'forbidden' | 'rate' | 'refused' | 'failed';

/** Counts nothing. */
export const noPublishEvents: PublishEvents = {
  published() {},
  recovered() {},
  rejected() {},
  limited() {},
  requested() {},
};

/** What became of one accepted item. */
export interface PublishReceipt {
  /** The item's id, or the one made for it. */
  readonly id: string;
  readonly channel: string;
  /**
   * Subscribers of the channel on the node that took the item, when it was taken: before delivery, as delivery ends
   * response holds. Filters and deduplication may still keep the item from some of them. Left out where the node does
   * not know, because its workers hold the connections, unless its reach was counted.
   */
  readonly subscribers?: number;
  /** How many nodes had a subscriber of the channel; see `Acceptance.nodes`. */
  readonly nodes?: number;
  /** Where the item stands in its channel; both or neither. For a duplicate: where the first one does. */
  readonly offset?: number;
  readonly epoch?: string;
  /** The id was published on this channel a moment ago: this item goes nowhere. */
  readonly duplicate?: true;
  /** The channel has had this version or a later one: this item goes nowhere. */
  readonly stale?: true;
  /** Subscribers on all nodes for whose kind the item has a format; see `Reach.of`. Left out where nobody asked. */
  readonly reach?: SubscriberCounts;
  /**
   * Nobody was there for the item: no node had interest, no subscriber takes its formats, or all nodes have counted nobody for it just
   * before. Who comes later may still find it in the history. Not of duplicates, nor of what is stale.
   */
  readonly unreceived?: true;
  /** What of the item means nothing; see `ItemWarnings`. Left out where there are none, or nobody looked. */
  readonly warnings?: readonly string[];
}

/** What is to be said of a publish beside what its acceptance says. */
export interface PublishDetails {
  /** Counted before the publish. */
  readonly reach?: Reach | undefined;
  readonly warnings?: ItemWarnings | undefined;
}

/** The receipt of an item of a publish that the backplane did not accept as a whole. */
export interface PartReceipt extends PublishReceipt {
  /** False: refused, or not accepted as far as is known. The receipt then only names the item. */
  readonly accepted: boolean;
}

const NO_DETAILS: PublishDetails = {};
const NOT_ACCEPTED: Acceptance = { duplicate: false };

/** What a receipt says beside the acceptance. */
interface ReceiptDetails {
  readonly reach: Reach | undefined;
  readonly warnings: readonly string[] | undefined;
  /** False where no subscriber on this node takes a format of the item. */
  readonly isTaken: boolean;
}

/** The receipt of a message; without an acceptance, of one that is not known to be accepted. */
function receiptOf(
  { id, item }: ItemMessage,
  counted: number | undefined,
  acceptance: Acceptance | undefined,
  { reach, warnings, isTaken }: ReceiptDetails,
): PublishReceipt {
  const { channel } = item;
  const { duplicate, stale, nodes, position } = acceptance ?? NOT_ACCEPTED;
  const receipt: Writable<PublishReceipt> = { id, channel };
  const subscribers = counted ?? reach?.onOwnNode(channel);
  if (subscribers !== undefined) receipt.subscribers = subscribers;
  if (nodes !== undefined) receipt.nodes = nodes;
  if (position !== undefined) {
    receipt.epoch = position.epoch;
    receipt.offset = position.offset;
  }
  if (duplicate) receipt.duplicate = duplicate;
  else if (stale) receipt.stale = stale;
  else if (acceptance !== undefined) {
    const fit = reach?.of(item);
    if (fit !== undefined) receipt.reach = fit;
    // With one node that has subscribers, and some here, these are all; where nodes are not known, others may have some.
    const isPassedOver = !isTaken && nodes === 1;
    const isCounted = reach?.silent.length === 0 && isNobody(fit);
    if (nodes === 0 || !fitsSomebody(item) || isPassedOver || isCounted) receipt.unreceived = true;
  }
  if (warnings !== undefined) receipt.warnings = warnings;
  return receipt;
}

function isNobody(counts: SubscriberCounts | undefined): boolean {
  return counts !== undefined && Object.values(counts).every((count) => count === 0);
}

/** Some items of a publish were accepted, and others not. Code, text and cause are those of the refusal. */
export class PartlyPublished extends ControlError {
  /** Per item, in order. */
  readonly receipts: readonly PartReceipt[];

  constructor(refusal: ControlError, receipts: readonly PartReceipt[]) {
    super(refusal.code, refusal.message, { cause: refusal.cause });
    this.receipts = receipts;
  }

  /** How many were. */
  get accepted(): number {
    return this.receipts.filter(({ accepted }) => accepted).length;
  }
}

/** What may be published at all. */
export interface PublishLimits {
  /** Bytes of a channel's name; see `channelNameFault`. */
  readonly channelNameMax: number;
  /** Items of one publish. */
  readonly idsMax: number;
}

const NO_LIMITS: PublishLimits = { channelNameMax: Number.POSITIVE_INFINITY, idsMax: Number.POSITIVE_INFINITY };

/** What a {@link Publisher} is made of. */
export interface PublisherOptions {
  /** Already started. */
  readonly backplane: Pick<Backplane, 'publish'>;
  /** Subscribers of a channel on this node, if it knows; called once per item, so it must be a look-up. */
  readonly countSubscribers: (channel: string) => number | undefined;
  /**
   * Whether a subscriber on this node takes a format of the item, or may; asked of channels that have some, once per item, so it must not
   * look at all. Left out: it is not known.
   */
  readonly isTaken?: ((item: Item) => boolean) | undefined;
  readonly events: PublishEvents;
  readonly log: Log;
  /** Logs formats that no subscriber takes. Left out: they are not logged. */
  readonly causes?: CauseLog | undefined;
  /** Left out: none but those of the ingresses. */
  readonly limits?: PublishLimits;
  /** Left out: traces are not followed. */
  readonly tracing?: Tracing | undefined;
}

/** Publishes parsed items. One per node, shared by all ingresses. */
export class Publisher {
  readonly #backplane: Pick<Backplane, 'publish'>;
  readonly #countSubscribers: (channel: string) => number | undefined;
  readonly #isTaken: (item: Item) => boolean;
  readonly #events: PublishEvents;
  readonly #log: Log;
  #isStopped = false;
  readonly #causes: CauseLog | undefined;
  readonly #limits: PublishLimits;
  readonly #tracing: Tracing | undefined;

  constructor(options: PublisherOptions) {
    this.#backplane = options.backplane;
    this.#countSubscribers = options.countSubscribers;
    this.#isTaken = options.isTaken ?? (() => true);
    this.#events = options.events;
    this.#log = options.log;
    this.#causes = options.causes;
    this.#limits = options.limits ?? NO_LIMITS;
    this.#tracing = options.tracing;
  }

  /**
   * Publishes items, all or none; resolves with a receipt per item, in order, once the backplane accepted them.
   * The items are handed over before this method returns, so that calls keep their order without being awaited.
   * Rejects with the `ControlError` of the backplane; where that accepted some of the items, with {@link PartlyPublished}; with
   * ERR_CONTROL_STOPPING; and, with nothing published, with ERR_CONTROL_ITEMS for more items than `idsMax`, and with the
   * `GripError` ERR_GRIP_ITEM for a channel that may not have its name. `trace` is the publisher's, which is continued.
   */
  publish(items: readonly Item[], trace?: TraceContext, details = NO_DETAILS): Promise<PublishReceipt[]> {
    const span = this.#tracing && begin(this.#tracing, items, trace);
    return span === undefined ? this.#publish(items, undefined, details) : this.#recorded(items, span, details);
  }

  async #recorded(items: readonly Item[], span: Span, details: PublishDetails): Promise<PublishReceipt[]> {
    try {
      const receipts = await this.#publish(items, span.context, details);
      span.end();
      return receipts;
    } catch (error) {
      const { code } = error as { readonly code?: string };
      span.end({}, code ?? 'ERR_CONTROL_INTERNAL');
      throw error;
    }
  }

  /** Whether `publish` has a use for the trace of a publisher. */
  get followsTraces(): boolean {
    return this.#tracing !== undefined;
  }

  async #publish(
    items: readonly Item[],
    trace: TraceContext | undefined,
    { reach, warnings }: PublishDetails,
  ): Promise<PublishReceipt[]> {
    this.#assertTakes();
    this.#assertWithin(items);
    // The state of a trace is for those that it passes through, and may be long: nodes need what names the publish.
    const isRecorded = trace !== undefined && (trace.flags & SAMPLED) !== 0;
    const headers = isRecorded ? { traceparent: formatTraceparent(trace) } : undefined;
    const messages: Message[] = [];
    const counts: (number | undefined)[] = [];
    let untaken: Set<number> | undefined;
    for (const item of items) {
      // Not written into the item: one without id resets sequencing and cannot be deduplicated.
      const message = { type: 'item', item, id: item.id ?? randomUUID() } as const;
      messages.push(headers === undefined ? message : { ...message, headers });
      const count = this.#countSubscribers(item.channel);
      if (count !== undefined && count > 0 && !this.#isTaken(item)) {
        untaken ??= new Set();
        untaken.add(counts.length);
      }
      counts.push(count);
      if (item.unknownFormats !== undefined) this.#unknown(item.channel, item.unknownFormats);
    }
    const receiptAt = (i: number, acceptance?: Acceptance) =>
      receiptOf(messages[i] as ItemMessage, counts[i], acceptance, {
        reach,
        warnings: warnings?.at(i),
        isTaken: untaken?.has(i) !== true,
      });
    let acceptances: readonly Acceptance[];
    try {
      acceptances = await this.#backplane.publish(messages);
    } catch (error) {
      if (!(error instanceof PartlyAccepted)) throw error;
      const partly = new PartlyPublished(
        error,
        error.acceptances.map((acceptance, i) => ({ ...receiptAt(i, acceptance), accepted: acceptance !== undefined })),
      );
      this.#events.published(partly.accepted);
      this.#unreceived(partly.receipts);
      throw partly;
    }
    const receipts = acceptances.map((acceptance, i) => receiptAt(i, acceptance));
    this.#events.published(items.length);
    this.#unreceived(receipts);
    if (this.#log.isDebug()) for (const receipt of receipts) this.#log.debug(receipt, 'item published');
    return receipts;
  }

  /** What a publish that was read at `since`, by `performance.now`, has come to. */
  ended(result: ControlResult, since: number): void {
    this.#events.publishEnded?.(result, performance.now() - since);
  }

  /** Counts and logs those that reached nobody: a typing error in a channel, a prefix left out, or nobody there just now. */
  #unreceived(receipts: readonly PublishReceipt[]): void {
    let items = 0;
    let first: PublishReceipt | undefined;
    for (const receipt of receipts) {
      if (receipt.unreceived === undefined) continue;
      items++;
      first ??= receipt;
    }
    if (first === undefined) return;
    this.#events.unreceived?.(items);
    const { channel, id, subscribers = 0 } = first;
    const why = subscribers > 0 ? ', whose subscribers take other formats' : '';
    const text = `published items reached nobody: channel=${channel}${why}`;
    this.#causes?.info('unreceived', { channel, id, items }, text);
  }

  /** Pushpin takes such items too: formats of other tools may be among them. */
  #unknown(channel: string, names: readonly string[]): void {
    const quoted = names.map((name) => JSON.stringify(name)).join(', ');
    const text = `published formats of no use: ${quoted}; known are ${listFormats('and')}`;
    this.#causes?.warn(`formats ${names[0]}`, { channel, formats: names }, text);
  }

  /** Has all nodes recover (see `RecoverMessage`); resolves and rejects as {@link publish} does. */
  async recover(): Promise<void> {
    this.#assertTakes();
    await this.#backplane.publish([{ type: 'recover' }]);
    this.#events.recovered();
    this.#log.info({}, 'recover published');
  }

  /**
   * Refuses everything from now on, as the subscribers are about to be disconnected. What was taken before has been
   * handed to the backplane.
   */
  stop(): void {
    this.#isStopped = true;
  }

  /** Here, and not in each ingress, so that none is without it. */
  #assertWithin(items: readonly Item[]): void {
    const { channelNameMax, idsMax } = this.#limits;
    if (items.length > idsMax) {
      this.#events.limited('ids_max');
      const text = `Too many items: ${items.length}, where one publish may have ${idsMax} (ids_max).`;
      throw new ControlError('ERR_CONTROL_ITEMS', text);
    }
    if (channelNameMax === Number.POSITIVE_INFINITY) return;
    for (const [at, { channel }] of items.entries()) {
      const fault = channelNameFault(channel, channelNameMax);
      if (fault === undefined) continue;
      this.#events.limited('channel_name_max');
      throw new GripError('ERR_GRIP_ITEM', `Invalid format: items[${at}]: ${fault}`);
    }
  }

  #assertTakes(): void {
    if (this.#isStopped) throw new ControlError('ERR_CONTROL_STOPPING', 'The node is stopping.');
  }
}

/** The span of a publish. Where none is recorded, the context of the publisher alone is passed on. */
function begin(tracing: Tracing, items: readonly Item[], parent: TraceContext | undefined): Span | undefined {
  if (!tracing.records && parent === undefined) return undefined;
  const attributes = {
    'messaging.system': 'holdfast',
    'messaging.operation.name': 'publish',
    'messaging.operation.type': 'send',
    'messaging.batch.message_count': items.length,
    'messaging.destination.name': items.length === 1 ? items[0]?.channel.slice(0, ATTRIBUTE_CHARS) : undefined,
  };
  return tracing.start({ kind: 'producer', name: 'publish', parent, attributes });
}
