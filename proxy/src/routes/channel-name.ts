/** The full name of a channel, which publishers use, from the name that an origin gives it, and which route may name it. */
import { channelNameFault } from '@holdfast/grip';
import type { Route } from './route.js';

/** What of a route decides how the channels are called that its origin names. */
type Naming = Pick<Route, 'prefix' | 'reserved' | 'channelNameMax'>;

/** Counts what a limit has refused. */
export interface LimitEvents {
  /** `limit` is its name, from a bounded set. */
  limited(limit: string): void;
}

/**
 * The full name of a channel that the origin of a route names: the name behind the route's prefix. Undefined when the route may
 * not name it: one without a prefix may not name the channels of those that have one, and no channel may have the name
 * (`channelNameFault`).
 */
export function channelOf(route: Naming, name: string): string | undefined {
  if (isReserved(route, name)) return undefined;
  const channel = route.prefix + name;
  return channelNameFault(channel, route.channelNameMax) === undefined ? channel : undefined;
}

/** What is said of a channel for which {@link channelOf} has no name; counted where a limit is the reason. */
export function refusedChannel(route: Naming, name: string, events: LimitEvents): string {
  if (isReserved(route, name)) return `channel '${name}' contains the prefix_separator, and its route has no prefix`;
  events.limited('channel_name_max');
  return channelNameFault(route.prefix + name, route.channelNameMax) ?? `channel '${name}' is refused`;
}

function isReserved({ reserved }: Naming, name: string): boolean {
  return reserved !== '' && name.includes(reserved);
}

/**
 * Warnings of prefixes that do not keep origins apart. A prefix that is the beginning of another reaches its channels: `t` with
 * `1-x` is `t1` with `-x`.
 */
export function prefixWarnings(routes: readonly Route[]): string[] {
  const naming = routes.filter(({ noGrip, targets }) => !noGrip && targets.some(({ kind }) => kind !== 'test'));
  const prefixes = [...new Set(routes.map(({ prefix }) => prefix))].filter((prefix) => prefix !== '').sort();
  if (prefixes.length === 0) return [];
  const warnings: string[] = [];
  // In order, the first of those that begin with a prefix comes next after it.
  const reaching = prefixes.filter((prefix, i) => prefixes[i + 1]?.startsWith(prefix));
  const [first] = reaching;
  if (first !== undefined) {
    const other = prefixes[prefixes.indexOf(first) + 1];
    const others = reaching.length === 1 ? '' : ` (and ${reaching.length - 1} more like it)`;
    warnings.push(
      `prefix ${first} is the beginning of prefix ${other}${others}: origins with the one can name channels of the other; set prefix_separator, or end all prefixes with a character that none has within`,
    );
  }
  const bare = naming.filter(({ prefix, reserved }) => prefix === '' && reserved === '');
  if (bare.length > 0) {
    const one = bare[0] as Route;
    const others = bare.length === 1 ? '' : ` (and ${bare.length - 1} more)`;
    warnings.push(
      `${one.id ?? one.key}${others} has no prefix, other routes have: its origin can name their channels; set prefix_separator if it should not`,
    );
  }
  return warnings;
}
