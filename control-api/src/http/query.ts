/** Query strings of the control API: each path that takes one says which parameters there are. */
import { type Answer, argumentRefused } from './answer.js';

/** The parameters of a request: each that was given, once at least. */
export class Query {
  readonly #values: ReadonlyMap<string, readonly string[]>;

  constructor(values: ReadonlyMap<string, readonly string[]>) {
    this.#values = values;
  }

  /** Of a parameter that may come once. */
  one(name: string): string | undefined {
    return this.#values.get(name)?.[0];
  }

  /** Of a parameter that may come several times, as they came. */
  all(name: string): readonly string[] {
    return this.#values.get(name) ?? [];
  }
}

/** Characters of a name that are shown. */
const SHOWN = 40;

/**
 * Reads a query string, without its question mark, as forms encode it: `+` is a space. The answer is 400 for a parameter that is
 * not among `once` and `repeated`, one that comes twice and must not, and one that is not percent-encoded UTF-8.
 */
export function readQuery(query: string, once: readonly string[], repeated: readonly string[] = []): Query | Answer {
  const values = new Map<string, string[]>();
  for (const pair of query.split('&')) {
    if (pair === '') continue;
    const at = pair.indexOf('=');
    const name = decode(at < 0 ? pair : pair.slice(0, at));
    const value = decode(at < 0 ? '' : pair.slice(at + 1));
    if (name === undefined || value === undefined) {
      return argumentRefused(`'${shown(pair)}' in the query is not percent-encoded UTF-8`);
    }
    if (!once.includes(name) && !repeated.includes(name)) {
      const expected = [...once, ...repeated].join(', ');
      return argumentRefused(`unknown parameter '${shown(name)}': expected ${expected}`);
    }
    const known = values.get(name);
    if (known === undefined) values.set(name, [value]);
    else if (repeated.includes(name)) known.push(value);
    else return argumentRefused(`'${name}' may come only once`);
  }
  return new Query(values);
}

function decode(text: string): string | undefined {
  try {
    return decodeURIComponent(text.replaceAll('+', ' '));
  } catch {
    return undefined;
  }
}

/** The client may have sent anything. */
function shown(text: string): string {
  return text.slice(0, SHOWN).replace(/\p{Cc}/gu, '?');
}
