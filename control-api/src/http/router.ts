/** The routes of a listener: rows of method, path, permission and handler, and finding the row of a request. */
import { isLongName } from '@holdfast/grip';
import { type Answer, methodNotAllowed, nameMalformed, nameTooLong } from './answer.js';

/** The permission that the caller of a route needs; `none` is open to everybody who reaches the listener. */
export type Scope = 'publish' | 'recover' | 'view' | 'tap' | 'disconnect' | 'subscribe' | 'metrics' | 'none';

/** Who sent a request, where a listener asks for that. */
export interface Principal {
  /** As it is named in the log. */
  readonly name: string;
  /** Whether it may do what this scope means, on some channels at least. */
  allows(scope: Scope): boolean;
  /** Whether it may do it on all channels. */
  isUnlimited(scope: Scope): boolean;
  /** The refusal where it may not do it on this channel. */
  refuseChannel(scope: Scope, channel: string): Answer | undefined;
  /** The refusal where it may not publish one of these items, or not as many for now; else they count as published. */
  refuseItems(items: readonly { readonly channel: string }[]): Answer | undefined;
  /** Whether an answer that goes on may do so: the credential has not expired since, and the key still allows it. */
  mayStill(scope: Scope, channel: string): boolean;
  /** Fields of the log beside the name: whom a token was made for. */
  readonly described: Readonly<Record<string, string>>;
}

/** What every handler gets of a request. */
export interface RouteCall {
  /** What stands in the places of the path, decoded. */
  readonly params: Readonly<Record<string, string>>;
  /** Undefined where the listener does not ask who calls. */
  readonly principal: Principal | undefined;
  /** What follows the `?` of the path, as it came; undefined where there is none. Only what the row's `query` lets by. */
  readonly query?: string | undefined;
}

/** The query that a row takes. */
export interface RouteQuery {
  readonly names: readonly string[];
  /** What comes of other names: there is nothing at such a path, as of Pushpin's, or the handler refuses them with a reason. */
  readonly others: 'elsewhere' | 'refused';
}

/** One row. */
export interface Route<Handler> {
  /** `*` takes any. */
  readonly method: string;
  /**
   * Literal text with places: `{name}` is one percent-encoded segment, which may be empty, `{name+}` one that may not. With `/?`
   * at its end a slash more makes no other path. A query string does, unless the row's `query` lets it by, or the listener takes
   * it off.
   */
  readonly path: string;
  /** The parameters that a query string may have. Left out, there is nothing at the path with a query. */
  readonly query?: RouteQuery;
  /** The permission that a caller needs. */
  readonly scope: Scope;
  readonly handler: Handler;
}

/** What was found for a path that exists. */
export interface RouteMatch<Row> {
  /** The first row of the path, whatever its method. */
  readonly first: Row;
  /** The row to run with the names in the path, or the answer where there is none: 405, or 400 for a name that cannot be. */
  readonly found: RouteFound<Row> | Answer;
}

/** A row with what the URL says beside its path. */
export interface RouteFound<Row> extends Pick<RouteCall, 'params' | 'query'> {
  readonly row: Row;
}

interface Path<Row> {
  readonly pattern: RegExp;
  /** Of the places, in order. */
  readonly names: readonly string[];
  readonly rows: Row[];
}

/** Finds rows. A path belongs to the first row that it fits, so that more general paths come later. */
export class Router<Row extends Route<unknown>> {
  readonly #paths: Path<Row>[] = [];
  readonly #methods = new Set<string>();

  constructor(rows: readonly Row[]) {
    const known = new Map<string, Path<Row>>();
    for (const row of rows) {
      this.#methods.add(row.method);
      let path = known.get(row.path);
      if (path === undefined) {
        path = compile<Row>(row.path);
        known.set(row.path, path);
        this.#paths.push(path);
      }
      path.rows.push(row);
    }
  }

  /** Whether any path takes this method. */
  takes(method: string): boolean {
    return this.#methods.has(method) || this.#methods.has('*');
  }

  /** What is at a path; undefined where there is nothing. */
  match(method: string, url: string): RouteMatch<Row> | undefined {
    const at = url.indexOf('?');
    return at < 0 ? this.#match(method, url, undefined) : this.#matchQuery(method, url, at);
  }

  /** A query that the row does not take makes a path that is not there. */
  #matchQuery(method: string, url: string, at: number): RouteMatch<Row> | undefined {
    const query = url.slice(at + 1);
    const match = this.#match(method, url.slice(0, at), query);
    if (match === undefined) return undefined;
    const { query: known } = 'row' in match.found ? match.found.row : match.first;
    if (known?.others === 'refused') return match;
    const names = [...new URLSearchParams(query).keys()];
    return names.length > 0 && names.every((name) => known?.names.includes(name)) ? match : undefined;
  }

  #match(method: string, url: string, query: string | undefined): RouteMatch<Row> | undefined {
    for (const { pattern, names, rows } of this.#paths) {
      const values = pattern.exec(url);
      if (values === null) continue;
      const [first] = rows as [Row];
      const row = rows.find((one) => one.method === method || one.method === '*');
      if (row === undefined) {
        return { first, found: methodNotAllowed(method, rows.map((one) => one.method).join(', ')) };
      }
      const params = paramsOf(names, values);
      return { first, found: 'status' in params ? (params as Answer) : { row, params, query } };
    }
    return undefined;
  }
}

function compile<Row>(path: string): Path<Row> {
  const names: string[] = [];
  const open = path.endsWith('/?') ? path.slice(0, -2) : path;
  const pattern = open
    .split(/(\{\w+\+?\})/)
    .map((part) => {
      const [, name, some] = /^\{(\w+)(\+?)\}$/.exec(part) ?? [];
      if (name === undefined) return part.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
      names.push(name);
      return some === '+' ? '([^/?]+)' : '([^/?]*)';
    })
    .join('');
  return { pattern: new RegExp(`^${pattern}${open === path ? '' : '/?'}$`), names, rows: [] };
}

/** The decoded names, or the refusal of one that is no percent-encoded UTF-8, or longer than any name. */
function paramsOf(names: readonly string[], values: readonly string[]): Readonly<Record<string, string>> | Answer {
  const params: Record<string, string> = {};
  for (const [i, name] of names.entries()) {
    try {
      const value = decodeURIComponent(values[i + 1] ?? '');
      if (isLongName(value)) return nameTooLong;
      params[name] = value;
    } catch {
      return nameMalformed;
    }
  }
  return params;
}
