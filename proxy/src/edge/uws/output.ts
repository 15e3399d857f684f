/**
 * The bytes of one answer on the uws edge until the library has them: the queue, the framing, what shares a cork, and how the
 * end is written.
 */
import { WRITE_BYTES } from '../../runtime/node-internals/socket-writes.js';
import { cutOf, writeLines } from './heads.js';
import type { UwsAnswer } from './library.js';

/**
 * Most bytes, head and framing included, in one cork: of more than 16 KiB the library may lose some.
 *
 * @limit {} bytes handed to the library at a time
 * @over the rest follows in the next cork
 */
export const CORK_MAX = 16_000;

/** Most bytes at once in the middle of a long body, where a cork's limit does not count. */
const MIDDLE_MAX = 65_536;

/** From so many bytes of a body on, a client may be slower than its answer: then its last byte waits for the others. */
const CAREFUL_BYTES = 32_768;

/** The shortest run of bytes, of such a body, of which it is made sure that it has left the library. */
const CONFIRM_BYTES = 4_096;

/** What a chunk's framing takes at most. */
const CHUNK_BYTES = 12;

/** What a cork keeps free for the fields that are added to a head. */
const FIELDS_BYTES = 100;

/** How the length of a body is conveyed; undecided until there is a head. */
export type Framing = 'undecided' | 'length' | 'chunks' | 'bodiless';

/** The answer whose bytes these are. */
export interface OutputOwner {
  /** Nothing more will be added. */
  readonly isEnding: boolean;
  /** Whether this answer is the last of its connection. */
  readonly closes: boolean;
  /** The library knows of that, and closes. */
  readonly closesByItself: boolean;
  /** Whether the connection is cut as soon as the answer is handed over, so that nothing more is read from it. */
  readonly cuts: boolean;
  /** Whether the connection is encrypted. */
  readonly secure: boolean;
  /** Bytes are handed over next that may wait in the library. */
  watch(answer: UwsAnswer): void;
  /** The end is handed over next. */
  beforeEnd(): void;
  /** The end is handed over: the library's object must not be touched any more. */
  completed(): void;
  /** The library has kept something. Of what this call has handed over, `bytes` are behind that. */
  blocked(bytes: number): void;
}

const NONE: Buffer[] = [];

const NOTHING = Buffer.alloc(0);

/** The unsent bytes of an answer. */
export class UwsOutput {
  /** Bytes of the body that were taken. */
  bodyBytes = 0;
  readonly #owner: OutputOwner;
  #framing: Framing = 'undecided';
  /** What of the head has not gone out. */
  #head: string | undefined;
  /** Whether anything has gone out. */
  #begun = false;
  /** As declared. */
  #length = 0;
  #sent = 0;
  /** The library has written the length. */
  #hasLength = false;
  // Almost always one buffer waits, or none: so the first is no member of an array, which would be made for each item.
  #first: Buffer | undefined;
  #rest = NONE;
  #queued = 0;
  /** One byte is to follow alone: by it the library reports whether the others have left. */
  #confirms = false;

  // One function for all corks, where a closure would be made for each.
  static #handing: UwsOutput;
  static #into: UwsAnswer;
  static readonly #inCork = (): void => UwsOutput.#handing.#writeBatch(UwsOutput.#into);

  constructor(owner: OutputOwner) {
    this.#owner = owner;
  }

  get framing(): Framing {
    return this.#framing;
  }

  /** Bytes of the body that wait here. */
  get queued(): number {
    return this.#queued;
  }

  /** The same, where each buffer counts `WRITE_BYTES` on top of its own. */
  get waiting(): number {
    return this.#queued + (this.#first === undefined ? 0 : WRITE_BYTES * (1 + this.#rest.length));
  }

  /** Some of the head, at least, waits here. */
  get hasHead(): boolean {
    return this.#head !== undefined;
  }

  get hasBegun(): boolean {
    return this.#begun;
  }

  /** All bytes of the declared length are here, or were. */
  get isWhole(): boolean {
    return this.#framing === 'length' && this.#sent + this.#queued >= this.#length;
  }

  /** There was a length, and not all of it has come. Asked when nothing waits. */
  get isShort(): boolean {
    return this.#framing === 'length' && this.#sent < this.#length;
  }

  /** All of a length was handed over, and we are to close the connection: to the library the answer is incomplete. */
  get isOpen(): boolean {
    return this.#framing === 'length' && this.#length > 0;
  }

