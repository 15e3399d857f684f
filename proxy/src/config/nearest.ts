/** Owns: guessing what somebody meant who has misspelled a word. Does not own: the words. The only importer of the library. */
import { closest } from 'fastest-levenshtein';

/** Characters of a word that are compared, and shown. */
const MAX_WORD = 100;

/** The word that looks most like `word`; there must be one. */
export function nearest(word: string, words: readonly string[]): string {
  return closest(word.slice(0, MAX_WORD), words);
}

/** `'<word>'; did you mean <nearest>?`, to go behind what it is. */
export function guess(word: string, words: readonly string[]): string {
  const shown = word.length > MAX_WORD ? `${word.slice(0, MAX_WORD)}…` : word;
  return `'${shown}'; did you mean ${nearest(word, words)}?`;
}
