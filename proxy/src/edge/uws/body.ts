/** Request bodies of the uws edge, the bound on how much of them waits, and the ticks that keep slow transfers alive. */
import type { Containment } from '@holdfast/control-api';
import type { Clock, Timer } from '../../runtime/clock.js';
import { type Draining, drainSoon, Fifo } from '../../runtime/fifo.js';
import type { BodySink, ClientBody } from '../port.js';
import type { UwsAnswer } from './library.js';

/** The library looks every 4 s and cuts after 8 s at the earliest. */
export const TICK_MS = 4_000;

/** Ticks of one turn of the event loop: each is two system calls, of which thousands would keep items from others for 10 ms. */
export const TICKS_OF_TURN = 250;

/** A transfer that waits for its client. */
export interface Transfer {
  /** Resets the library's time limit for this transfer. */
  tick(): void;
}

/** Ticks for all transfers of an edge, by one timer that runs only while there are some. */
export class KeepAliveTicker {
  readonly #clock: Clock;
  readonly #faults: Containment;
  readonly #transfers = new Set<Transfer>();
  #timer: Timer | undefined;

  constructor(clock: Clock, faults: Containment) {
    this.#clock = clock;
    this.#faults = faults;
  }

  /** Ticks for this one every `TICK_MS` until it is deleted. */
  add(transfer: Transfer): void {
    this.#transfers.add(transfer);
    this.#timer ??= this.#clock.after(TICK_MS, this.#run);
  }

  delete(transfer: Transfer): void {
    this.#transfers.delete(transfer);
  }

  readonly #run = (): void => this.#tick([...this.#transfers], 0);

  #tick(transfers: readonly Transfer[], from: number): void {
    const to = Math.min(from + TICKS_OF_TURN, transfers.length);
    for (let i = from; i < to; i++) {
      const transfer = transfers[i] as Transfer;
      if (this.#transfers.has(transfer)) this.#faults.run('timer', () => transfer.tick());
    }
    if (to < transfers.length) {
      setImmediate(() => this.#tick(transfers, to));
      return;
    }
    // It counts as running until here, so that there is no second one.
    this.#timer = this.#transfers.size > 0 ? this.#clock.after(TICK_MS, this.#run) : undefined;
  }
}

/** The answer of the request, which the body notifies. */
export interface BodyTurn {
  /** Bytes have come: until the end of this turn, all that is written on the connection is one cork. */
  called(): void;
  /** The reader of the body has thrown. */
  faulted(error: unknown): void;
}

/**
 * So many bytes are kept for a reader that does not take them before the client is held back.
 *
 * @limit {} bytes of a body that no reader takes
 * @over the client is held back
 */
const KEPT_MAX = 65_536;

/**
 * So many bytes are read ahead of such a reader all the same, in order to notice a client that has gone.
 *
 * @limit {MiB} of such a body that are read ahead to notice a client that has gone
 * @over the client is held back
 */
const AHEAD_MAX = 1_048_576;

/** What a chunk counts at least, in bytes: so that tiny ones are bounded too. */
const CHUNK_MIN = 256;

const costOf = (chunk: Buffer): number => Math.max(chunk.length, CHUNK_MIN);

/**
 * Most bytes of one body that wait. The library goes on reading, paused or not, for as long as each read fills its 512 KiB. A
 * fast client on the same machine can keep it at that: tens of megabytes of one body have been seen, so that a limit for each
 * body alone would bound nothing.
 *
 * @limit {MiB} of one body that is held back, where the library does not stop reading; a chunk counts 256 bytes at
 *   least
 * @over the client is cut
 */
export const WAITING_MAX = 64 * 2 ** 20;

/**
 * Most bytes of several such bodies together.
 *
 * @limit {MiB} of several such bodies together
 * @over the client with the most waiting bytes is cut
 */
export const SHARED_MAX = 32 * 2 ** 20;

/** A body whose bytes may wait. */
export interface WaitingBody {
  readonly waiting: number;
  /** Cuts its client; `waits` is called for what then no longer waits. */
  cut(): void;
}

/** Counts the waiting bytes of all request bodies of an edge. */
export class UwsBacklog {
  readonly #bodies = new Set<WaitingBody>();
  #bytes = 0;

  get bytes(): number {
    return this.#bytes;
  }

  /** Adds to the waiting bytes of a body, or takes away from them. */
  waits(body: WaitingBody, change: number): void {
    this.#bytes += change;
    if (body.waiting > 0) this.#bodies.add(body);
    else this.#bodies.delete(body);
    while (change > 0 && this.#bytes > (this.#bodies.size > 1 ? SHARED_MAX : WAITING_MAX)) {
      const largest = this.#largest();
      if (largest === undefined) return;
      largest.cut();
      if (largest.waiting > 0) return;
    }
  }

