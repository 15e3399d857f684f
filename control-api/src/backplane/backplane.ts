/** The port between publishing and delivery: how published messages reach every node, and how past ones are read. */
import type { Item } from '@holdfast/grip';
import type { Containment } from '../runtime/faults.js';
import type { ItemHeaders } from './item-headers.js';

/**
 * Where an item stands among all items of its channel. Offsets begin at 1 and grow by 1 with each accepted item; they
 * may be compared only within the same epoch, which changes whenever the count had to begin anew.
 */
export interface Position {
  readonly epoch: string;
  readonly offset: number;
}

/** A published item on its way. */
export interface ItemMessage {
  readonly type: 'item';
  readonly item: Item;
  /**
   * Never missing: `item.id`, or one made by `Publisher` when the publisher gave none. A made id identifies the
   * message in receipts and retries only; it must not be shown to clients or used for sequencing, for which an item
   * without id has a meaning of its own.
   */
  readonly id: string;
  /** Set by a backplane that counts the items of a channel; publishers leave it out. */
  readonly position?: Position;
  /**
   * What its publisher sends along to every node, as far as it is within the bounds of `boundedHeaders`. Absent in what nodes of
   * earlier versions publish.
   */
  readonly headers?: ItemHeaders;
  /**
   * The prefix by the interest in which it has come (see {@link PrefixInterest}), set by the backplane; absent where it came by interest
   * in its channel. Such a message has no position: those of its channel say nothing of what comes by the prefix.
   */
  readonly prefix?: string;
  /** Of an item with `deliver: one`, for a listener that takes claims. Without it such an item may be shown, and is given to nobody. */
  readonly claim?: ItemClaim;
}

/**
 * The right to give an item with `deliver: one` to a subscriber, which one listener of the whole system gets, in turn. The listener answers
 * once, and soon: others may be waiting for it.
 */
export interface ItemClaim {
  /** It has a subscriber for the item. Undefined: it may give it; else resolves with whether it may. Never rejects. */
  take(): Promise<boolean> | undefined;
  /** It has none. */
  pass(): void;
}

/** Whether an item waits for callbacks: it has a form for servers, and is for all subscribers; one for a single client goes to nobody else. */
export function isForCallbacks({ formats, deliver }: Item): boolean {
  return formats.httpRequest !== undefined && deliver === undefined;
}

/** All nodes forget what they know about last ids, and bring their holds up to date from the origins. */
export interface RecoverMessage {
  readonly type: 'recover';
}

/** What a backplane carries. Shared, not copied: nobody changes a message once it is published. */
export type Message = ItemMessage | RecoverMessage;

/** What became of one accepted message. */
export interface Acceptance {
  /** An item with this id was accepted on this channel a moment ago: this one goes nowhere. Only for items with id. */
  readonly duplicate: boolean;
  /** The channel has had an item of this version or a later one: this one goes nowhere. Only for items with a version. */
  readonly stale?: true;
  /**
   * How many nodes had interest in the item's channel when it was accepted. Left out for a duplicate, for recover, and
   * where it is not known, and for a stale item.
   */
  readonly nodes?: number;
  /** Where the item stands, or, for a duplicate, where the first one does; for a stale one, the newest. Left out where items are not counted. */
  readonly position?: Position;
}

/**
 * Why items may be missing: the history no longer holds them (`trimmed`), the channel was counted anew (`epoch`), or the
 * store came back with less than it had accepted (`rewound`, as after the failover of an asynchronous replica).
 */
export type GapReason = 'trimmed' | 'epoch' | 'rewound';

/** Items of a channel that were, or may have been, accepted and will never reach this node. */
export interface Gap {
  readonly channel: string;
  /** They were to come by the interest in this prefix, of whichever channels; `channel` says nothing then. */
  readonly prefix?: string;
  readonly reason: GapReason;
  /** The last item before the gap that this node got. */
  readonly after: Position;
  /** The last item that is known to be lost. Undefined when it is not known how many are. */
  readonly until: Position | undefined;
}

/** The receiving end on a node. Its methods are never called while another call is running, and must not throw. */
export interface BackplaneListener {
  /** It gives items to subscribers, and takes the claims of those with `deliver: one`. Left out: it is shown them without. */
  readonly claims?: true;

