/** How long a hold or session is good for, as its origin says: `Grip-Expires`, `hold.expires`, the control message `expire`. */
import { GripError } from '../errors.js';
import { parseHttpDate } from '../wire/date.js';
import type { Fields } from '../wire/fields.js';
import { parseInteger, trimWire } from '../wire/text.js';

/** A span from the moment on at which it is read, in whole seconds up to {@link MAX_EXPIRES}; or a moment, in ms since the Unix epoch. */
export type Expires = { readonly seconds: number } | { readonly date: number };

/**
 * A span that is longer is a time since 1970, such as the `exp` of a token, taken for a span: the hold would never expire.
 *
 * @limit {} s as the longest span of `Grip-Expires`, `hold.expires` and `expire`: a leap year
 * @over the instruct is refused, the control message ignored; a later moment can be given as an HTTP date
 */
export const MAX_EXPIRES = 31_622_400;

/** Parses the value of Grip-Expires. Undefined for none; throws ERR_GRIP_INSTRUCT for one that is neither a span nor a date. */
export function parseExpires(text: string | undefined): Expires | undefined {
  if (text === undefined) return undefined;
  const seconds = parseInteger(text);
  if (seconds !== undefined) {
    if (seconds < 0 || seconds > MAX_EXPIRES)
      throw new GripError('ERR_GRIP_INSTRUCT', `Grip-Expires has invalid value: must be from 0 to ${MAX_EXPIRES}`);
    return { seconds: Math.abs(seconds) }; // never -0
  }
  const date = parseHttpDate(trimWire(text));
  if (date === undefined) throw new GripError('ERR_GRIP_INSTRUCT', 'failed to parse Grip-Expires');
  return { date };
}

/** The member `expires` of a hold in JSON: a number, or what the header may have. Undefined for none; throws as the header does. */
export function expiresField(fields: Fields): Expires | undefined {
  const text = fields.value('expires');
  const date = typeof text === 'string' ? parseHttpDate(trimWire(text)) : undefined;
  if (date !== undefined) return { date };
  const isSpan = typeof text === 'number' || (typeof text === 'string' && parseInteger(text) !== undefined);
  if (fields.has('expires') && !isSpan) throw fields.wrongType('expires', 'a whole number or an HTTP date');
  const seconds = fields.integer('expires', MAX_EXPIRES);
  return seconds === undefined ? undefined : { seconds };
}
