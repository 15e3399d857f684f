/**
 * Owns: the answer to one request on the uws edge, from head to last byte. Does not own: what is answered, the text of heads
 * (`uws-head`), or connections.
 *
 * The library has a buffer without limit behind each answer, and does not tell what is in it. So what a client does not take
 * waits here: nothing more is handed over from the moment the library reports that something waits there too. It may
 * report late, by one cork.
 */
import { hasControl, headerFault, headerValue, type ResponseHead } from '@holdfast/grip';
import type { Clock, Timer } from '../clock.js';
import type { Flushable, FlushQueue } from '../flush-queue.js';
import { clientHeaders } from './client-headers.js';
import type { ClientResponse, ResponseOwner } from './edge.js';
import type { StreamPiece } from './stream-piece.js';
import type { UwsBody } from './uws-body.js';
import { cutOf, headText, writeLines } from './uws-head.js';
import type { UwsAnswer } from './uws-library.js';
import type { Beating, UwsPulse } from './uws-pulse.js';

/** Most bytes, head and framing included, in one cork: of more than 16 KiB the library may lose some. */
const CORK_MAX = 16_000;

/** So many bytes go out for one client in a turn of the event loop, before others have theirs. */
const TURN_MAX = 262_144;

/** From so many bytes of a body on, a client may be slower than its answer: then its last byte waits for the others. */
const CAREFUL_BYTES = 32_768;

/** The shortest run of bytes, of such a body, of which it is made sure that it has left the library. */
const CONFIRM_BYTES = 4_096;

/** What a chunk's framing takes at most. */
const CHUNK_BYTES = 12;

/** How long an answer that was broken off may take to drain to its client before the connection is cut, in ms. */
const ABORT_DRAIN_MS = 5_000;

/** How long the head of an event stream waits for a first byte from its origin, in ms. */
const EARLY_HEAD_MS = 100;

/** A comment (HTML §9.2.6): no event stream's reader sees it, and the library needs a byte to send a head with. */
const COMMENT = Buffer.from(':\n');

/** What an answer needs of its edge and its listener. */
export interface AnswerSurroundings {
  readonly clock: Clock;
  readonly flushes: FlushQueue;
  readonly pulse: UwsPulse;
  /** Whether connections are to close after their present answer. */
  readonly isStopping: boolean;
  /** An answer is complete or broken off, or its client has gone; called once for each. */
  answered(): void;
}

/** How a request wants its answer. */
export interface AnswerShape {
  readonly isHead: boolean;
  /** The client has asked for a close. */
  readonly closes: boolean;
  /** The library knows of that, and closes. */
  readonly closesByItself: boolean;
}

type Framing = 'undecided' | 'length' | 'chunks' | 'bodiless';

const NONE: Buffer[] = [];
const nothing = (): void => {};

/** The response whose bytes are being corked: one function for all spares a closure for each write. */
let corked: UwsResponse;
const writeCorked = (): void => corked.writeBatch();

function cork(response: UwsResponse, answer: UwsAnswer): void {
  corked = response;
  answer.cork(writeCorked);
}

/** A client response carried by uWebSockets.js. */
export class UwsResponse implements ClientResponse, Flushable, Beating {
  bodyBytes = 0;
  /** The body of the request, while some of it may be on its way. */
  body: UwsBody | undefined;
  /** Undefined once the answer is complete or the client has gone: the library's object must not be touched then. */
  #answer: UwsAnswer | undefined;
  readonly #around: AnswerSurroundings;
  readonly #shape: AnswerShape;
  #owner: ResponseOwner | undefined;
  #framing: Framing = 'undecided';
  /** What of the head has not gone out. */
  #head: string | undefined;
  #length = 0;
  #sent = 0;
  #queue = NONE;
  #queued = 0;
  /** Bytes that were handed over behind others that waited. */
  #inside = 0;
  #begun = false;
  #watched = false;
  #scheduled = false;
  #blocked = false;
  #starved = false;
  #confirms = false;
  #ending = false;
  #aborting = false;
  #over = false;
  #gone = false;
  /** Within a call of the library. */
  #inCall = false;
  #early: Timer | undefined;

