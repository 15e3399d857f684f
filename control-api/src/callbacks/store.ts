/** The port between callbacks and where they are kept, with the items that wait for them. */
import type { ItemMessage } from '../backplane/backplane.js';
import type { Callback, CallbackRecord, CallbackStatus } from './callback.js';

/** An item that waits for a callback. */
export interface QueuedItem {
  /** Names it among all items of the callback; the same on every node, and whenever it is read. */
  readonly key: string;
  /** Undefined where it cannot be read. */
  readonly message: ItemMessage | undefined;
}

/** How much waits for a callback. */
export interface Backlog {
  readonly items: number;
}

/** A part of all callbacks. */
export interface CallbackPage {
  readonly records: readonly CallbackRecord[];
  /** Where the next part begins; undefined after the last one. */
  readonly next: string | undefined;
}

/** What this node is to see to. Its methods must not throw; they may be called from within those of the store. */
export interface CallbackListener {
  /** This node sends to a callback from here on, or the callback has been made anew. */
  onKept(record: CallbackRecord): void;
  /** It does so no longer: the callback has ended, or will be another node's when this resolves, with nothing more under way. */
  onLeft(id: string): Promise<void>;
  /** Items may have come. */
  onItems(id: string): void;
}

/**
 * Keeps callbacks, and the items of their channels from the moment on that they are made. Every implementation passes the contract
 * in test/callbacks/contract.ts.
 *
 * - Items that are accepted after `put` has resolved, and that have the format http-request, wait for the callback until they are
 *   `done`: in the order in which they were accepted, per channel.
 * - Of all nodes one at a time keeps a callback; the listener of that one is called. What it has not called `done` is the next keeper's.
 * - All methods reject with `ControlError` ERR_BACKPLANE_UNAVAILABLE where what they need is away, and never throw.
 */
export interface CallbackStore {
  /** To be called once, when the backplane has started. */
  start(listener: CallbackListener): Promise<void>;

  /**
   * Makes a callback, or makes it anew: its channels are then those given, and what waits of others goes. Resolves with whether
   * it was not there before. Rejects with ERR_CALLBACKS_FULL for one too many.
   */
  put(callback: Callback): Promise<boolean>;

  /**
   * Ends a callback, with what waits for it. Resolves with the one that there was. With `version` only where it was not made anew since.
   */
  remove(id: string, version?: number): Promise<CallbackRecord | undefined>;

  /** A callback and what waits for it; undefined where there is none. */
  read(id: string): Promise<(CallbackRecord & { readonly backlog: Backlog }) | undefined>;

  /** At most `limit` callbacks; the first of all without `after`, which is the `next` of another page. */
  list(after: string | undefined, limit: number): Promise<CallbackPage>;

  /** Gives all callbacks of this node to others, where there are any; the listener is not called any more. */
  close(): Promise<void>;
}

/** What the keeper of a callback does with it. Only for callbacks of this node. */
export interface CallbackWork {
  /** Whether this node still keeps a callback; to be asked before each request, for the time of a node that hangs runs out. */
  keeps(id: string): boolean;

  /** The oldest item that is not done; undefined where none waits. `lost` is how many had to go before it. */
  next(id: string): Promise<{ readonly item: QueuedItem; readonly lost: number } | undefined>;

  /** The item that `next` gave last is done with. */
  done(id: string, item: QueuedItem): Promise<void>;

  /** Keeps how a callback fares. Without effect where it was made anew or has ended since `version`. */
  note(id: string, version: number, status: CallbackStatus): Promise<void>;
}
