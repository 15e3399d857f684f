/**
 * Reads the path of a request as a path only, whatever it is: `new URL(path, base)` takes what follows `//` for another host, and
 * throws where that is none.
 */

/** The path without its query. */
export function pathnameOf(path: string): string {
  const mark = path.indexOf('?');
  return mark < 0 ? path : path.slice(0, mark);
}

/** The query of a path, without its mark; empty when it has none. */
export function queryOf(path: string): string {
  const mark = path.indexOf('?');
  return mark < 0 ? '' : path.slice(mark + 1);
}

/** The parameters of a query. Bytes that are not UTF-8 become U+FFFD; invalid escapes stay as they are. */
export function parametersOf(path: string): URLSearchParams {
  return new URLSearchParams(queryOf(path));
}

/** What is left of a path behind the prefix by which its route matched: always with a slash at its beginning. */
export function pathBehind(prefix: string, path: string): string {
  const rest = path.slice(prefix.length);
  return rest.startsWith('/') ? rest : `/${rest}`;
}
