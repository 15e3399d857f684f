/** Items for one connection, or for those of a user, that are on no channel; they take the way that items of channels take. */
import { MAX_NAME_BYTES, noFilters } from '@holdfast/grip';

/** In the place of a channel's name. It is longer than any, so that nobody can be subscribed to it or publish to it. */
export const DIRECT_CHANNEL = `direct${' '.repeat(MAX_NAME_BYTES)}`;

/**
 * How every connection is subscribed to what is for it alone: without last ids, and without filters, which are those of
 * channels. Filters of an item's content apply.
 */
export const directSubscription = {
  channel: DIRECT_CHANNEL,
  name: DIRECT_CHANNEL,
  prevId: undefined,
  filters: [],
  plan: noFilters,
} as const;