  /**
   * Called once per message, in publish order per channel. A throw is caught and logged, and affects neither other
   * messages nor the publisher. May call any method of the backplane; what it publishes is delivered after the messages
   * that are already on their way.
   */
  onMessage(message: Message): void;

  /** Items of a channel are lost to this node; called in their place, before any item that was accepted after them. */
  onGap(gap: Gap): void;
}

/**
 * Carries messages from the node that took them to every node concerned. Every implementation passes the contract in
 * test/backplane/contract.ts.
 *
 * - **Who gets what.** An item goes to the nodes that have interest in its channel, the publishing node included, and
 *   to no others. Recover goes to all nodes. Channel names are exact byte-for-byte names, the empty one included;
 *   nothing in them is a wildcard.
 * - **How often.** Exactly once per node, or the node gets a gap in its place. A message whose item id was accepted
 *   on the same channel within the time of the id cache, whatever node took it, is a duplicate and goes nowhere.
 * - **Order.** Per channel, all nodes see the messages of one publishing node in the order of its calls, whether or
 *   not it awaited them, and within a call in the order of the list. Where items have positions, every node sees the
 *   items of all publishing nodes in the order of these.
 * - **Blocks.** The messages of one call that arrive at a node together are handed to its listener in one synchronous
 *   block, so that writers can coalesce them.
 */
export interface Backplane {
  /**
   * Makes the node part of the backplane; resolves when it may publish and subscribe. To be called once, before
   * anything else. Rejects with `ControlError` ERR_BACKPLANE_UNAVAILABLE when the backplane cannot be reached.
   */
  start(listener: BackplaneListener): Promise<void>;

  /**
   * Resolves once every message was accepted, that is, will reach the nodes with interest even if this caller goes
   * away; the result says what became of each, in the order of the list. After a rejection the messages may have been accepted or
   * not, where the backplane could not find out in time: publishing them again with the same ids delivers none twice.
   * Where some are known to have been accepted, the error is a `PartlyAccepted` and says which.
   * Delivery on this node may come before the promise resolves. Rejects with `ControlError` ERR_BACKPLANE_CLOSED or
   * ERR_BACKPLANE_UNAVAILABLE; never throws synchronously. An empty list is accepted.
   */
  publish(messages: readonly Message[]): Promise<readonly Acceptance[]>;

  /**
   * Declares interest of this node in a channel. `undefined` means that it is live on return; otherwise the promise
   * resolves when it is, which may take as long as the backplane is away. Every item accepted after that moment is
   * delivered. Idempotent per channel: interest is a set per node, and counting subscribers is the caller's business.
   * The promise rejects with `ControlError` as {@link publish} does; the interest is then withdrawn.
   */
  subscribe(channel: string): Promise<void> | undefined;

  /** Withdraws interest: on return no further item of the channel reaches the listener. Unknown channels are ignored. */
  unsubscribe(channel: string): void;

  /**
   * Leaves the backplane. The listener is not called any more from this call on, and later publishes and subscribes
   * are rejected. Resolves when all resources are released; may be called again.
   */
  close(): Promise<void>;

  /** Why nothing can be published at present, in a few words for probes and logs; undefined when it can. */
  readonly unavailableReason: string | undefined;
}

/**
 * Interest in all channels whose names begin alike: what patterns are made from. Implemented by all backplanes that clients are
 * served from. Independent of the interest in channels: an item comes once for its channel and once for each prefix of its name that
 * there is interest in, with `prefix` set. What {@link Backplane} says of the interest in a channel holds for that in a prefix, and
 * the items of each channel come by it in the order in which they come by the channel.
 */
export interface PrefixInterest {
  /** As `Backplane.subscribe`. The prefix is not empty unless all items are meant, and is exact: no character has a meaning. */
  subscribePrefix(prefix: string): Promise<void> | undefined;

  /** As `Backplane.unsubscribe`. */
  unsubscribePrefix(prefix: string): void;
}

