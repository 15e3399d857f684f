/** Owns: guessing what somebody meant who has misspelled a word. Does not own: the words. The only importer of the library. */
import { closest, distance } from 'fastest-levenshtein';

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
