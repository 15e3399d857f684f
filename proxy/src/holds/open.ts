/**
 * Owns: turning an instruct into a registered hold. Does not own: parsing the instruct, or the hold's life.
 */
import type { Instruct } from '@holdfast/grip';
import { metaOf, SubscriptionList } from '../channels/subscription-list.js';
import type { ClientResponse } from '../edge/edge.js';
import type { LinkScope } from '../links/link-scope.js';
import type { HoldOwner, HoldParts, HoldStart } from './hold.js';
import { ResponseHold } from './response-hold.js';
import { StreamHold } from './stream-hold.js';

/** All that decides what the hold will be. */
export interface Opening {
  readonly id: string;
  readonly response: ClientResponse;
  readonly clientAddress: string;
  /** Must have a hold or a next link. */
  readonly instruct: Instruct;
  readonly scope: LinkScope;
  /** Channels of the target (`sub=`): subscribed to without the prefix, beyond `subscriptionMax`. */
  readonly implicit: readonly string[];
  readonly subscriptionMax: number;
  /** The client's `Last-Event-ID`. */
  readonly lastEventId?: string | undefined;
}

/**
 * Registers a hold of the kind that the instruct asks for. In one synchronous step: an item published after the origin
 * answered is either delivered to this hold or was accepted before the origin's answer reached this node.
 */
export function openHold(opening: Opening, owner: HoldOwner, parts: HoldParts): ResponseHold | StreamHold {
  const { id, response, clientAddress, instruct, scope, lastEventId } = opening;
  const relist = (wanted: Instruct) => listOf(opening, wanted, parts);
  const list = relist(instruct);
  const start: HoldStart = { id, response, clientAddress, instruct, scope, list, relist, lastEventId };
  return instruct.hold?.mode === 'response'
    ? new ResponseHold(start, owner, parts)
    : new StreamHold(start, owner, parts);
}

function listOf(opening: Opening, instruct: Instruct, parts: HoldParts): SubscriptionList {
  const { implicit, subscriptionMax, scope, id } = opening;
  const list = new SubscriptionList();
  list.meta = metaOf(instruct.meta);
  for (const name of implicit) list.set(name, { name, filters: [] });
  let count = 0;
  for (const wish of instruct.hold?.channels ?? instruct.channels ?? []) {
    const channel = scope.route.prefix + wish.name;
    if (!list.has(channel) && ++count > subscriptionMax) {
      parts.subscriber.log.debug({ id }, `more than ${subscriptionMax} channels: the rest is ignored`);
      break;
    }
    list.set(channel, wish);
  }
  return list;
}
