/** The library's parser within bounds: what comes from the server are stanzas of clients, who may send what they like. */
import { MAX_STANZA_BYTES, MAX_STANZA_DEPTH } from '@holdfast/grip';
import type { LibraryParserClass } from './component-library.js';

/**
 * Bytes of one stanza on the stream, of which no more than `MAX_STANZA_BYTES` are kept: a server lets its clients send less.
 *
 * @limit {MiB} of a stanza from the XMPP server
 * @over connection to the server closed, and made anew
 */
export const STREAM_STANZA_MAX = 2 ** 20;

/** What else may be in the same read, in bytes: it counts for the stanza before. */
const READ_BYTES = 65_536;

/** A level for the stream itself. */
const DEPTH_MAX = MAX_STANZA_DEPTH + 1;

/** Why a stanza was too much. */
export type TooMuch = 'deep' | 'long';

/**
 * A parser that keeps no more than `MAX_STANZA_DEPTH` levels, and no more content than `MAX_STANZA_BYTES` and a read, of a stanza:
 * what comes then of it is passed over, and `cut` is called just before the stanza is given out, so that it can be refused.
 */
export function boundedParser(Base: LibraryParserClass, cut: (why: TooMuch) => void): LibraryParserClass {
  return class extends Base {
    /** Elements that are open, the stream included, and how many of the innermost are passed over. */
    #depth = 0;
    #skipped = 0;
    /** Of the present stanza, and what came before it in the same read. */
    #bytes = 0;
    #why: TooMuch | undefined;

    override write(text: string): void {
      this.#bytes += text.length;
      if (this.#bytes <= STREAM_STANZA_MAX) super.write(text);
      else this.emit('error', new Error(`a stanza of more than ${STREAM_STANZA_MAX} bytes`));
    }

    override onStartElement(name: string, attributes: Record<string, string>): void {
      this.#depth++;
      if (this.#depth > DEPTH_MAX) this.#why ??= 'deep';
      if (this.#depth > 2) this.#look();
      if (this.#why === undefined) super.onStartElement(name, attributes);
      else this.#skipped++;
    }

    override onEndElement(name: string): void {
      this.#depth--;
      if (this.#skipped > 0) {
        this.#skipped--;
        return;
      }
      const why = this.#why;
      if (this.#depth === 1) {
        this.#why = undefined;
        this.#bytes = 0;
        if (why !== undefined) cut(why);
      }
      super.onEndElement(name);
    }

    override onText(text: string): void {
      if (this.#depth > 1) this.#look();
      if (this.#why === undefined) super.onText(text);
    }

    #look(): void {
      if (this.#bytes > MAX_STANZA_BYTES + READ_BYTES) this.#why ??= 'long';
    }
  };
}
