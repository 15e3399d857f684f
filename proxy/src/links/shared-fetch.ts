/** One fetch for many connections that want the same of a link at the same time. */
import { type Containment, uncontained } from '@holdfast/control-api';
import type { ResponseHead } from '@holdfast/grip';
import { faultError, type OriginError } from '../errors.js';
import type { AnswerSink, OriginCall, OriginHandler } from '../origin/port.js';
import { KeptBytes } from '../runtime/kept-bytes.js';

/**
 * Until so many bytes of an answer have come, another connection may join: it is given them again. In bytes.
 *
 * @limit {} bytes of a link's answer that are kept for joiners
 * @over another fetch
 */
const JOIN_MAX = 100_000;

interface Head {
  readonly head: ResponseHead;
  readonly length: number | undefined;
}

interface Joiner {
  readonly handler: OriginHandler;
  /** Of this joiner; undefined before it was given the head. */
  sink: AnswerSink | undefined;
  blocked: boolean;
  /** What came before it joined and since then, until that is handed over; undefined from then on. */
  backlog: Buffer[] | undefined;
}

/** One answer for all its joiners: the slowest of them decides how fast it flows. */
class Sharing implements OriginHandler, AnswerSink {
  readonly #joiners = new Set<Joiner>();
  /** How many of them are blocked. */
  #blocked = 0;
  readonly #over: () => void;
  readonly #faults: Containment;
  #call: OriginCall | undefined;
  #head: Head | undefined;
  /** Undefined once it is too long to join. */
  #kept: KeptBytes | undefined = new KeptBytes();
  #end: ((joiner: Joiner) => void) | undefined;

  constructor(over: () => void, faults: Containment) {
    this.#over = over;
    this.#faults = faults;
  }

  start(send: (handler: OriginHandler) => OriginCall): void {
    this.#call = send(this);
  }

  /** Whether all of the answer so far can still be given. */
  get isOpen(): boolean {
    return this.#kept !== undefined;
  }

  join(handler: OriginHandler): OriginCall {
    const backlog = this.#head && [...(this.#kept?.pieces ?? [])];
    const joiner: Joiner = { handler, sink: undefined, blocked: false, backlog };
    this.#joiners.add(joiner);
    // Not from within the call that joins.
    if (joiner.backlog !== undefined) queueMicrotask(() => this.#guard(joiner, () => this.#catchUp(joiner)));
    return {
      resume: () => {
        this.#block(joiner, false);
        if (this.#blocked === 0) this.#call?.resume();
      },
      abort: () => {
        this.#joiners.delete(joiner);
        this.#block(joiner, false);
        if (this.#joiners.size === 0) this.#stop();
        else if (this.#blocked === 0) this.#call?.resume();
      },
    };
  }

  onInformation(): void {}

  onHead(head: ResponseHead, length: number | undefined): AnswerSink {
    this.#head = { head, length };
    for (const joiner of [...this.#joiners]) {
      this.#guard(joiner, () => {
        joiner.sink = joiner.handler.onHead(head, length);
      });
    }
    return this;
  }

  onData(chunk: Buffer): boolean {
    this.#kept?.add(chunk);
    if (this.#kept !== undefined && this.#kept.length > JOIN_MAX) this.#kept = undefined;
    for (const joiner of [...this.#joiners]) this.#guard(joiner, () => this.#give(joiner, chunk));
    return this.#blocked === 0;
  }

  onEnd(): void {
    this.#finish(({ sink }) => sink?.onEnd());
  }

  onError(error: OriginError): void {
    this.#finish(({ sink, handler }) => (sink ?? handler).onError(error));
  }

  #finish(end: (joiner: Joiner) => void): void {
    this.#end = end;
    this.#over();
    for (const joiner of [...this.#joiners]) {
      if (joiner.backlog === undefined) this.#guard(joiner, () => end(joiner));
    }
  }

  #catchUp(joiner: Joiner): void {
    const { backlog = [] } = joiner;
    const { head, length } = this.#head as Head;
    joiner.backlog = undefined;
    const isThere = () => this.#joiners.has(joiner);
    if (isThere()) joiner.sink = joiner.handler.onHead(head, length);
    for (const chunk of backlog) if (isThere()) this.#give(joiner, chunk);
    // The end may have come in the same turn as the joining.
    if (isThere()) this.#end?.(joiner);
  }

  /** A fault of one joiner ends its part, and is none of the others'. */
  #guard(joiner: Joiner, call: () => void): void {
    try {
      call();
    } catch (error) {
      this.#faults.caught('origin', error);
      this.#joiners.delete(joiner);
      this.#block(joiner, false);
      this.#faults.run('origin', () => (joiner.sink ?? joiner.handler).onError(faultError(error)), joiner.handler);
      if (this.#joiners.size === 0) this.#stop();
    }
  }

  #give(joiner: Joiner, chunk: Buffer): void {
    if (joiner.backlog !== undefined) joiner.backlog.push(chunk);
    else if (joiner.sink?.onData(chunk) === false) this.#block(joiner, true);
  }

  #block(joiner: Joiner, blocked: boolean): void {
    // One that has left meanwhile holds nobody back.
    const counts = blocked && this.#joiners.has(joiner);
    this.#blocked += Number(counts) - Number(joiner.blocked);
    joiner.blocked = counts;
  }

  #stop(): void {
    this.#over();
    this.#call?.abort();
  }
}

/** Fetches under way, by what is asked. */
export class SharedFetches {
  readonly #sharings = new Map<string, Sharing>();
  readonly #faults: Containment;

  constructor(faults = uncontained) {
    this.#faults = faults;
  }

  /**
   * Joins the fetch with this key, or starts one. The key must name everything on which the answer may depend: the URL,
   * the last ids, and the route.
   */
  fetch(key: string, send: (handler: OriginHandler) => OriginCall, handler: OriginHandler): OriginCall {
    const known = this.#sharings.get(key);
    if (known?.isOpen) return known.join(handler);
    const sharing = new Sharing(() => {
      if (this.#sharings.get(key) === sharing) this.#sharings.delete(key);
    }, this.#faults);
    this.#sharings.set(key, sharing);
    const call = sharing.join(handler);
    sharing.start(send);
    return call;
  }

  /** How many are under way. */
  get size(): number {
    return this.#sharings.size;
  }
}
