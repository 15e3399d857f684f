/** The answer to one request on the uws edge, from head to last byte. */
import type { ResponseHead } from '@holdfast/grip';
import type { Timer } from '../../runtime/clock.js';
import type { Flushable } from '../../runtime/flush-queue.js';
import { callGone, endFaulty, type FaultyResponse } from '../edge-answers.js';
import type { ResponseHandler, StreamPiece } from '../port.js';
import type { BodyTurn, Transfer, UwsBody } from './body.js';
import { type AnswerShape, addressOf, headText, isEventStream } from './heads.js';
import type { UwsAnswer } from './library.js';
import { CORK_MAX, type OutputOwner, UwsOutput } from './output.js';
import type { StalledAnswer, UwsResponseDeps } from './response-deps.js';

/**
 * So many bytes go out for one client in a turn of the event loop, before others have theirs.
 *
 * @limit {} bytes for one client in a turn
 * @over the rest follows in the next turn
 */
const TURN_MAX = 262_144;

/**
 * How long an answer that was broken off may take to drain to its client before the connection is cut, in ms.
 *
 * @limit {s} for what waits before an abort
 * @over connection cut
 */
const ABORT_DRAIN_MS = 5_000;

/** How long the head of an event stream waits for a first byte from its origin, in ms. */
const EARLY_HEAD_MS = 100;

/** A comment (HTML §9.2.6): no event stream's reader sees it, and the library needs a byte to send a head with. */
const COMMENT = Buffer.from(':\n');

const nothing = (): void => {};

/**
 * A client response carried by uWebSockets.js. The library has an unbounded buffer behind each answer, and does not report what is
 * in it. So what a client does not take waits here: nothing more is handed over from the moment the library reports that
 * something waits there too. It may report late, by one cork.
 */
export class UwsResponse implements FaultyResponse, Flushable, Transfer, OutputOwner, BodyTurn, StalledAnswer {
  /** The body of the request, while some of it may be on its way. */
  body: UwsBody | undefined;
  /** Undefined once the answer is complete or the client has gone: the library's object must not be touched then. */
  #answer: UwsAnswer | undefined;
  readonly #deps: UwsResponseDeps;
  #shape: AnswerShape;
  #handler: ResponseHandler | undefined;
  readonly #output: UwsOutput;
  /** Bytes that were handed over behind others that waited. */
  #inside = 0;
  #watched = false;
  #scheduled = false;
  #blocked = false;
  #starved = false;
  #ending = false;
  #aborting = false;
  #over = false;
  #gone = false;
  /** Within a call of the library. */
  #inCall = false;
  #early: Timer | undefined;

