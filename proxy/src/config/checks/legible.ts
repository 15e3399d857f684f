/** Owns: that words from outside fit into a line that people read. Does not own: the lines. */

/** Characters of an error line or warning; what is behind them is left out. */
const LINE_MAX = 1_000;

/** Characters of a value that is shown as it was found. */
const VALUE_MAX = 200;

/** Control characters, and what terminals and editors take for an end of line. */
const unprintable = /[\p{Cc}\p{Cs}\u2028\u2029]/u;
const eachUnprintable = new RegExp(unprintable.source, 'gu');

function cut(text: string, max: number): string {
  return text.length > max ? `${text.slice(0, max)}…` : text;
}

/** As one line: control characters are escaped, what is too long is cut. */
export function legible(text: string): string {
  const line = cut(text, LINE_MAX);
  if (!unprintable.test(line)) return line;
  return line.replace(eachUnprintable, (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`);
}

/** A value as JSON, cut. */
export function legibleValue(value: unknown): string {
  try {
    return cut(JSON.stringify(value) ?? String(value), VALUE_MAX);
  } catch {
    return 'a value that holds itself'; // by aliases of YAML
  }
}
