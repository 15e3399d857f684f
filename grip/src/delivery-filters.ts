/**
 * The filters that decide whether an item is delivered to a connection.
 *
 * Owns: skip-self, skip-users, require-sub. Does not own: their order (filter-plan.ts), http-check, which asks somebody
 * else.
 */
import type { FilterName } from './filter.js';
import type { FilterScene } from './filter-scene.js';

/** Whether the item may go on to this connection. Never throws. */
export type DeliveryFilter = (scene: FilterScene) => boolean;

/** Drops what the connection's own user has sent. */
function skipSelf({ subMeta, pubMeta }: FilterScene): boolean {
  const sender = pubMeta.sender;
  return !sender || sender !== subMeta.get('user');
}

/** Drops what is not meant for the connection's user: `skip_users` is a list with commas, spaces around names allowed. */
function skipUsers({ subMeta, pubMeta }: FilterScene): boolean {
  const list = pubMeta.skip_users;
  const user = subMeta.get('user');
  // Most items name nobody of interest: only a list that has the name somewhere is taken apart.
  if (!list || !user || !list.includes(user)) return true;
  return !list.split(',').some((name) => name.trim() === user);
}

/** Drops what only subscribers of another channel may see. */
function requireSub({ pubMeta, isSubscribed }: FilterScene): boolean {
  const channel = pubMeta.require_sub;
  return !channel || isSubscribed(channel);
}

/** The filters of this file by name. */
export const deliveryFilters: ReadonlyMap<string, DeliveryFilter> = new Map<FilterName, DeliveryFilter>([
  ['skip-self', skipSelf],
  ['skip-users', skipUsers],
  ['require-sub', requireSub],
]);
