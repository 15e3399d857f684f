/**
 * Owns: turning an instruct into a registered hold. Does not own: parsing the instruct, or the hold's life.
 */
import type { Instruct } from '@holdfast/grip';
import type { SubscriberParts } from '../channels/subscriber-parts.js';
import type { ClientResponse } from '../edge/edge.js';
import type { HoldOwner } from './hold.js';
import { ResponseHold } from './response-hold.js';
import { StreamHold } from './stream-hold.js';

/** All that decides what the hold will be. */
export interface Opening {
  readonly id: string;
  readonly response: ClientResponse;
  /** Must have a hold. */
  readonly instruct: Instruct;
  /** Put before the name of every channel of the instruct. */
  readonly prefix: string;
  /** Channels of the target (`sub=`): subscribed to without the prefix, beyond `subscriptionMax`. */
  readonly implicit: readonly string[];
  readonly subscriptionMax: number;
}

/**
 * Registers a hold of the kind that the instruct asks for. In one synchronous step: an item published after the origin
 * answered is either delivered to this hold or was accepted before the origin's answer reached this node.
 */
export function openHold(opening: Opening, owner: HoldOwner, parts: SubscriberParts): ResponseHold | StreamHold {
  const { id, response, instruct } = opening;
  const channels = channelsOf(opening, parts);
  return instruct.hold?.mode === 'stream'
    ? new StreamHold(id, response, instruct, channels, owner, parts)
    : new ResponseHold(id, response, instruct, channels, owner, parts);
}

function channelsOf(opening: Opening, parts: SubscriberParts): readonly string[] {
  const channels = new Set(opening.implicit);
  let count = 0;
  for (const { name } of opening.instruct.hold?.channels ?? []) {
    if (count === opening.subscriptionMax) {
      parts.log.debug({ id: opening.id }, `more than ${opening.subscriptionMax} channels: the rest is ignored`);
      break;
    }
    const full = opening.prefix + name;
    if (channels.has(full)) continue;
    channels.add(full);
    count++;
  }
  return [...channels];
}
