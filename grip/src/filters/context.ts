/**
 * What a filter may look at.
 *
 * Owns: the value. Does not own: the filters (delivery-filters.ts, content-filters.ts), or how a hold or session comes
 * by what is in it.
 */

/** One item on its way to one connection, as the filters of the subscription see it. */
export interface FilterScene {
  /** Meta of the connection: Grip-Set-Meta, `meta` of a JSON instruct, or `set-meta` of a session. */
  readonly subMeta: ReadonlyMap<string, string>;
  /** Meta of the item. Without prototype, as `Item.meta`. */
  readonly pubMeta: Readonly<Record<string, string>>;
  /**
   * Last id of each channel that the connection tracks, by unprefixed name. On the item's own channel that is already
   * the item's id: an id built from it tells the origin what the client has received.
   */
  readonly prevIds: ReadonlyMap<string, string>;
  /** Whether the connection is subscribed to a channel, by unprefixed name; with or without tracking ids. */
  readonly isSubscribed: (channel: string) => boolean;
}
