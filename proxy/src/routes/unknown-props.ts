/**
 * Warnings of properties of routes lines that mean nothing, with what may have been meant. They are passed over, as in
 * Pushpin, whose files may have some.
 */
import { guess } from '../runtime/legible.js';
import { routeProps } from './route.js';
import type { RouteLine, RouteSection } from './routes-file.js';
import { targetProps } from './target.js';

/**
 * Warnings of one routes file; a file that is full of such properties has made its point.
 *
 * @limit {} warnings of unknown properties in a routes file
 * @over the others are not named
 */
export const PROP_WARNINGS_MAX = 100;

/** One warning for each property, with its place, in the order of the lines. */
export function unknownProps(lines: readonly RouteLine[]): string[] {
  const warnings: string[] = [];
  for (const { line, condition, targets } of lines) {
    warnings.push(...unknownIn(condition, line, 'a route', routeProps, 'a target', targetProps));
    for (const target of targets) {
      warnings.push(...unknownIn(target, line, 'a target', targetProps, 'a route', routeProps));
    }
    if (warnings.length > PROP_WARNINGS_MAX) {
      return [
        ...warnings.slice(0, PROP_WARNINGS_MAX),
        `line ${line}: more properties without a meaning; of the rest nothing is said`,
      ];
    }
  }
  return warnings;
}

function unknownIn(
  { props }: RouteSection,
  line: number,
  whose: string,
  known: readonly string[],
  other: string,
  others: readonly string[],
): string[] {
  const unknown = props.filter(({ name }) => !known.includes(name));
  return unknown.map(({ name, column }) => {
    const place = `line ${line}, column ${column}: property`;
    if (!others.includes(name)) return `${place} of ${whose} unknown, ignored: ${guess(name, known)}`;
    return `${place} '${name}' ignored: it is one of ${other}, and stands with ${whose}`;
  });
}
