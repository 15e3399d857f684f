/**
 * The port between publishing and delivery: how published messages reach every node.
 *
 * Owns: the contract. test/backplane/contract.ts states it as tests, which every implementation passes. Does not
 * own: sequencing, deduplication and filters (delivery), receipts (publish.ts).
 */
import type { Item } from '@holdfast/grip';

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
}

/** All nodes forget what they know about last ids, and bring their holds up to date from the origins. */
export interface RecoverMessage {
  readonly type: 'recover';
}

/** What a backplane carries. Shared, not copied: nobody changes a message once it is published. */
export type Message = ItemMessage | RecoverMessage;

/** The receiving end on a node. */
export interface BackplaneListener {
  /**
   * Called once per message, never while another call is running, in publish order per channel. Must not throw; a
   * throw is caught and logged, and affects neither other messages nor the publisher. May call any method of the
   * backplane; what it publishes is delivered after the messages that are already on their way.
   */
  onMessage(message: Message): void;
}

/**
 * Carries messages from the node that took them to every node concerned.
 *
 * - **Who gets what.** An item goes to the nodes that have interest in its channel, the publishing node included, and
 *   to no others. Recover goes to all nodes. Channel names are exact byte-for-byte names, the empty one included;
 *   nothing in them is a wildcard.
 * - **How often.** At most once per node; exactly once while node and backplane are connected.
 * - **Order.** Per channel, all nodes see the messages of one publishing node in the order of its calls, whether or
 *   not it awaited them, and within a call in the order of the list.
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
   * Resolves once every message was accepted, that is, will reach the connected nodes with interest even if this
   * caller goes away. All or nothing: after a rejection none of the messages is delivered, as far as the node can
   * know. Delivery on this node may come before the promise resolves. Rejects with `ControlError`
   * ERR_BACKPLANE_CLOSED or ERR_BACKPLANE_UNAVAILABLE; never throws synchronously. An empty list is accepted.
   */
  publish(messages: readonly Message[]): Promise<void>;

  /**
   * Declares interest of this node in a channel. `undefined` means that it is live on return; otherwise the promise
   * resolves when it is. Every item accepted after that moment is delivered. Idempotent per channel: interest is a
   * set per node, and counting subscribers is the caller's business. The promise rejects with `ControlError` as
   * {@link publish} does.
   */
  subscribe(channel: string): Promise<void> | undefined;

  /** Withdraws interest: on return no further item of the channel reaches the listener. Unknown channels are ignored. */
  unsubscribe(channel: string): void;

  /**
   * Leaves the backplane. The listener is not called any more from this call on, and later publishes and subscribes
   * are rejected. Resolves when all resources are released; may be called again.
   */
  close(): Promise<void>;
}