  constructor(answer: UwsAnswer, shape: AnswerShape, around: AnswerSurroundings) {
    this.#answer = answer;
    this.#shape = shape;
    this.#around = around;
    answer.onAborted(() => this.#aborted());
    this.called();
  }

  /**
   * The library has called: until the end of this turn, all that is written on this connection is one cork, whether it is
   * asked for or not, and nothing may be closed. So what is written waits for the end of the turn.
   */
  called(): void {
    this.#inCall = true;
    if (this.#scheduled) return;
    this.#scheduled = true;
    this.#around.flushes.add(this);
  }

  /** Whether the answer is complete or broken off, as far as its owner is concerned. */
  get over(): boolean {
    return this.#over;
  }

  /** Gives the library's object away: its connection is a WebSocket from here on. */
  release(): UwsAnswer | undefined {
    const answer = this.#answer;
    this.#answer = undefined;
    this.#over = true;
    this.#owner = undefined;
    this.#around.answered();
    return answer;
  }

  own(owner: ResponseOwner): void {
    if (this.#gone) queueMicrotask(() => owner.onGone());
    if (!this.#over) this.#owner = owner;
  }

  writeHead(head: ResponseHead, length: number | undefined, flush = false): void {
    if (this.#over) return;
    let text = headText(head);
    const isBodiless = this.#shape.isHead || head.status === 204 || head.status === 304;
    if (isBodiless && length !== undefined && head.status !== 204) text += `\r\nContent-Length: ${length}`;
    this.#head = text;
    this.#framing = isBodiless ? 'bodiless' : length === undefined ? 'chunks' : 'length';
    this.#length = length ?? 0;
    if (flush && this.#framing === 'chunks' && isEventStream(head)) {
      this.#early = this.#around.clock.after(EARLY_HEAD_MS, () => this.#sendEarly());
    }
  }

  writeInformation({ status, reason, headers }: ResponseHead): void {
    if (this.#over || this.#framing !== 'undecided' || this.#answer === undefined) return;
    if (hasControl(reason)) throw new TypeError('reason phrase contains a control character');
    const kept = clientHeaders(headers);
    let text = `HTTP/1.1 ${status} ${reason}\r\n`;
    for (let i = 0; i < kept.length; i += 2) {
      const [name, value] = [kept[i] as string, kept[i + 1] as string];
      const fault = headerFault(name, value);
      if (fault !== undefined) throw new TypeError(fault);
      text += `${name}: ${value}\r\n`;
    }
    // One without fields has no colon by which it could follow another; it tells nothing either.
    if (kept.length === 0 && this.#begun) return;
    const answer = this.#answer;
    answer.cork(() => writeLines(answer, text, this.#begun));
    this.#begun = true;
  }

  write(chunk: Buffer): boolean {
    if (!this.#take(chunk)) return true;
    const isLast = this.#framing === 'length' && this.#sent + this.#queued >= this.#length;
    if (isLast || this.#queued >= CORK_MAX) this.#pump();
    else this.#schedule();
    if (!this.#blocked && this.#queued < CORK_MAX) return true;
    this.#starved = !this.#over;
    return this.#over;
  }

  push(piece: StreamPiece): void {
    if (!this.#take(piece.payload) || this.#scheduled || this.#blocked) return;
    this.#scheduled = true;
    this.#around.flushes.addSoon(this);
  }

  end(chunk?: Buffer): void {
    if (this.#over) return;
    if (chunk !== undefined) this.#take(chunk);
    this.#over = true;
    this.#ending = true;
    this.#owner = undefined;
    this.#pump();
  }

  abort(discard = false): void {
    if (this.#over) return;
    this.#over = true;
    this.#owner = undefined;
    this.#aborting = true;
    if (discard || (this.#framing === 'undecided' && !this.#inCall)) this.#cut();
    else {
      this.#around.clock.clear(this.#early);
      this.#early = this.#around.clock.after(ABORT_DRAIN_MS, () => this.#cut());
      this.#pump();
    }
  }

  get waiting(): number {
    return this.#queued + this.#inside;
  }

  flush(): void {
    this.#scheduled = false;
    this.#inCall = false;
    if (this.#queued > 0 || this.#over) this.#pump();
  }

  beat(): void {
    if (this.#answer === undefined || this.body?.isHeld === true) return;
    this.#answer.pause();
    this.#answer.resume();
  }

  /** Keeps bytes for the client; false when nobody is to have them. */
  #take(bytes: Buffer): boolean {
    if (this.#over || this.#answer === undefined || bytes.length === 0) return false;
    if (this.#framing === 'bodiless' || this.#framing === 'undecided') return false;
    // More than was declared would be read as the next answer.
    const room = this.#framing === 'length' ? this.#length - this.#sent - this.#queued : bytes.length;
    if (room <= 0) return false;
    this.#enqueue(bytes.length > room ? bytes.subarray(0, room) : bytes);
    return true;
  }

  #enqueue(bytes: Buffer): void {
    if (this.#queue === NONE) this.#queue = [bytes];
    else this.#queue.push(bytes);
    this.#queued += bytes.length;
    this.bodyBytes += bytes.length;
    if (bytes.length >= CONFIRM_BYTES && this.bodyBytes > CAREFUL_BYTES) this.#confirms = true;
  }

  #schedule(): void {
    if (this.#scheduled || this.#blocked) return;
    this.#scheduled = true;
    this.#around.flushes.add(this);
  }

  /** Hands over what waits, until the client takes no more or the turn's share is used up. */
  #pump(): void {
    if (this.#inCall || this.#blocked) return;
    for (let share = TURN_MAX; this.#queued > 0 && !this.#blocked && share > 0; share -= CORK_MAX) {
      if (this.#answer === undefined) return;
      this.#cork();
    }
    if (this.#blocked) return;
    if (this.#queued > 0) this.#schedule();
    else this.#drained();
  }

  #drained(): void {
    if (this.#answer === undefined) return;
    if (this.#aborting) this.#cut();
    else if (this.#ending) this.#finish();
    else if (this.#starved) {
      this.#starved = false;
      this.#owner?.onWritable();
    }
  }

  #cork(): void {
    const answer = this.#answer as UwsAnswer;
    this.#shortenHead(answer);
    cork(this, answer);
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

  /** Called within a cork: head and body up to its limit, and the end if all fits. */
  writeBatch(): void {
    const answer = this.#answer as UwsAnswer;
    if (this.#framing === 'length') this.#writeLength(answer);
    else this.#writeChunks(answer);
  }

  #writeLength(answer: UwsAnswer): void {
    const head = this.#head;
    if (head !== undefined && this.#queued === this.#length && this.#length + head.length < CORK_MAX) {
      const { closes } = this;
      // The library says so itself where it is told to close, and closes after the answer.
      const byLibrary = closes && !this.#shape.closesByItself;
      this.#writeHead(answer, byLibrary ? '' : this.#connectionField);
      this.#beforeEnd();
      answer.end(this.#queue.length === 1 ? this.#queue[0] : Buffer.concat(this.#queue), byLibrary);
      this.#complete();
      return;
    }
    this.#watch(answer);
    let room = CORK_MAX - (head?.length ?? 0) - 100;
    this.#writeHead(answer, this.#connectionField);
    while (room > 0 && this.#queued > 0) {
      const left = this.#length - this.#sent;
      // The last byte follows when the others are known to have left: after it the library answers for nothing.
      if (left <= this.#queued && left > 1 && this.#length > CAREFUL_BYTES) {
        room = Math.min(room, left - 1);
      }
      const part = this.#next(room);
      if (left === part.length) this.#beforeEnd();
      const [taken, complete] = answer.tryEnd(part, this.#length);
      if (complete) {
        this.#complete();
        return;
      }
      const count = taken ? part.length : answer.getWriteOffset() - this.#sent;
      this.#sent += count;
      this.#drop(count);
      if (!taken) {
        this.#block(0);
        return;
      }
      if (this.#length - this.#sent === 1 && this.#length > CAREFUL_BYTES) return;
      room -= part.length;
    }
  }

  #writeChunks(answer: UwsAnswer): void {
    if (!this.#ending || this.#queued > CORK_MAX / 2) this.#watch(answer);
    let room = CORK_MAX - (this.#head?.length ?? 0) - 100;
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
      // Its return tells whether the others have left.
      if (this.#confirms && this.#queued === 1) break;
      if (this.#queued === 0) this.#confirms = false;
    }
    if (!taken) this.#block(bytes);
    else if (this.#queued === 0 && this.#ending && !this.#confirms && this.closes === this.#shape.closesByItself) {
      this.#beforeEnd();
      answer.end();
      this.#complete();
    }
  }

  /** The answer's end where `writeBatch` has not had it: after bytes that went before, or without any. */
  #finish(): void {
    const answer = this.#answer as UwsAnswer;
    if (this.#framing === 'length' && this.#length > 0) {
      // Fewer bytes than declared.
      this.#cut();
      return;
    }
    this.#shortenHead(answer);
    this.#beforeEnd();
    let mustCut = false;
    answer.cork(() => {
      mustCut = this.#writeEnd(answer);
    });
    this.#complete();
    if (mustCut) answer.close();
  }

  /** Whether the connection is to be closed by hand afterwards. */
  #writeEnd(answer: UwsAnswer): boolean {
    const mustClose = this.closes && !this.#shape.closesByItself;
    if (this.#framing === 'chunks' && this.#head === undefined) {
      // Told to close here, the library would write a header field into the body. So the last chunk is written as if it were
      // a field, whose colon is in a chunk extension.
      if (mustClose) answer.writeHeader('\r\n0;a="', '"\r\n');
      else answer.end();
      return mustClose;
    }
    if (this.#framing === 'bodiless') {
      // Nor can it be told here: the head is completed without it.
      this.#writeHead(answer, mustClose ? `${this.#connectionField}\r\n` : this.#connectionField);
      if (!mustClose) answer.endWithoutBody();
      return mustClose;
    }
    this.#writeHead(answer, mustClose ? '' : this.#connectionField);
    answer.end('', mustClose);
    return false;
  }

  /** Whether this answer is the last of its connection. */
  get closes(): boolean {
    return this.#shape.closes || this.#around.isStopping;
  }

  get #connectionField(): string {
    return this.closes ? '\r\nConnection: close' : '';
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
    const first = this.#queue[0] as Buffer;
    return first.length > most ? first.subarray(0, most) : first;
  }

  #drop(bytes: number): void {
    if (bytes === 0) return;
    const first = this.#queue[0] as Buffer;
    this.#queued -= bytes;
    if (this.#queued === 0) this.#queue = NONE;
    else if (bytes === first.length) this.#queue.shift();
    else this.#queue[0] = first.subarray(bytes);
  }

  #block(bytes: number): void {
    this.#blocked = true;
    this.#inside = bytes;
    this.#around.pulse.add(this);
  }

  /** Without this, what the library keeps would go out, and then the connection be cut for having been silent since. */
  #watch(answer: UwsAnswer): void {
    if (this.#watched) return;
    this.#watched = true;
    answer.onWritable(() => this.#writable());
  }

  /** The client has taken something. The library writes what it has kept itself only when it is corked. */
  #writable(): boolean {
    this.#answer?.cork(nothing);
    if (this.#blocked) {
      this.#blocked = false;
      this.#inside = 0;
      this.#confirms = this.#confirms && this.#queued > 0;
      this.#pump();
      if (!this.#blocked) this.#around.pulse.delete(this);
    }
    return true;
  }

  #sendEarly(): void {
    if (this.#over || this.#head === undefined || this.#queued > 0 || this.#answer === undefined) return;
    this.#queue = [COMMENT];
    this.#queued = COMMENT.length;
    this.#pump();
  }

  /** What is left of the request's body is nobody's: the library reads on and drops it. */
  #beforeEnd(): void {
    this.body?.release();
  }

  #complete(): void {
    this.#over = true;
    this.#owner = undefined;
    this.#leave();
  }

  /** Cuts the connection; what waits is lost. */
  #cut(): void {
    const answer = this.#answer;
    this.#over = true;
    this.#owner = undefined;
    if (answer === undefined) return;
    this.#leave();
    answer.close();
  }

  #aborted(): void {
    if (this.#answer === undefined) return;
    const owner = this.#owner;
    this.#gone = !this.#over;
    this.#over = true;
    this.#owner = undefined;
    this.#leave();
    owner?.onGone();
  }

  /** Lets go of everything: nothing more can be written. */
  #leave(): void {
    this.#answer = undefined;
    this.#head = undefined;
    this.#queue = NONE;
    this.#queued = 0;
    this.#inside = 0;
    this.#around.clock.clear(this.#early);
    this.#around.pulse.delete(this);
    this.body?.break();
    this.#around.answered();
  }
}

function isEventStream({ headers }: ResponseHead): boolean {
  return headerValue(headers, 'content-type')?.trim().toLowerCase().startsWith('text/event-stream') === true;
}