  constructor(answer: UwsAnswer, shape: AnswerShape, deps: UwsResponseDeps) {
    this.#answer = answer;
    this.#shape = shape;
    this.#deps = deps;
    this.#output = new UwsOutput(this);
    answer.onAborted(() => deps.faults.run('client', () => this.#aborted()));
    this.called();
  }

  /**
   * The library has called: until the end of this turn everything written on this connection is one cork, wanted or not, and
   * nothing may be closed. So writes wait for the end of the turn.
   */
  called(): void {
    this.#inCall = true;
    if (this.#scheduled) return;
    this.#scheduled = true;
    this.#deps.flushes.add(this);
  }

  get headersSent(): boolean {
    return this.#output.framing !== 'undecided';
  }

  get bodyBytes(): number {
    return this.#output.bodyBytes;
  }

  /** Whether the answer is complete or broken off, as far as its handler is concerned. */
  get over(): boolean {
    return this.#over;
  }

  /** Hands over the library's object: its connection is a WebSocket from here on. */
  release(): UwsAnswer | undefined {
    const answer = this.#answer;
    this.#answer = undefined;
    this.#over = true;
    this.#handler = undefined;
    this.#deps.answered();
    return answer;
  }

  setHandler(handler: ResponseHandler): void {
    if (this.#gone) queueMicrotask(() => callGone(handler, this.#deps.faults));
    if (!this.#over) this.#handler = handler;
  }

  writeHead(head: ResponseHead, length: number | undefined, flush = false): void {
    if (this.#over) return;
    let text = headText(head, 'final');
    const isBodiless = this.#shape.isHead || head.status === 204 || head.status === 304;
    if (isBodiless && length !== undefined && head.status !== 204) text += `\r\nContent-Length: ${length}`;
    const framing = isBodiless ? 'bodiless' : length === undefined ? 'chunks' : 'length';
    this.#output.open(text, framing, length ?? 0);
    if (flush && framing === 'chunks' && isEventStream(head)) {
      this.#early = this.#deps.clock.after(EARLY_HEAD_MS, () => this.#sendEarly(), this);
    }
  }

  writeInformation(head: ResponseHead): void {
    if (this.#over || this.#output.framing !== 'undecided' || this.#answer === undefined) return;
    const text = `${headText(head, 'interim')}\r\n`;
    // One without fields has no colon by which it could follow another; it has no content either.
    if (this.#output.hasBegun && !text.includes(': ')) return;
    this.#output.interim(this.#answer, text);
  }

  write(chunk: Buffer): boolean {
    if (!this.#take(chunk)) return true;
    const output = this.#output;
    if (output.isWhole || output.queued >= CORK_MAX) this.#pump();
    else this.#schedule();
    if (!this.#blocked && output.queued < CORK_MAX) return true;
    this.#starved = !this.#over;
    if (this.#blocked) this.#deps.writes.add(this);
    return this.#over;
  }

  push(piece: StreamPiece): void {
    if (!this.#take(piece.payload) || this.#scheduled || this.#blocked) return;
    this.#scheduled = true;
    this.#deps.flushes.addSoon(this);
  }

  end(chunk?: Buffer): void {
    if (this.#over) return;
    if (chunk !== undefined) this.#take(chunk);
    this.#over = true;
    this.#ending = true;
    this.#handler = undefined;
    this.#pump();
    if (this.#blocked) this.#deps.writes.add(this);
  }

  closeAfter(rest: 'none' | 'bounded' | 'unbounded'): void {
    if (rest !== 'bounded') this.#shape = { ...this.#shape, closes: true };
  }

  goIdle(): void {
    this.#deps.writes.delete(this);
  }

  get progress(): string | undefined {
    return this.#blocked && this.#answer !== undefined ? `${this.#output.queued}/${this.#inside}` : undefined;
  }

  cutStalled(): string {
    const answer = this.#answer as UwsAnswer;
    const address = addressOf(answer.getRemoteAddress(), this.#deps.isLocal);
    answer.close();
    return address;
  }

  abort(discard = false): void {
    if (this.#over) return;
    this.#over = true;
    this.#handler = undefined;
    this.#aborting = true;
    if (discard || (this.#output.framing === 'undecided' && !this.#inCall)) this.#cut();
    else {
      this.#deps.clock.clear(this.#early);
      this.#early = this.#deps.clock.after(ABORT_DRAIN_MS, () => this.#cut(), this);
      this.#pump();
    }
  }

  get waiting(): number {
    return this.#output.waiting + this.#inside;
  }

  flush(): void {
    this.#scheduled = false;
    this.#inCall = false;
    try {
      if (this.#output.queued > 0 || this.#over) this.#pump();
    } catch (error) {
      this.faulted(error);
    }
  }

  /** Reports an error of the code behind the answer, and ends the answer. */
  faulted(error: unknown): void {
    endFaulty(this, this.#handler, error, this.#deps.faults);
  }

  tick(): void {
    if (this.#answer === undefined || this.body?.isHeld === true) return;
    this.#answer.pause();
    this.#answer.resume();
  }

  /** Keeps bytes for the client; false when they are to be dropped. */
  #take(bytes: Buffer): boolean {
    return !this.#over && this.#answer !== undefined && this.#output.take(bytes);
  }

  #schedule(): void {
    if (this.#scheduled || this.#blocked) return;
    this.#scheduled = true;
    this.#deps.flushes.add(this);
  }

  /** Hands over what waits, until the client takes no more or the turn's share is used up. */
  #pump(): void {
    if (this.#inCall || this.#blocked) return;
    const output = this.#output;
    for (let share = TURN_MAX; output.queued > 0 && !this.#blocked && share > 0; ) {
      if (this.#answer === undefined) return;
      const { queued } = output;
      output.hand(this.#answer);
      share -= Math.max(queued - output.queued, 1);
    }
    if (this.#blocked) {
      if (this.cuts) this.#cut();
      return;
    }
    if (output.queued > 0) this.#schedule();
    else this.#drained();
  }

  #drained(): void {
    if (this.#answer === undefined) return;
    if (this.#aborting) this.#cut();
    else if (this.#ending) this.#finish(this.#answer);
    else if (this.#starved) {
      this.#starved = false;
      this.#callWritable(this.#handler);
    }
  }

  /** The answer's end where it has not gone out with the last bytes. */
  #finish(answer: UwsAnswer): void {
    const output = this.#output;
    if (output.isShort) this.#cut();
    // What a client does not take of a refusal is lost: until it was taken, requests could follow.
    else if (output.isOpen) {
      if (this.cuts || output.hasLeft(answer)) this.#cut();
      else this.blocked(0);
    } else if (output.finish(answer)) answer.close();
  }

  /** Whether this answer is the last of its connection. */
  get closes(): boolean {
    return this.#shape.closes || this.#deps.closesAfterAnswers;
  }

  get closesByItself(): boolean {
    return this.#shape.closesByItself && !this.#shape.isRefusal;
  }

  get cuts(): boolean {
    return this.#shape.isRefusal;
  }

  get secure(): boolean {
    return this.#deps.secure;
  }

  get isEnding(): boolean {
    return this.#ending;
  }

  blocked(bytes: number): void {
    this.#blocked = true;
    this.#inside = bytes;
    this.#deps.ticker.add(this);
    if (this.#starved || this.#ending) this.#deps.writes.add(this);
  }

  /** Without this, what the library keeps would go out, and then the connection be cut for having been silent since. */
  watch(answer: UwsAnswer): void {
    if (this.#watched) return;
    this.#watched = true;
    answer.onWritable(() => {
      try {
        return this.#writable();
      } catch (error) {
        this.faulted(error);
        return true;
      }
    });
  }

  /** The client has taken something. The library writes what it has kept itself only when it is corked. */
  #writable(): boolean {
    this.#answer?.cork(nothing);
    if (this.#blocked) {
      this.#blocked = false;
      this.#inside = 0;
      this.#output.unblocked();
      this.#pump();
      if (!this.#blocked) this.#deps.ticker.delete(this);
    }
    return true;
  }

  #sendEarly(): void {
    const output = this.#output;
    if (this.#over || !output.hasHead || output.queued > 0 || this.#answer === undefined) return;
    output.begin(COMMENT);
    this.#pump();
  }

  /** The rest of the request's body is dropped: the library reads on. */
  beforeEnd(): void {
    this.body?.release();
  }

  completed(): void {
    const handler = this.#starved ? this.#handler : undefined;
    this.#over = true;
    this.#handler = undefined;
    this.#leave();
    // With the last bytes of its length an answer is complete before its handler, which waits, has said so. Within the call of the
    // library in which that is noticed nothing else may be done.
    if (handler !== undefined) queueMicrotask(() => this.#callWritable(handler));
  }

  /** Cuts the connection; what waits is lost. */
  #cut(): void {
    const answer = this.#answer;
    this.#over = true;
    this.#handler = undefined;
    if (answer === undefined) return;
    this.#leave();
    answer.close();
  }

  #aborted(): void {
    if (this.#answer === undefined) return;
    const handler = this.#handler;
    this.#gone = !this.#over;
    this.#over = true;
    this.#handler = undefined;
    this.#leave();
    if (handler !== undefined) callGone(handler, this.#deps.faults);
  }

  /** After a fault in writing it. */
  fault(): void {
    this.#cut();
  }

  #callWritable(handler: ResponseHandler | undefined): void {
    try {
      handler?.onWritable();
    } catch (error) {
      endFaulty(this, handler, error, this.#deps.faults);
    }
  }

  /** Lets go of everything: nothing more can be written. */
  #leave(): void {
    this.#answer = undefined;
    this.#output.clear();
    this.#inside = 0;
    this.#deps.clock.clear(this.#early);
    this.#deps.ticker.delete(this);
    this.#deps.writes.delete(this);
    this.body?.break();
    this.#deps.answered();
  }
}