/** The interest in prefixes of a backplane, if it has any. */
export function prefixInterestOf(backplane: Backplane): PrefixInterest | undefined {
  const { subscribePrefix, unsubscribePrefix } = backplane as Partial<PrefixInterest>;
  if (typeof subscribePrefix !== 'function' || typeof unsubscribePrefix !== 'function') return undefined;
  return {
    subscribePrefix: subscribePrefix.bind(backplane),
    unsubscribePrefix: unsubscribePrefix.bind(backplane),
  };
}

/**
 * Where to begin: after an item that the reader has, named by its position or by its publisher's id; or so many items before the
 * newest, or before the one at a position.
 */
export type HistoryStart = { readonly after: Position } | { readonly afterId: string } | LastItems;

/** The last items, or those before one: as many as are kept of so many. */
export interface LastItems {
  /** At least 1. */
  readonly last: number;
  /** Left out: the newest is the last of them. */
  readonly before?: Position;
}

/** A part of a channel's history without holes. */
export interface HistoryPage {
  /** In order, each with its position. */
  readonly messages: readonly ItemMessage[];
  /**
   * Where the page ends: the position of its last message, or the start where it has none. A reader whose interest was live
   * before it asked gets the items after it from its listener; others read again.
   */
  readonly end: Position;
  /** The page reaches up to the newest item that was accepted when it was read; false when the limit cut it off. */
  readonly complete: boolean;
}

/** Reads history. Implemented by backplanes that keep any. */
export interface History {
  /**
   * Reads at most `limit` items of a channel that follow `start`. Resolves with undefined when that cannot be done without
   * a hole: the start, or an item after it, is not kept any more, or the epoch has changed. The last items are as many as there
   * are: none for a channel without any. Their page is complete when it ends where they do. Rejects with `ControlError`
   * as `Backplane.publish` does. Interest in the channel is not needed.
   */
  read(channel: string, start: HistoryStart, limit: number): Promise<HistoryPage | undefined>;

  /**
   * Where the newest item of a channel stands, of those that have reached this node's listener or were accepted before
   * it had interest: a reader that has nothing yet may ask later for what it missed since. Offset 0 where there was none.
   * Resolves with undefined where the channel is not counted. Rejects as {@link read} does.
   *
   * With `ago`, in ms: where the channel stood so long before the call, or earlier; and where that cannot be known, as items from that
   * time are gone, a position from which nothing can be read without a hole.
   */
  head(channel: string, ago?: number): Promise<Position | undefined>;

  /**
   * Forgets the items of a channel that are kept. Its count goes on: who asks later for what followed one of them learns that it is
   * gone. Items under way are delivered. Rejects as {@link read} does.
   */
  remove(channel: string): Promise<void>;
}

/** The history of a backplane, if it keeps any. */
export function historyOf(backplane: Backplane): History | undefined {
  const { read, head, remove } = backplane as Partial<History>;
  if (typeof read !== 'function' || typeof head !== 'function' || typeof remove !== 'function') return undefined;
  return { read: read.bind(backplane), head: head.bind(backplane), remove: remove.bind(backplane) };
}

/** A position from which nothing can be read, where the item at `offset` is the oldest that is kept and some before it may be gone. */
export function beforeHole(epoch: string, offset: number): Position {
  return { epoch, offset: Math.max(0, offset - 2) };
}

/**
 * Passes everything on to a listener. What that throws is a fault of this node: it is reported, and reaches neither the
 * publisher nor the messages that follow. Made once for each start, so that nothing is allocated for a message.
 */
export class GuardedListener implements BackplaneListener {
  readonly claims?: true;
  readonly #listener: BackplaneListener;
  readonly #faults: Containment;

  constructor(listener: BackplaneListener, faults: Containment) {
    this.#listener = listener;
    this.#faults = faults;
    if (listener.claims) this.claims = true;
  }

  onMessage(message: Message): void {
    try {
      this.#listener.onMessage(this.claims ? message : shownTo(message));
    } catch (error) {
      this.#faults.caught('backplane', error);
    }
  }

  onGap(gap: Gap): void {
    try {
      this.#listener.onGap(gap);
    } catch (error) {
      this.#faults.caught('backplane', error);
    }
  }
}

/** As a listener gets it that takes no claims: it has passed. */
function shownTo(message: Message): Message {
  if (message.type !== 'item' || message.claim === undefined) return message;
  const { claim, ...shown } = message;
  claim.pass();
  return shown;
}
