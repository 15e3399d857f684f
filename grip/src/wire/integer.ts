/** Whole numbers in a header or in a JSON string. */
import { trimWire } from './text.js';

/**
 * Largest number of seconds, bytes or the like that is accepted: Pushpin's int is 32 bits wide.
 *
 * @limit {} as the largest integer in GRIP headers and JSON
 * @over refused
 */
export const MAX_INTEGER = 0x7fff_ffff;

const decimal = /^[+-]?[0-9]+$/;

/**
 * Reads a decimal integer with an optional sign and surrounding white space. Undefined for anything else, and for a
 * number that 32 bits do not hold.
 */
export function parseInteger(text: string): number | undefined {
  const trimmed = trimWire(text);
  if (!decimal.test(trimmed)) return undefined;
  const value = Number(trimmed);
  return Math.abs(value) <= MAX_INTEGER ? value : undefined;
}
