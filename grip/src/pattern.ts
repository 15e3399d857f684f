/** Patterns of channel names: what a subscription may have in the place of a name. Publishes name channels only. */
import { isLongName, MAX_NAME_BYTES } from './channel.js';

/**
 * Stars of one pattern: each of them is one more way to go for a name that is matched.
 *
 * @limit {} stars of a pattern
 * @over the pattern is refused: instruct 502, a control message ignored
 */
export const MAX_PATTERN_STARS = 8;

/** A segment of a pattern: the text that it is, or undefined where it may be any. */
export type PatternSegment = string | undefined;

/**
 * A pattern, taken apart. With `*` at its end it is for all names that go on in any way there, or end there. Any other `*` is a whole
 * segment between separators, and stands for exactly one, which may be empty. All else stands for itself.
 */
export interface Pattern {
  /** As it was written. */
  readonly text: string;
  /** What all names that it matches begin with: the text before its first `*`. May be empty. */
  readonly prefix: string;
  /** Whole segments, from the first. */
  readonly segments: readonly PatternSegment[];
  /** What follows them begins with this, where the pattern has a `*` at its end; else undefined: nothing follows. */
  readonly tail: string | undefined;
}

/** Takes a pattern apart; a text says why it is none. `separator` goes between segments; empty, only a `*` at the end is one. */
export function parsePattern(text: string, separator: string): Pattern | string {
  const shown = `pattern '${text.length > 60 ? `${text.slice(0, 60)}…` : text}'`;
  if (isLongName(text)) return `${shown} is longer than ${MAX_NAME_BYTES} bytes`;
  // A half of a pair has no bytes in UTF-8: what is said of it to other nodes would be about another prefix.
  if (/\p{Surrogate}/u.test(text)) return `${shown} is no well-formed text`;
  const star = text.indexOf('*');
  if (star < 0) return `${shown} has no '*': without 'pattern' it is the name of a channel`;
  if (text.split('*').length - 1 > MAX_PATTERN_STARS) return `${shown} has more than ${MAX_PATTERN_STARS} '*'`;
  const isOpen = text.endsWith('*');
  const body = isOpen ? text.slice(0, -1) : text;
  const parts = separator === '' ? [body] : body.split(separator);
  const tail = isOpen ? parts.pop() : undefined;
  const segments = parts.map((part) => (part === '*' ? undefined : part));
  if (tail?.includes('*') || segments.some((segment) => segment?.includes('*'))) {
    const where = separator === '' ? 'at its end' : `at its end, or as a whole segment between '${separator}'`;
    return `${shown} has a '*' in another place than ${where}`;
  }
  return { text, prefix: text.slice(0, star), segments, tail };
}

/** Whether a pattern is for this name; `separator` is the one that it was parsed with. For many patterns at once see the registry. */
export function matchesPattern({ segments, tail }: Pattern, name: string, separator: string): boolean {
  let at = 0;
  for (const [i, segment] of segments.entries()) {
    // -1: the name has come to its end before.
    if (at < 0) return false;
    const found = separator === '' ? -1 : name.indexOf(separator, at);
    const end = found < 0 ? name.length : found;
    if (segment !== undefined && (end - at !== segment.length || !name.startsWith(segment, at))) return false;
    at = found < 0 ? -1 : found + separator.length;
    if (i === segments.length - 1 && tail === undefined) return found < 0;
  }
  return at >= 0 && tail !== undefined && name.startsWith(tail, at);
}
