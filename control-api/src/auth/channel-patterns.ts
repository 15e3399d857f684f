/** Patterns of channel names, in which `*` stands for any characters or none. They are matched on the name as it is published. */

/** One pattern, taken apart at its stars. */
interface Pattern {
  readonly head: string;
  readonly middle: readonly string[];
  /** Undefined without a star: then the name is the head. */
  readonly tail: string | undefined;
}

/** A set of names. */
export class ChannelPatterns {
  readonly #names = new Set<string>();
  readonly #patterns: Pattern[] = [];

  constructor(patterns: readonly string[]) {
    for (const text of patterns) {
      const parts = text.split('*');
      if (parts.length === 1) this.#names.add(text);
      else this.#patterns.push({ head: parts[0] ?? '', middle: parts.slice(1, -1), tail: parts.at(-1) });
    }
  }

  /** Whether a name is in the set. Takes time in proportion to the name and the patterns, whatever they are. */
  has(name: string): boolean {
    return this.#names.has(name) || this.#patterns.some((pattern) => matches(pattern, name));
  }
}

/** The first place of each part is as good as any later one, so that nothing is ever tried again. */
function matches({ head, middle, tail = '' }: Pattern, name: string): boolean {
  if (name.length < head.length + tail.length || !name.startsWith(head) || !name.endsWith(tail)) return false;
  const end = name.length - tail.length;
  let at = head.length;
  for (const part of middle) {
    const found = name.indexOf(part, at);
    if (found < 0 || found + part.length > end) return false;
    at = found + part.length;
  }
  return true;
}