  #largest(): WaitingBody | undefined {
    let largest: WaitingBody | undefined;
    for (const body of this.#bodies) if (body.waiting > (largest?.waiting ?? 0)) largest = body;
    return largest;
  }
}

/**
 * Must be made within the request's handler: what comes without a listener is lost. What the library has read before it
 * is asked for, usually no more than one read, is kept.
 */
export class UwsBody implements ClientBody, Transfer, WaitingBody, Draining {
  readonly length: number;
  readonly #ticker: KeepAliveTicker;
  readonly #backlog: UwsBacklog;
  readonly #turn: BodyTurn;
  /** Undefined once all has come, or the client has gone, or the rest is to be dropped. */
  #answer: UwsAnswer | undefined;
  /** The same, until the answer is complete or the client has gone. */
  #connection: UwsAnswer | undefined;
  #sink: BodySink | undefined;
  readonly #kept = new Fifo<Buffer>();
  #keptBytes = 0;
  #complete = false;
  #broken = false;
  #paused = false;
  #held = false;
  isDraining = false;

  constructor(answer: UwsAnswer, length: number, ticker: KeepAliveTicker, turn: BodyTurn, backlog = new UwsBacklog()) {
    this.length = length;
    this.#backlog = backlog;
    this.#turn = turn;
    this.#answer = answer;
    this.#connection = answer;
    this.#ticker = ticker;
    answer.onData((chunk, isLast) => {
      try {
        this.#take(chunk, isLast);
      } catch (error) {
        this.faulted(error);
      }
    });
    ticker.add(this);
  }

  read(sink: BodySink): void {
    this.#sink = sink;
    drainSoon(this);
  }

  pause(): void {
    this.#paused = true;
    this.#holdIfFull();
  }

  resume(): void {
    this.#paused = false;
    drainSoon(this);
  }

  /** The rest will not come, or is not wanted: the client has gone, or has its answer. */
  break(): void {
    // The library's object is dead already.
    this.#answer = undefined;
    this.#connection = undefined;
    this.#held = false;
    this.#ticker.delete(this);
    // What has come whole may still be read, but counts no more.
    this.#backlog.waits(this, -this.#keptBytes);
    if (this.#complete) return;
    this.#broken = true;
    this.#kept.clear();
    this.#keptBytes = 0;
    drainSoon(this);
  }

  /** Lets go of the library's object, which reads on by itself; called before the answer's end. */
  release(): void {
    this.#readOn();
    this.#answer = undefined;
    this.#ticker.delete(this);
  }

  get waiting(): number {
    return this.#connection === undefined ? 0 : this.#keptBytes;
  }

  cut(): void {
    this.#connection?.close();
  }

  /** Whether nothing is read from the client: then the library neither cuts it nor notices that it has gone. */
  get isHeld(): boolean {
    return this.#held;
  }

  tick(): void {
    if (this.#answer === undefined) return;
    if (!this.#held) {
      this.#answer.pause();
      this.#answer.resume();
    } else if (this.#keptBytes < AHEAD_MAX) {
      this.#readOn();
      // That a client has gone shows within one turn.
      setImmediate(() => {
        if (this.#paused || this.#sink === undefined) this.#holdIfFull();
      });
    }
  }

  #take(chunk: ArrayBuffer, isLast: boolean): void {
    if (this.#answer === undefined) return;
    this.#turn.called();
    if (isLast) {
      this.#complete = true;
      this.release();
    }
    if (chunk.byteLength > 0) {
      const data = Buffer.from(new Uint8Array(chunk));
      if (this.#sink !== undefined && !this.#paused && this.#kept.length === 0) {
        this.#sink.onData(data);
      } else {
        this.#kept.push(data);
        this.#waits(costOf(data));
      }
    }
    if (this.#kept.length > 0) {
      if (this.#sink === undefined || this.#paused) this.#holdIfFull();
    } else if (isLast) drainSoon(this);
  }

  #waits(change: number): void {
    this.#keptBytes += change;
    if (this.#connection !== undefined) this.#backlog.waits(this, change);
  }

  #holdIfFull(): void {
    if (this.#answer === undefined || this.#held || this.#keptBytes < KEPT_MAX) return;
    this.#held = true;
    this.#answer.pause();
  }

  #readOn(): void {
    if (!this.#held) return;
    this.#held = false;
    this.#answer?.resume();
  }

  /** Hands over what waits; called by `drainSoon`. */
  drain(): void {
    const sink = this.#sink;
    if (sink === undefined) return;
    while (this.#kept.length > 0) {
      if (this.#paused) return;
      const data = this.#kept.shift() as Buffer;
      this.#waits(-costOf(data));
      sink.onData(data);
    }
    if (this.#broken) this.#finish(sink, false);
    else if (this.#paused) return;
    else if (this.#complete) this.#finish(sink, true);
    else this.#readOn();
  }

  /** Reports what its reader has thrown; nothing more is read. */
  faulted(error: unknown): void {
    this.#sink = undefined;
    this.#turn.faulted(error);
  }

  #finish(sink: BodySink, ended: boolean): void {
    this.#sink = undefined;
    if (ended) sink.onEnd();
    else sink.onAbort();
  }
}
