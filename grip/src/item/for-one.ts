/** The member `deliver` of a published item: whether it goes to all subscribers, or to one of them. */
import type { Fields } from '../wire/fields.js';
import { type Formats, formatKeys, formatRows } from './formats.js';

/** What `deliver` may be; `all` is what it is without. */
const KNOWN = ['all', 'one'] as const;

/**
 * Whether an item goes to one subscriber. Throws ERR_GRIP_ITEM for another value, and for an item that goes to one and has what is for
 * all: a `prev-id`, since those who do not get it could not follow what comes next, or an action in the place of content.
 */
export function isForOne(fields: Fields, item: { readonly prevId?: string; readonly formats: Formats }): boolean {
  const deliver = fields.string('deliver');
  if (deliver === undefined || deliver === 'all') return false;
  if (deliver !== 'one') throw fields.unknown('deliver', deliver, KNOWN);
  if (item.prevId !== undefined) throw fields.error("'prev-id' and 'deliver' with 'one' exclude each other");
  for (const key of formatKeys) {
    const action = item.formats[key]?.action ?? 'send';
    if (action !== 'send')
      throw fields.error(`'deliver' with 'one' is for content: '${formatRows[key].name}' has the action '${action}'`);
  }
  return true;
}
