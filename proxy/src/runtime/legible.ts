/** Text of error lines and warnings: what came from outside fits into a line, and a misspelt word gets a guess. */
import { closest, distance } from 'fastest-levenshtein';

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

/** As one line: control characters are escaped. */
export function oneLine(text: string): string {
  if (!unprintable.test(text)) return text;
  return text.replace(eachUnprintable, (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`);
}

/** As one line that is not too long. */
export function legible(text: string): string {
  return oneLine(cut(text, LINE_MAX));
}

/** A value as JSON, cut. */
export function legibleValue(value: unknown): string {
  try {
    return cut(JSON.stringify(value) ?? String(value), VALUE_MAX);
  } catch {
    return 'a value that holds itself'; // by aliases of YAML
  }
}

/** Characters of a word that are compared, and shown. */
const MAX_WORD = 100;

/** The word that looks most like `word`; there must be one. */
export function nearest(word: string, words: readonly string[]): string {
  return closest(word.slice(0, MAX_WORD), words);
}

/** Most words that are listed where none is like the one that was found. */
const MAX_LISTED = 12;

/** `'<word>'; did you mean <nearest>?`, or all words where they are few and none is near: to go behind what it is. */
export function guess(word: string, words: readonly string[]): string {
  const shown = word.length > MAX_WORD ? `${word.slice(0, MAX_WORD)}…` : word;
  const near = nearest(word, words);
  const isFar = distance(shown, near) > Math.max(shown.length, near.length) / 2;
  if (isFar && words.length <= MAX_LISTED) return `'${shown}'; there are ${words.join(', ')}`;
  return `'${shown}'; did you mean ${near}?`;
}
