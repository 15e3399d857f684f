/** Patterns by what they are made of: those that match a name are found without looking at the others. */
import type { Pattern } from '@holdfast/grip';

interface Node<Value> {
  /** By the next segment. */
  readonly next: Map<string, Node<Value>>;
  /** The next segment is any. */
  any: Node<Value> | undefined;
  /** Of the pattern whose last segment this is. */
  here: Value | undefined;
  /** Of patterns that go on in any way: by what the rest of a name begins with. */
  readonly tails: Map<string, Value>;
  /** The lengths of these, the shortest first; made anew when one comes or goes. */
  lengths: readonly number[];
}

function newNode<Value>(): Node<Value> {
  return { next: new Map(), any: undefined, here: undefined, tails: new Map(), lengths: [] };
}

function isEmpty({ next, any, here, tails }: Node<unknown>): boolean {
  return next.size === 0 && any === undefined && here === undefined && tails.size === 0;
}

function lengthsOf(tails: ReadonlyMap<string, unknown>): readonly number[] {
  return [...new Set([...tails.keys()].map(({ length }) => length))].sort((one, other) => one - other);
}

/** Pattern → value. All patterns are parsed with the separator of the trie. */
export class PatternTrie<Value> {
  readonly #separator: string;
  readonly #root: Node<Value> = newNode();

  constructor(separator: string) {
    this.#separator = separator;
  }

  /** Puts a value in the place of an earlier one. */
  set({ segments, tail }: Pattern, value: Value): void {
    let node = this.#root;
    for (const segment of segments) {
      if (segment === undefined) {
        node.any ??= newNode();
        node = node.any;
        continue;
      }
      let next = node.next.get(segment);
      if (next === undefined) {
        next = newNode();
        node.next.set(segment, next);
      }
      node = next;
    }
    if (tail === undefined) node.here = value;
    else {
      node.tails.set(tail, value);
      node.lengths = lengthsOf(node.tails);
    }
  }

  /** Unknown patterns are ignored. */
  delete({ segments, tail }: Pattern): void {
    const path: Node<Value>[] = [this.#root];
    for (const segment of segments) {
      const node = path.at(-1) as Node<Value>;
      const next = segment === undefined ? node.any : node.next.get(segment);
      if (next === undefined) return;
      path.push(next);
    }
    const last = path.at(-1) as Node<Value>;
    if (tail === undefined) last.here = undefined;
    else if (last.tails.delete(tail)) last.lengths = lengthsOf(last.tails);
    for (let i = segments.length - 1; i >= 0 && isEmpty(path[i + 1] as Node<Value>); i--) {
      const node = path[i] as Node<Value>;
      const segment = segments[i];
      if (segment === undefined) node.any = undefined;
      else node.next.delete(segment);
    }
  }

  get isEmpty(): boolean {
    return isEmpty(this.#root);
  }

  /** Calls for the value of each pattern that matches, in no particular order. */
  visit(name: string, found: (value: Value) => void): void {
    this.#visit(this.#root, name, 0, found);
  }

  /** `from` is where the next segment begins; -1 when the name has come to its end. */
  #visit(
    { next, any, here, tails, lengths }: Node<Value>,
    name: string,
    from: number,
    found: (value: Value) => void,
  ): void {
    if (from < 0) {
      if (here !== undefined) found(here);
      return;
    }
    for (const length of lengths) {
      if (from + length > name.length) break;
      const value = tails.get(name.slice(from, from + length));
      if (value !== undefined) found(value);
    }
    if (next.size === 0 && any === undefined) return;
    const end = this.#separator === '' ? -1 : name.indexOf(this.#separator, from);
    const child = next.get(end < 0 ? name.slice(from) : name.slice(from, end));
    const after = end < 0 ? -1 : end + this.#separator.length;
    if (child !== undefined) this.#visit(child, name, after, found);
    if (any !== undefined) this.#visit(any, name, after, found);
  }
}
