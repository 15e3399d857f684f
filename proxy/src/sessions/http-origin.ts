/**
 * Owns: a session's origin that is asked over HTTP (WebSocket-over-HTTP): when a request is made, and what its answer
 * means for the session. Does not own: the codec (grip), one request and its repeats (http-exchange.ts), what waits for
 * the origin (http-queue.ts), which target is asked, or the GRIP meaning of messages.
 */
import { closeEvent, type RawHeaders, readClose, type WsEvent } from '@holdfast/grip';
import { OriginError } from '../origin/errors.js';
import type { MessageType } from '../websocket/message-socket.js';
import {
  acceptedHeaders,
  asOriginError,
  EVENT_TYPES,
  type EventsAnswer,
  isEventsHead,
  MESSAGE_TYPES,
  malformed,
  messageFault,
  readEvents,
} from './http-events.js';
import type { ExchangeOwner, HttpAnswer } from './http-exchange.js';
import { HttpPings } from './http-pings.js';
import { HttpPoll } from './http-poll.js';
import { HttpQueue } from './http-queue.js';
import { type HttpRequestParts, HttpRequests } from './http-requests.js';
import type { OriginSocket, OriginSocketOwner, Refreshable } from './origin-socket.js';
import { tooLongRefusal } from './session-parts.js';

/** What may wait for the origin in bytes beside two messages of the greatest length; beyond, the session ends. */
export const QUEUE_MARGIN = 2_000_000;

/** What a socket is made of. */
export interface HttpOriginParts extends HttpRequestParts {
  readonly owner: OriginSocketOwner;
  /** Whether a request takes one event at most. */
  readonly oneEvent: boolean;
}

/**
 * `opening`: no OPEN from the origin yet. `open`. `withdrawing`: aborted while OPEN was under way. `leaving`: the owner
 * hears nothing more, but the origin is still to be told. `over`.
 */
type State = 'opening' | 'open' | 'withdrawing' | 'leaving' | 'over';

const OPEN: WsEvent = { type: 'OPEN' };
const DISCONNECT: WsEvent = { type: 'DISCONNECT' };

/**
 * One request at a time; whatever the client sends meanwhile goes with the next. After `close` the owner hears nothing
 * more: the client has gone by then, and what the origin answers to a CLOSE is for nobody.
 */
export class HttpOrigin implements OriginSocket, Refreshable, ExchangeOwner {
  readonly #parts: HttpOriginParts;
  readonly #owner: OriginSocketOwner;
  readonly #requests: HttpRequests;
  readonly #queue = new HttpQueue();
  readonly #pings: HttpPings;
  readonly #poll: HttpPoll;
  #state: State = 'opening';
  /** Events of the last answer that the owner has not had yet. */
  #inbox: WsEvent[] = [];
  #paused = false;
  /** A `send` has returned false. */
  #starved = false;
  #refresh = false;
  #scheduled = false;

  constructor(parts: HttpOriginParts) {
    const { owner, clock } = parts;
    this.#parts = parts;
    this.#owner = owner;
    this.#requests = new HttpRequests(parts);
    this.#pings = new HttpPings(clock, (payload) => owner.originMessage('pong', payload));
    this.#poll = new HttpPoll(clock, () => this.#pollDue());
  }

  /** Asks the origin to take the session; once. A failure is not repeated: the caller has other targets. */
  start(): void {
    this.#ask([OPEN], false);
  }

