/**
 * The text of response heads on the uws edge, and how text is written to the wire.
 *
 * The library writes a status and header fields as they are given, so that a whole head goes out in one call.
 */
import type { ResponseHead } from '@holdfast/grip';
import { type HeadKind, headLines } from '../client-headers.js';
import type { UwsAnswer, UwsText } from './library.js';

/** Longest part of a head, in bytes, that shares a cork with other bytes. */
const PART_MAX = 8_000;

const NON_ASCII = /[^\0-\x7f]/;

const isDate = (name: string): boolean => name.length === 4 && name.toLowerCase() === 'date';

/**
 * A head without the line that ends it. Date is left out beside the fields of the hop: the library writes its own into
 * every final answer. Throws for a head that cannot be put on the wire (`checkedHeaders`): characters above U+00FF would
 * become the bytes of other characters.
 */
export function headText(head: ResponseHead, kind: HeadKind): string {
  return headLines(head, kind, kind === 'interim' ? undefined : isDate);
}

/** Text as bytes, one to a character. */
export function latin1(text: string): UwsText {
  return NON_ASCII.test(text) ? Buffer.from(text, 'latin1') : text;
}

/**
 * Writes lines as they are, the last CRLF aside. `begun`: some of this answer was written before; then they
 * go as a header field, since there is only one status; the first of them must have a colon.
 */
export function writeLines(answer: UwsAnswer, text: string, begun: boolean): void {
  if (!begun) {
    answer.writeStatus(latin1(text.slice('HTTP/1.1 '.length)));
    return;
  }
  const colon = text.indexOf(': ');
  answer.writeHeader(latin1(text.slice(0, colon)), latin1(text.slice(colon + 2)));
}

/**
 * Where a long head is to be cut, so that what goes out at a time does not exceed what the library can hold: the index of a
 * CRLF, or undefined when it is short enough.
 */
export function cutOf(text: string): number | undefined {
  if (text.length <= PART_MAX) return undefined;
  const before = text.lastIndexOf('\r\n', PART_MAX);
  const cut = before > 0 ? before : text.indexOf('\r\n');
  return cut < 0 ? undefined : cut;
}
