/** Turns an instruct into a registered hold. */
import { channelList, type HoldOwner, type HoldParts, type Opening } from './hold.js';
import { ResponseHold } from './response-hold.js';
import { StreamHold } from './stream-hold.js';

/**
 * Registers a hold of the kind that the instruct asks for. In one synchronous step: an item published after the origin
 * answered is either delivered to this hold or was accepted before the origin's answer reached this node.
 */
export function openHold(opening: Opening, owner: HoldOwner, parts: HoldParts): ResponseHold | StreamHold {
  const { instruct, scope } = opening;
  // One that leads nowhere is named in the log now, and not only when it is followed.
  for (const link of [instruct.links.next, instruct.links.gone]) {
    if (link !== undefined) parts.links.client.place(link.uri, scope);
  }
  const start = { ...opening, list: channelList(opening, instruct, parts.subscriber) };
  return instruct.hold?.mode === 'response'
    ? new ResponseHold(start, owner, parts)
    : new StreamHold(start, owner, parts);
}
