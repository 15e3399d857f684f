/** Routes, and where links of their origins lead, in short. */
import { type LinkPlace, placeOf } from '../../dist/links/link-place.js';
import { scopeOf } from '../../dist/links/link-scope.js';
import { describeTarget } from '../../dist/origin/send.js';
import { type Route, rewritePath, toRoute } from '../../dist/routes/route.js';
import { RouteTable } from '../../dist/routes/route-table.js';
import { parseRouteLine, type RouteLine } from '../../dist/routes/routes-file.js';

/** Of these lines. */
export function tableOf(...lines: string[]): RouteTable {
  return new RouteTable(lines.map((line, i) => toRoute(parseRouteLine(line, i + 1) as RouteLine, () => undefined)));
}

/** What a client asked for. */
interface Asking {
  readonly host?: string;
  readonly path?: string;
  readonly secure?: boolean;
}

/** The scope of a client's request on the first route of a table. */
export function scopeIn(
  table: RouteTable,
  { host = 'site.example', path = '/app/stream', secure = false }: Asking = {},
) {
  const [route] = table.routes as [Route];
  const request = { host, path } as Parameters<typeof scopeOf>[0];
  return scopeOf(request, route, { secure, trusted: false }, route.targets[0]);
}

/** In short: how, to which target, with which path there. */
export function say(place: LinkPlace): string {
  if (place.kind === 'nowhere') return 'nowhere';
  const { pathname, search } = new URL(place.url);
  const targets = place.route.targets.map(describeTarget).join(' ');
  return `${place.kind} ${targets} ${rewritePath(place.route, pathname + search)}`;
}

/** What {@link say} says of the place of a link. */
export function lead(table: RouteTable, link: string, asking?: Asking): string {
  return say(placeOf(link, scopeIn(table, asking), table));
}
