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

/** A path without a parameter of its query, and the value of that as it was sent. */
export interface TakenParameter {
  readonly path: string;
  readonly value: string;
}

/**
 * Takes a parameter out of an encoded path and query; undefined when it is not there. Its name has to be written as it is, its value
 * is left as it is. Of several the last counts.
 */
export function takeParameter(path: string, name: string): TakenParameter | undefined {
  const mark = path.indexOf('?');
  if (mark === -1 || !path.includes(name, mark)) return undefined;
  let value: string | undefined;
  const others = path
    .slice(mark + 1)
    .split('&')
    .filter((field) => {
      const isOurs = field === name || field.startsWith(`${name}=`);
      if (isOurs) value = field.slice(name.length + 1);
      return !isOurs;
    });
  if (value === undefined) return undefined;
  return { path: path.slice(0, mark) + (others.length === 0 ? '' : `?${others.join('&')}`), value };
}

/** What is left of a path behind the prefix by which its route matched: always with a slash at its beginning. */
export function pathBehind(prefix: string, path: string): string {
  const rest = path.slice(prefix.length);
  return rest.startsWith('/') ? rest : `/${rest}`;
}