  /** Whether nothing waits in the library; only where `isOpen`. Asked outside of a cork with bytes. */
  hasLeft(answer: UwsAnswer): boolean {
    let left = true;
    this.#owner.watch(answer);
    answer.cork(() => {
      [left] = answer.tryEnd(NOTHING, this.#length + 1);
    });
    return left;
  }

  /** Sets the head and the framing; `length` counts for the framing of that name. */
  open(head: string, framing: Framing, length: number): void {
    this.#head = head;
    this.#framing = framing;
    this.#length = length;
  }

  /** Keeps bytes of the body; false when there is to be none, or no more. */
  take(bytes: Buffer): boolean {
    if (bytes.length === 0 || this.#framing === 'bodiless' || this.#framing === 'undecided') return false;
    // More than was declared would be read as the next answer.
    const room = this.#framing === 'length' ? this.#length - this.#sent - this.#queued : bytes.length;
    if (room <= 0) return false;
    this.#enqueue(bytes.length > room ? bytes.subarray(0, room) : bytes);
    return true;
  }

  /** Queues bytes ahead of the origin's first one. */
  begin(bytes: Buffer): void {
    this.#first = bytes;
    this.#rest = NONE;
    this.#queued = bytes.length;
  }

  /** Writes an interim answer, which ends in an empty line of its own. */
  interim(answer: UwsAnswer, text: string): void {
    answer.cork(() => writeLines(answer, text, this.#begun));
    this.#begun = true;
  }

  /** Hands over what fits into one cork, and the end with it if that is all. */
  hand(answer: UwsAnswer): void {
    this.#shortenHead(answer);
    UwsOutput.#handing = this;
    UwsOutput.#into = answer;
    answer.cork(UwsOutput.#inCork);
  }

  /** What the library kept has left it. */
  unblocked(): void {
    this.#confirms = this.#confirms && this.#queued > 0;
  }

  /**
   * Hands over the end where `hand` has not: after bytes that went before, or without any. Returns whether the connection is to
   * be closed by hand now.
   */
  finish(answer: UwsAnswer): boolean {
    this.#shortenHead(answer);
    this.#owner.beforeEnd();
    let mustCut = false;
    answer.cork(() => {
      mustCut = this.#writeEnd(answer);
    });
    this.#owner.completed();
    return mustCut;
  }

  /** Forgets what waits. */
  clear(): void {
    this.#head = undefined;
    this.#first = undefined;
    this.#rest = NONE;
    this.#queued = 0;
  }

  #enqueue(bytes: Buffer): void {
    if (this.#first === undefined) this.#first = bytes;
    else if (this.#rest === NONE) this.#rest = [bytes];
    else this.#rest.push(bytes);
    this.#queued += bytes.length;
    this.bodyBytes += bytes.length;
    if (bytes.length >= CONFIRM_BYTES && this.bodyBytes > CAREFUL_BYTES) this.#confirms = true;
  }

  /** Sends the lines of a head that is too long to share a cork. */
  #shortenHead(answer: UwsAnswer): void {
    for (;;) {
      const head = this.#head;
      const cut = head === undefined ? undefined : cutOf(head);
      if (head === undefined || cut === undefined) return;
      answer.cork(() => writeLines(answer, head.slice(0, cut), this.#begun));
      this.#begun = true;
      this.#head = head.slice(cut + 2);
    }
  }

  #writeBatch(answer: UwsAnswer): void {
    if (this.#framing === 'length') this.#writeLength(answer, this.#isMiddle ? MIDDLE_MAX : CORK_MAX);
    else this.#writeChunks(answer);
  }

  /**
   * Whether a long buffer in the middle of a long body of known length is next. Nothing is before it in its cork, and it has no
   * framing: so the library passes it to the kernel as it is, and says exactly what was taken. In corks of the usual size it
   * would take many system calls (measured, 100 KB: seven instead of three). Not on TLS, where what is tried again must be
   * the same bytes.
   */
  get #isMiddle(): boolean {
    if (this.#head !== undefined || this.#length <= CAREFUL_BYTES || this.#owner.secure) return false;
    return (this.#first?.length ?? 0) > CORK_MAX;
  }

  #writeLength(answer: UwsAnswer, most: number): void {
    const head = this.#head;
    const owner = this.#owner;
    if (head !== undefined && this.#queued === this.#length && this.#length + head.length < CORK_MAX && !owner.cuts) {
      this.#writeAtOnce(answer);
      return;
    }
    owner.watch(answer);
    let room = most - (head?.length ?? 0) - FIELDS_BYTES;
    this.#writeHead(answer, this.#connectionField);
    const byHand = this.#closesByHand;
    while (room > 0 && this.#queued > 0) {
      const left = this.#length - this.#sent;
      // The last byte follows when the others are known to have left: after it the library answers for nothing.
      const isLong = this.#length > CAREFUL_BYTES;
      if (left <= this.#queued && left > 1 && (isLong || (byHand && !this.#hasLength))) room = Math.min(room, left - 1);
      const part = this.#next(room);
      if (left === part.length) owner.beforeEnd();
      if (byHand && !this.#hasLength && left === 1) {
        answer.end(part, true);
        owner.completed();
        return;
      }
      if (this.#tryEnd(answer, part, byHand)) return;
      if (this.#length - this.#sent === 1 && isLong) return;
      room -= part.length;
    }
  }

  /** Head, body and end in one. */
  #writeAtOnce(answer: UwsAnswer): void {
    const owner = this.#owner;
    // Given the close flag, the library says so itself, and closes after the answer.
    const byLibrary = owner.closes && !owner.closesByItself;
    this.#writeHead(answer, byLibrary ? '' : this.#connectionField);
    const first = this.#first ?? NOTHING;
    const body = this.#rest === NONE ? first : Buffer.concat([first, ...this.#rest]);
    owner.beforeEnd();
    if (byLibrary) {
      answer.end(body, true);
      owner.completed();
      return;
    }
    this.#first = body;
    this.#rest = NONE;
    // Behind answers that its client has not taken this one waits here, and the library serves no other before it.
    if (this.#tryEnd(answer, body, false) && this.#queued > 0) owner.watch(answer);
  }

  /**
   * Hands over a part of a body with a length; true when nothing can follow now. `byHand`: once the library has
   * written the length, it gets one byte more than that as the length of the answer, so that it does not complete it. After the
   * last byte it would serve what the client sends next, and has no way to close any more.
   */
  #tryEnd(answer: UwsAnswer, part: Buffer, byHand: boolean): boolean {
    const [taken, complete] = answer.tryEnd(part, byHand && this.#hasLength ? this.#length + 1 : this.#length);
    this.#hasLength = true;
    if (complete) {
      this.#owner.completed();
      return true;
    }
    const count = taken ? part.length : answer.getWriteOffset() - this.#sent;
    this.#sent += count;
    this.#drop(count);
    if (!taken) this.#owner.blocked(0);
    return !taken;
  }

  /** Whether the connection is closed by us after the last byte, since the library does not know that it is to. */
  get #closesByHand(): boolean {
    return this.#owner.cuts || (this.#owner.closes && !this.#owner.closesByItself);
  }

  #writeChunks(answer: UwsAnswer): void {
    const owner = this.#owner;
    if (!owner.isEnding || this.#queued > CORK_MAX / 2) owner.watch(answer);
    let room = CORK_MAX - (this.#head?.length ?? 0) - FIELDS_BYTES;
    this.#writeHead(answer, this.#connectionField);
    let taken = true;
    let bytes = 0;
    while (room > CHUNK_BYTES && this.#queued > 0) {
      const isLast = this.#confirms && this.#queued > 1 && this.#queued <= room - CHUNK_BYTES;
      const part = this.#next(isLast ? Math.min(this.#queued - 1, room - CHUNK_BYTES) : room - CHUNK_BYTES);
      taken = answer.write(part) && taken;
      this.#drop(part.length);
      bytes += part.length;
      room -= part.length + CHUNK_BYTES;
      // Its result says whether the others have left.
      if (this.#confirms && this.#queued === 1) break;
      if (this.#queued === 0) this.#confirms = false;
    }
    if (!taken) owner.blocked(bytes);
    else if (this.#queued === 0 && owner.isEnding && !this.#confirms && owner.closes === owner.closesByItself) {
      owner.beforeEnd();
      answer.end();
      owner.completed();
    }
  }

  /** Whether the connection is to be closed by hand afterwards. */
  #writeEnd(answer: UwsAnswer): boolean {
    const mustClose = this.#owner.closes && !this.#owner.closesByItself;
    if (this.#framing === 'chunks' && this.#head === undefined) {
      // With the close flag here, the library would write a header field into the body. So the last chunk is written as if it were
      // a field, whose colon is in a chunk extension.
      if (mustClose) answer.writeHeader('\r\n0;a="', '"\r\n');
      else answer.end();
      return mustClose;
    }
    if (this.#framing === 'bodiless') {
      // Nor can the flag be given here: the head is completed without it.
      this.#writeHead(answer, mustClose ? `${this.#connectionField}\r\n` : this.#connectionField);
      if (!mustClose) answer.endWithoutBody();
      return mustClose;
    }
    this.#writeHead(answer, mustClose ? '' : this.#connectionField);
    answer.end('', mustClose);
    return false;
  }

  get #connectionField(): string {
    return this.#owner.closes ? '\r\nConnection: close' : '';
  }

  #writeHead(answer: UwsAnswer, last: string): void {
    const head = this.#head;
    if (head === undefined) return;
    this.#head = undefined;
    const text = head + last;
    if (this.#begun && !text.includes(': ')) writeLines(answer, `${text}\r\nConnection: keep-alive`, true);
    else writeLines(answer, text, this.#begun);
    this.#begun = true;
  }

  /** At most so many bytes of the queue, from one buffer. */
  #next(most: number): Buffer {
    const first = this.#first as Buffer;
    return first.length > most ? first.subarray(0, most) : first;
  }

  #drop(bytes: number): void {
    if (bytes === 0) return;
    const first = this.#first as Buffer;
    this.#queued -= bytes;
    if (bytes < first.length) {
      this.#first = first.subarray(bytes);
      return;
    }
    this.#first = this.#rest.shift();
    if (this.#rest.length === 0) this.#rest = NONE;
  }
}
