/** The member `channels` of a published item: one content for several channels. */
import { isLongName, MAX_NAME_BYTES } from '../channel.js';
import { type Fields, kindOf, textOf } from '../wire/fields.js';

/**
 * Channels of one item. Each of them is an item from here on, with a receipt, a position and a place in the history of its own.
 *
 * @limit {} channels in `channels` of one item
 * @over nothing of the publish is published, 400
 */
export const MAX_ITEM_CHANNELS = 1_000;

/**
 * Channels of all items of a publish together: a short body could name as many as its length squared.
 *
 * @limit {} channels in `channels` of all items of a publish
 * @over nothing of it is published, 400
 */
export const MAX_NAMED_CHANNELS = 10_000;

/**
 * The channels that an item names in `channels`, each once, in the order of their first naming; undefined where it has no such
 * member. Throws ERR_GRIP_ITEM for an item that has `channel` as well, for an empty list, and for more than {@link MAX_ITEM_CHANNELS}.
 */
export function channelsOf(fields: Fields): readonly string[] | undefined {
  const list = fields.list('channels');
  if (list === undefined) return undefined;
  if (fields.has('channel')) throw fields.error(`${fields.name} contains both 'channel' and 'channels'`);
  if (list.length === 0 || list.length > MAX_ITEM_CHANNELS) {
    throw fields.invalid('channels', `a list of 1 to ${MAX_ITEM_CHANNELS} channels`);
  }
  const channels = new Set<string>();
  for (const value of list) {
    const name = textOf(value);
    if (name === undefined)
      throw fields.error(`'channels' contains a value with wrong type: expected a string, got ${kindOf(value)}`);
    if (isLongName(name)) throw fields.error(`'channels' contains a name of more than ${MAX_NAME_BYTES} bytes`);
    channels.add(name);
  }
  return [...channels];
}
