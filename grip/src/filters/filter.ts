/** The names of the filters, what each acts on, and what a filter may look at. */

/**
 * What a filter acts on: `delivery` decides whether an item is delivered at all, `message-content` rewrites the content
 * of a delivered item, `response-content` rewrites the body of the response that opens a hold.
 */
export type FilterTarget = 'delivery' | 'message-content' | 'response-content';

/** A filter that Holdfast knows. Unknown names in a subscription are ignored, not refused. */
export type FilterName =
  | 'skip-self'
  | 'skip-users'
  | 'require-sub'
  | 'build-id'
  | 'var-subst'
  | 'http-check'
  | 'http-modify';

/**
 * Most filters one channel may name, known or not. Each runs per subscriber and item; more are refused.
 *
 * @limit {} filters of one channel
 * @over the instruct is refused, 502; a session is closed with 1011
 */
export const MAX_FILTERS = 5;

const targets: ReadonlyMap<string, readonly FilterTarget[]> = new Map<FilterName, readonly FilterTarget[]>([
  ['skip-self', ['delivery']],
  ['skip-users', ['delivery']],
  ['require-sub', ['delivery']],
  ['build-id', ['message-content', 'response-content']],
  ['var-subst', ['message-content']],
  ['http-check', ['delivery']],
  ['http-modify', ['delivery', 'message-content']],
]);

/** The known filters in the order in which Grip-Feature lists them (as `filter:<name>`). */
export const filterNames: readonly FilterName[] = [...targets.keys()] as FilterName[];

/** Whether Holdfast knows a filter of this name (exact, lower case). */
export function isKnownFilter(name: string): name is FilterName {
  return targets.has(name);
}

/** What a filter acts on; empty for a name that is not known. */
export function filterTargets(name: string): readonly FilterTarget[] {
  return targets.get(name) ?? [];
}

/**
 * The filters among a subscription's that rewrite message content, in their order. An item whose format has
 * `content-filters` is delivered only where this list equals it.
 */
export function messageContentFilters(filters: readonly string[]): string[] {
  return filters.filter((name) => filterTargets(name).includes('message-content'));
}

/** One item on its way to one connection, as the filters of the subscription see it. */
export interface FilterContext {
  /** Meta of the connection: Grip-Set-Meta, `meta` of a JSON instruct, or `set-meta` of a session. */
  readonly subMeta: ReadonlyMap<string, string>;
  /** Meta of the item. Without prototype, as `Item.meta`. */
  readonly pubMeta: Readonly<Record<string, string>>;
  /**
   * Last id of each channel that the connection tracks, by unprefixed name. On the item's own channel that is already
   * the item's id: an id built from it names what the client has received.
   */
  readonly prevIds: ReadonlyMap<string, string>;
  /** Whether the connection is subscribed to a channel, by unprefixed name; with or without tracking ids. */
  readonly isSubscribed: (channel: string) => boolean;
}
