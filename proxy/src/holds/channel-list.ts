/** Owns: which channels an instruct puts a hold on. Does not own: the hold, or its place in the registry. */
import { GripError, type Instruct } from '@holdfast/grip';
import type { OverChannelsReport } from '../channels/over-channels.js';
import { metaOf, SubscriptionList } from '../channels/subscription-list.js';
import { channelOf, refusedChannel } from '../routes/channel-name.js';
import type { Opening } from './hold.js';

/**
 * The channels of the target, then those of `instruct`, which is the opening's own or that of a link, with the route's
 * prefix. Channels beyond `connectionSubscriptionMax` are left out, and `over` is told.
 *
 * Throws GripError ERR_GRIP_INSTRUCT for a channel that is none of the route's.
 */
export function channelList(
  {
    id,
    implicit,
    connectionSubscriptionMax,
    scope,
  }: Pick<Opening, 'id' | 'implicit' | 'connectionSubscriptionMax' | 'scope'>,
  instruct: Instruct,
  over: OverChannelsReport,
): SubscriptionList {
  const list = new SubscriptionList();
  list.meta = metaOf(instruct.meta);
  for (const name of implicit) list.set(name, { name, filters: [] });
  let count = 0;
  const wishes = instruct.hold?.channels ?? instruct.channels ?? [];
  for (const wish of wishes) {
    const channel = channelOf(scope.route, wish.name);
    if (channel === undefined) throw new GripError('ERR_GRIP_INSTRUCT', refusedChannel(wish.name));
    if (!list.has(channel) && ++count > connectionSubscriptionMax) {
      const channels = new Set(wishes.map(({ name }) => name)).size;
      over.tell({ id, route: scope.route, channels, limit: connectionSubscriptionMax, first: wish.name });
      break;
    }
    list.set(channel, wish);
  }
  return list;
}