  send(type: MessageType, data: Buffer): boolean {
    if (this.#state !== 'open') return true;
    this.#queue.add({ type: EVENT_TYPES[type], content: data });
    if (type === 'ping') this.#pings.sent(data);
    this.#schedule();
    if (!this.#queue.full) return true;
    this.#starved = true;
    return false;
  }

  close(code: number | undefined, reason: Buffer): void {
    if (this.#state === 'opening') this.abort();
    if (this.#state !== 'open') return;
    this.#queue.close(closeEvent(code, reason));
    this.#leave();
    this.#schedule();
  }

  abort(): void {
    // A DISCONNECT must not overtake an OPEN that is being processed, and is not due if that comes to nothing.
    if (this.#state === 'opening' && this.#requests.busy) this.#state = 'withdrawing';
    else if (this.#state === 'opening' || this.#state === 'open') this.#disconnect();
  }

  pause(): void {
    this.#paused = true;
  }

  resume(): void {
    if (!this.#paused) return;
    this.#paused = false;
    this.#schedule();
  }

  refresh(): void {
    if (this.#state !== 'open') return;
    this.#refresh = true;
    this.#schedule();
  }

  exchangeAnswered(answer: HttpAnswer): void {
    const isOpening = this.#state === 'opening' || this.#state === 'withdrawing';
    if (isOpening && !isEventsHead(answer.head)) {
      this.#rejected(answer);
      return;
    }
    const read = this.#read(answer);
    if (read === undefined) return;
    if (isOpening) this.#opened(read, answer.head.headers);
    else this.#answered(read);
  }

  exchangeFailed(error: OriginError): void {
    const state = this.#state;
    // An origin that was reached, and gave an answer that is of no use, still believes in the session.
    if (state === 'open' && error.code === 'ERR_ORIGIN_MALFORMED') this.#disconnect();
    else this.#end();
    if (state === 'opening') this.#owner.originFailed(error);
    else if (state === 'open') this.#owner.originLost(error);
  }

  #rejected({ head, body }: HttpAnswer): void {
    const isHeard = this.#state === 'opening';
    this.#end();
    const relayed = body === undefined ? tooLongRefusal() : { head, body };
    if (isHeard) this.#owner.originRejected(relayed.head, relayed.body);
  }

  /** Reads an answer and takes over what its header says; undefined if that was the end. */
  #read(answer: HttpAnswer): EventsAnswer | undefined {
    try {
      const read = readEvents(answer);
      this.#poll.set(read.keepAlive);
      this.#queue.accept(read.accepted);
      this.#requests.meta.take(answer.head.headers);
      return read;
    } catch (error) {
      this.exchangeFailed(asOriginError(error));
      return undefined;
    }
  }

  #opened({ events }: EventsAnswer, headers: RawHeaders): void {
    const [first, ...others] = events;
    if (first === undefined ? !this.#poll.enabled : first.type !== 'OPEN') {
      this.exchangeFailed(malformed('the first answer neither begins with OPEN nor asks to be polled for it'));
    } else if (this.#state === 'withdrawing') this.#disconnect();
    else if (first === undefined) this.#poll.await();
    else {
      this.#state = 'open';
      this.#inbox = others;
      this.#owner.originAccepted(acceptedHeaders(headers));
      this.#proceed();
    }
  }

  #answered({ events }: EventsAnswer): void {
    // Empty till now: while the owner has not taken all of an answer, there is no next request.
    if (this.#state === 'open') this.#inbox = events;
    this.#deliver();
    if (this.#starved && !this.#queue.full && this.#state === 'open') {
      this.#starved = false;
      this.#owner.originWritable();
    }
    this.#proceed();
  }

  /** Later in this turn: a burst of messages is one request then, and the owner is never called from its own call. */
  #schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    queueMicrotask(() => {
      this.#scheduled = false;
      this.#proceed();
    });
  }

  /** The one place that decides on the next step. */
  #proceed(): void {
    this.#deliver();
    this.#checkQueue();
    if (this.#requests.busy) return;
    const { hasNews } = this.#queue;
    if (this.#state === 'leaving') {
      if (hasNews) this.#askNext();
      else this.#end();
    } else if (this.#state === 'open' && !this.#paused && this.#inbox.length === 0) {
      if (hasNews || this.#refresh) this.#askNext();
      else this.#poll.await();
    }
  }

  /** Only an owner that does not heed `send` comes to this: nothing is dropped silently, so the session ends. */
  #checkQueue(): void {
    const { bytes } = this.#queue;
    if (this.#state !== 'open' || bytes <= 2 * this.#parts.maxMessage + QUEUE_MARGIN) return;
    this.#disconnect();
    this.#owner.originLost(new OriginError('ERR_ORIGIN_REQUEST', `${bytes} bytes wait for the origin`, 'no'));
  }

  #pollDue(): void {
    // An origin that has not said OPEN is asked the same again: for it the session is still to begin.
    if (this.#state === 'opening') this.#ask([OPEN], false);
    else {
      this.#refresh = true;
      this.#proceed();
    }
  }

  #askNext(): void {
    this.#ask(this.#queue.offer(this.#parts.oneEvent), true);
  }

  #ask(events: readonly WsEvent[], repeats: boolean): void {
    this.#refresh = false;
    this.#poll.stop();
    this.#requests.send(events, this.#queue.replayed, repeats, this);
  }

  /** Hands out what the last answer held, as long as the owner takes it. */
  #deliver(): void {
    while (this.#state === 'open' && !this.#paused) {
      const event = this.#inbox.shift();
      if (event === undefined) return;
      this.#hear(event);
    }
  }

  #hear({ type, content }: WsEvent): void {
    if (type === 'CLOSE') this.#closed(content);
    else if (type === 'OPEN' || type === 'DISCONNECT') {
      this.exchangeFailed(new OriginError('ERR_ORIGIN_CLOSED', `the origin sent ${type}`, 'no'));
    } else this.#message(MESSAGE_TYPES[type], content ?? Buffer.alloc(0));
  }

  #message(type: MessageType, content: Buffer): void {
    const fault = messageFault(type, content, this.#parts.maxMessage);
    if (fault !== undefined) {
      this.exchangeFailed(fault);
      return;
    }
    const data = type === 'pong' ? this.#pings.received(content) : content;
    if (data !== undefined) this.#owner.originMessage(type, data);
  }

  /** The origin has closed: it is answered with the same, after what the client had sent before. */
  #closed(content: Buffer | undefined): void {
    const { code, reason } = readClose(content);
    this.#queue.close(closeEvent(code, reason));
    this.#leave();
    this.#owner.originClosed(code, reason);
  }

  /** Ends with a DISCONNECT, at once: what was under way or waited is void for a client that has gone. */
  #disconnect(): void {
    this.#requests.abort();
    this.#leave();
    this.#queue.clear();
    this.#ask([DISCONNECT], true);
  }

  /** Nothing more for the owner. */
  #leave(): void {
    this.#state = 'leaving';
    this.#inbox = [];
    this.#pings.stop();
    this.#poll.stop();
  }

  /** Nothing more for the origin either. */
  #end(): void {
    this.#requests.abort();
    this.#leave();
    this.#queue.clear();
    this.#state = 'over';
  }
}
