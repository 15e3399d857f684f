/**
 * Owns: the bytes of an origin's reason phrase, which undici reads as UTF-8, and of which it keeps the part in the last
 * segment only. Does not own: whether a phrase is sent on. The only file that knows that part of undici.
 */
import { MAX_REASON } from '@holdfast/grip';
import { type Connect, withParserKind } from './parser.js';

/** What undici has for each connection: it gets the phrase in as many parts as there are segments. */
interface StatusParser {
  /** The phrase so far; empty when an answer begins. */
  statusText: string;
  onStatus(part: Buffer): number;
}

/** A character for each byte (RFC 9112 §4 has obs-text). What is longer than may be sent need not be kept. */
function onStatus(this: StatusParser, part: Buffer): number {
  if (this.statusText.length <= MAX_REASON) {
    this.statusText += part.toString('latin1', 0, MAX_REASON + 1 - this.statusText.length);
  }
  return 0;
}

/**
 * A connector whose connections report reason phrases as Latin-1. Where undici has changed, they report them as it does; a test
 * shows that it has not.
 */
export function withReasonBytes<Options>(connect: Connect<Options>): Connect<Options> {
  return withParserKind(connect, (found) => {
    const kind = found as StatusParser;
    if (kind.onStatus !== onStatus && typeof kind.onStatus === 'function') kind.onStatus = onStatus;
  });
}
