/**
 * The filters that decide whether an item is delivered to a connection: skip-self, skip-users, require-sub. http-check and
 * http-modify ask a server and are in the proxy.
 */

import type { FilterContext, FilterName } from './filter.js';

/** Whether the item may go on to this connection. Never throws. */
export type DeliveryFilter = (context: FilterContext) => boolean;

/** Drops what the connection's own user has sent. */
function skipSelf({ subMeta, pubMeta }: FilterContext): boolean {
  const sender = pubMeta.sender;
  return !sender || sender !== subMeta.get('user');
}

/** The names in the `skip_users` of an item, by its meta: a list may be long, and it is looked at for every subscriber. */
const skipped = new WeakMap<object, ReadonlySet<string>>();

function namesIn(list: string, pubMeta: object): ReadonlySet<string> {
  let names = skipped.get(pubMeta);
  if (names === undefined) {
    names = new Set(list.split(',').map((name) => name.trim()));
    skipped.set(pubMeta, names);
  }
  return names;
}

/** Drops what is not meant for the connection's user: `skip_users` is a list with commas, spaces around names allowed. */
function skipUsers({ subMeta, pubMeta }: FilterContext): boolean {
  const list = pubMeta.skip_users;
  const user = subMeta.get('user');
  if (!list || !user) return true;
  return !namesIn(list, pubMeta).has(user);
}

/** Drops what only subscribers of another channel may see. */
function requireSub({ pubMeta, isSubscribed }: FilterContext): boolean {
  const channel = pubMeta.require_sub;
  return !channel || isSubscribed(channel);
}

/** The filters of this file by name. */
export const deliveryFilters: ReadonlyMap<string, DeliveryFilter> = new Map<FilterName, DeliveryFilter>([
  ['skip-self', skipSelf],
  ['skip-users', skipUsers],
  ['require-sub', requireSub],
]);
