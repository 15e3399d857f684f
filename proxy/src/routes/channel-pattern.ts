/** Patterns as subscriptions have them: what an origin means by one, with the prefix of its route, and which it may not have. */
import { channelNameFault, type Pattern, parsePattern } from '@holdfast/grip';
import type { LimitEvents } from './channel-name.js';
import type { Route } from './route.js';

/** One pattern of full names; two of them are the same where their keys are. */
export interface ChannelPattern extends Pattern {
  /** Between its segments. */
  readonly separator: string;
  /** The pattern, and what it leaves out. */
  readonly key: string;
  /** Names with this in them are left out, as they are those of other origins; empty: none are. */
  readonly without: string;
}

/** Shared by all that have no patterns, which are nearly all. */
export const NO_PATTERNS: readonly ChannelPattern[] = [];

/** What of a route decides which patterns its origin may have. */
export type PatternNaming = Pick<Route, 'prefix' | 'reserved' | 'channelNameMax' | 'patternSeparator' | 'patternAll'>;

/**
 * The pattern behind the route's prefix; a text says why the route may not have it. Of channels that the origin may not name none
 * is meant, whatever the pattern is: one without a prefix gets nothing of those with the `prefix_separator`.
 */
export function patternOf(route: PatternNaming, name: string, events: LimitEvents): ChannelPattern | string {
  const { prefix, reserved, channelNameMax, patternSeparator: separator, patternAll } = route;
  if (reserved !== '' && name.includes(reserved)) {
    return `pattern '${name}' contains the prefix_separator, and its route has no prefix`;
  }
  const text = prefix + name;
  const fault = channelNameFault(text, channelNameMax);
  if (fault !== undefined) {
    events.limited('channel_name_max');
    return fault;
  }
  if (prefix.includes('*')) return `pattern '${name}' is refused: the prefix of its route has a '*'`;
  const pattern = parsePattern(text, separator);
  if (typeof pattern === 'string') return pattern;
  if (pattern.prefix === '' && !patternAll) {
    return `pattern '${name}' is refused: it begins with '*', so that every item would have to come here (pattern_all)`;
  }
  return { ...pattern, separator, key: `${reserved.length}:${reserved}${text}`, without: reserved };
}
