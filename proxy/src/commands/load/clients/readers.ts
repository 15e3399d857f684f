/** Where the items are in what a client receives: server-sent events, lines of a stream, whole bodies and messages. */
import type { Mark, MarkReader } from '../mark.js';

/**
 * Characters of a line or body that are kept until it is whole.
 *
 * @limit {MiB} of a line or of the answer to a long poll that `holdfast load` reads
 * @over the rest of it is not looked at
 */
export const MAX_TEXT = 2 * 1024 * 1024;

/** Called for each item, once all that belongs to it has come. */
export type OnMark = (mark: Mark) => void;

/** Reads what one connection after the other brings; text is in Latin-1, as it came in bytes. */
export interface Reader {
  /** The id to reconnect with, as its bytes; empty without one. */
  readonly lastId: string;
  /** How long the server wants the client to wait before it reconnects, in ms. */
  readonly retry: number | undefined;
  read(text: string): void;
  /** A new connection: what was not whole on the one before is dropped. */
  restart(): void;
}

/** A copy: a piece of a text that was read keeps all of that text in memory. */
const copied = (text: string): string => (text === '' ? '' : Buffer.from(text, 'latin1').toString('latin1'));

/** Splits what comes into lines, which end in LF or CR LF. */
abstract class Lines implements Reader {
  lastId = '';
  retry: number | undefined;
  #rest = '';
  #isTooLong = false;

  read(text: string): void {
    let from = 0;
    for (let end = text.indexOf('\n'); end >= 0; end = text.indexOf('\n', from)) {
      const line = text.charCodeAt(end - 1) === 13 && end > from ? text.slice(from, end - 1) : text.slice(from, end);
      from = end + 1;
      if (this.#isTooLong) this.#isTooLong = false;
      else this.line(this.#rest === '' ? line : this.#whole(line));
    }
    if (from < text.length) this.#keep(from === 0 ? text : text.slice(from));
  }

  #whole(line: string): string {
    const whole = this.#rest + line;
    this.#rest = '';
    // The CR may have come before its LF.
    return whole.endsWith('\r') ? whole.slice(0, -1) : whole;
  }

  #keep(text: string): void {
    if (this.#isTooLong) return;
    if (this.#rest.length + text.length <= MAX_TEXT) {
      this.#rest += copied(text);
      return;
    }
    this.#rest = '';
    this.#isTooLong = true;
  }

  protected abstract line(line: string): void;

  restart(): void {
    this.#rest = '';
    this.#isTooLong = false;
  }
}

/** An event stream (HTML, "server-sent events"): an event counts, and its id, when the blank line after it has come. */
export class EventReader extends Lines {
  readonly #marks: MarkReader;
  readonly #onMark: OnMark;
  #id: string | undefined;
  #mark: Mark | undefined;

  constructor(marks: MarkReader, onMark: OnMark) {
    super();
    this.#marks = marks;
    this.#onMark = onMark;
  }

  override restart(): void {
    super.restart();
    this.#id = undefined;
    this.#mark = undefined;
  }

  protected override line(line: string): void {
    if (line === '') this.#dispatch();
    else if (line.startsWith('data:')) this.#mark ??= this.#marks.read(line);
    else if (line.startsWith('id:')) this.#takeId(copied(fieldOf(line, 3)));
    else if (line.startsWith('retry:')) this.#takeRetry(fieldOf(line, 6));
  }

  #takeId(id: string): void {
    if (!id.includes('\0') && id.length <= 8_192) this.#id = id;
  }

  #takeRetry(text: string): void {
    if (/^\d{1,9}$/.test(text)) this.retry = Number(text);
  }

  #dispatch(): void {
    const mark = this.#mark;
    this.#mark = undefined;
    if (this.#id !== undefined) this.lastId = this.#id;
    if (mark !== undefined) this.#onMark(mark);
  }
}

const fieldOf = (line: string, from: number) => line.slice(line.charCodeAt(from) === 32 ? from + 1 : from);

/** A stream whose items are lines. */
export class LineReader extends Lines {
  readonly #marks: MarkReader;
  readonly #onMark: OnMark;

  constructor(marks: MarkReader, onMark: OnMark) {
    super();
    this.#marks = marks;
    this.#onMark = onMark;
  }

  protected override line(line: string): void {
    const mark = this.#marks.read(line);
    if (mark !== undefined) this.#onMark(mark);
  }
}

/** What comes whole: the answer to a long poll, a message. */
export class WholeReader implements Reader {
  readonly lastId = '';
  readonly retry = undefined;
  readonly #marks: MarkReader;
  readonly #onMark: OnMark;

  constructor(marks: MarkReader, onMark: OnMark) {
    this.#marks = marks;
    this.#onMark = onMark;
  }

  /** Several items in one answer are lines of it. */
  read(text: string): void {
    for (const line of text.split('\n')) {
      const mark = this.#marks.read(line);
      if (mark !== undefined) this.#onMark(mark);
    }
  }

  restart(): void {}
}
