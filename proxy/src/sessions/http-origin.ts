/**
 * Owns: a session's origin that is asked over HTTP (WebSocket-over-HTTP): when a request is made, and what its answer
 * means for the session. Does not own: the codec (grip), one request and its repeats (http-exchange.ts), what waits for
 * the origin (http-queue.ts), which target is asked, or the GRIP meaning of messages.
 */
import { closeEvent, encodeWsEvents, type RawHeaders, readClose, type WsEvent } from '@holdfast/grip';
import type { Clock, Timer } from '../clock.js';
import { OriginError } from '../origin/errors.js';
import type { Origin, OriginRequest } from '../origin/origin.js';
import type { MessageType } from '../websocket/message-socket.js';
import {
  acceptedHeaders,
  answerBodyMax,
  asOriginError,
  EVENT_TYPES,
  EVENTS_TYPE,
  type EventsAnswer,
  isEventsHead,
  malformed,
  messageOf,
  readEvents,
  rejectionOf,
} from './http-events.js';
import { type ExchangeOwner, type HttpAnswer, HttpExchange } from './http-exchange.js';
import { HttpMeta } from './http-meta.js';
import { HttpPings } from './http-pings.js';
import { HttpQueue } from './http-queue.js';
import type { OriginSocket, OriginSocketOwner, Refreshable } from './origin-socket.js';

/**
 * How long an origin may take to answer the client's CLOSE with its own, in ms, polls for it included. Longer than a
 * round of repeats (32 to 36 s) and than clients wait for their Close frame.
 */
export const CLOSE_LIMIT_MS = 60_000;

/** What may wait for the origin in bytes beside two messages of the greatest length. */
const QUEUE_MARGIN = 2_000_000;

/** What a socket is made of. */
export interface HttpOriginParts {
  /**
   * Makes method (POST), path and headers of a request, signed as of now; called for every attempt. The headers are the
   * client's handshake fields as they go to this origin, without Upgrade, Accept, Content-Length, Content-Type,
   * Connection-Id, Meta-* and Content-Bytes-*, followed by `extra`: flat pairs.
   */
  readonly request: (extra: RawHeaders) => Omit<OriginRequest, 'body'>;
  readonly origin: Origin;
  readonly clock: Clock;
  readonly random: () => number;
  readonly owner: OriginSocketOwner;
  /** The session at the origin: the same in all of its requests, and no other session's. */
  readonly connectionId: string;
  /** Whether the `grip` extension is offered: not on `no_grip` routes, nor for trusted clients. */
  readonly offersGrip: boolean;
  /** Whether a request takes one event at most. */
  readonly oneEvent: boolean;
  /** Longest message in bytes, in either direction. */
  readonly maxMessage: number;
}

/**
 * `opening`: no OPEN from the origin yet. `open`. `closing`: the client has closed, the origin is to answer that.
 * `withdrawing`: aborted while OPEN was under way. `leaving`: the owner hears nothing more, the origin is still to be
 * told. `over`.
 */
type State = 'opening' | 'open' | 'closing' | 'withdrawing' | 'leaving' | 'over';

const OPEN: WsEvent = { type: 'OPEN' };
const DISCONNECT: WsEvent = { type: 'DISCONNECT' };

/** One request at a time; whatever the client sends meanwhile goes with the next. */
export class HttpOrigin implements OriginSocket, Refreshable, ExchangeOwner {
  readonly #parts: HttpOriginParts;
  readonly #owner: OriginSocketOwner;
  readonly #queue = new HttpQueue();
  readonly #meta = new HttpMeta();
  readonly #pings: HttpPings;
  #state: State = 'opening';
  #exchange: HttpExchange | undefined;
  /** Events of the last answer that the owner has not had yet. */
  #inbox: readonly WsEvent[] = [];
  #taken = 0;
  #paused = false;
  /** A `send` has returned false. */
  #starved = false;
  #refresh = false;
  #scheduled = false;
  #keepAlive: number | undefined;
  #pollTimer: Timer | undefined;
  #closeTimer: Timer | undefined;

  constructor(parts: HttpOriginParts) {
    this.#parts = parts;
    this.#owner = parts.owner;
    this.#pings = new HttpPings(parts.clock, (payload) => this.#owner.originMessage('pong', payload));
  }

  /** Asks the origin to take the session. Not repeated on failure: the caller has other targets. */
  start(): void {
    this.#ask([OPEN], false);
  }

  send(type: MessageType, data: Buffer): boolean {
    if (this.#state !== 'opening' && this.#state !== 'open') return true;
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
    this.#state = 'closing';
    this.#pings.stop();
    this.#queue.close(closeEvent(code, reason));
    this.#closeTimer = this.#parts.clock.after(CLOSE_LIMIT_MS, () => {
      this.#breakOff(new OriginError('ERR_ORIGIN_TIMEOUT', 'no CLOSE in answer to the client’s', 'no'));
    });
    this.#schedule();
  }

  abort(): void {
    // An OPEN that is being processed must not be overtaken by a DISCONNECT; nor is one due if it comes to nothing.
    if (this.#state === 'opening' && this.#exchange !== undefined) this.#state = 'withdrawing';
    // An origin that is being told of the close needs no DISCONNECT, and the request must not be torn from it.
    else if (this.#state === 'closing' && !this.#queue.closed) this.#leave();
    else if (this.#state === 'opening' || this.#state === 'open' || this.#state === 'closing') this.#disconnect();
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
    this.#exchange = undefined;
    try {
      if (this.#state === 'opening' || this.#state === 'withdrawing') this.#opened(answer);
      else this.#answered(readEvents(answer), answer.head.headers);
    } catch (error) {
      this.exchangeFailed(asOriginError(error));
    }
  }

  exchangeFailed(error: OriginError): void {
    const { owner } = this.#parts;
    const state = this.#state;
    this.#end();
    if (state === 'opening') owner.originFailed(error);
    else if (state === 'open' || state === 'closing') owner.originLost(error);
  }

  #opened(answer: HttpAnswer): void {
    const { head } = answer;
    if (!isEventsHead(head)) {
      const heard = this.#state === 'opening';
      this.#end();
      const rejection = rejectionOf(answer);
      if (heard) this.#owner.originRejected(rejection.head, rejection.body);
      return;
    }
    const read = readEvents(answer);
    this.#note(read, head.headers);
    const [first, ...others] = read.events;
    if (first === undefined ? this.#keepAlive === undefined : first.type !== 'OPEN') {
      throw malformed('the first answer neither begins with OPEN nor asks to be polled for it');
    }
    if (this.#state === 'withdrawing') this.#disconnect();
    else if (first === undefined) this.#awaitPoll();
    else {
      this.#state = 'open';
      this.#inbox = others;
      this.#owner.originAccepted(acceptedHeaders(head.headers));
      this.#proceed();
    }
  }

  #answered(read: EventsAnswer, headers: RawHeaders): void {
    this.#note(read, headers);
    if (this.#state !== 'leaving') this.#inbox = read.events;
    this.#taken = 0;
    this.#deliver();
    if (this.#starved && !this.#queue.full && this.#state === 'open') {
      this.#starved = false;
      this.#owner.originWritable();
    }
    this.#proceed();
  }

  /** Takes over what an answer's header says. */
  #note({ keepAlive, accepted }: EventsAnswer, headers: RawHeaders): void {
    if (keepAlive !== undefined) this.#keepAlive = keepAlive === 'off' ? undefined : keepAlive;
    this.#meta.take(headers);
    this.#queue.accept(accepted);
  }

  /** Later in this turn, so that a burst of messages is one request and the owner is never called from its own call. */
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
    const { bytes, hasNews, closed } = this.#queue;
    if (this.#state === 'open' && bytes > 2 * this.#parts.maxMessage + QUEUE_MARGIN) {
      this.#breakOff(new OriginError('ERR_ORIGIN_REQUEST', `${bytes} bytes wait for the origin`, 'no'));
    }
    if (this.#exchange !== undefined) return;
    if (this.#state === 'leaving' && !hasNews) this.#end();
    else if (this.#state === 'closing' && closed && this.#drained && this.#keepAlive === undefined) {
      this.exchangeFailed(new OriginError('ERR_ORIGIN_CLOSED', 'the client’s CLOSE was not answered with one', 'no'));
    } else if (this.#mayAsk) {
      if (hasNews || this.#refresh) this.#ask(this.#queue.offer(this.#parts.oneEvent), true);
      else this.#awaitPoll();
    }
  }

  /** While the client has not taken what it got, nothing more is asked for; a close is always told. */
  get #mayAsk(): boolean {
    if (this.#state === 'open') return !this.#paused && this.#drained;
    return this.#state === 'closing' || this.#state === 'leaving';
  }

  get #drained(): boolean {
    return this.#taken >= this.#inbox.length;
  }

  #awaitPoll(): void {
    if (this.#keepAlive === undefined) return;
    this.#pollTimer ??= this.#parts.clock.after(this.#keepAlive, () => {
      this.#pollTimer = undefined;
      // The origin has not said OPEN yet: as far as it is concerned the session is still to begin.
      if (this.#state === 'opening') this.#ask([OPEN], false);
      else {
        this.#refresh = true;
        this.#proceed();
      }
    });
  }

  #ask(events: readonly WsEvent[], repeats: boolean): void {
    const { origin, clock, random, maxMessage } = this.#parts;
    this.#refresh = false;
    clock.clear(this.#pollTimer);
    this.#pollTimer = undefined;
    const encoded = encodeWsEvents(events);
    const body = encoded.length === 0 ? null : encoded;
    const make = () => ({ ...this.#parts.request(this.#extra()), body });
    const bodyMax = (head: HttpAnswer['head']) => answerBodyMax(head, maxMessage);
    this.#exchange = new HttpExchange({ origin, clock, random, make, repeats, bodyMax }, this);
    this.#exchange.start();
  }

  #extra(): string[] {
    const { connectionId, offersGrip } = this.#parts;
    const { replayed } = this.#queue;
    const extra = ['Accept', EVENTS_TYPE, 'Connection-Id', connectionId, 'Content-Type', EVENTS_TYPE];
    if (replayed > 0) extra.push('Content-Bytes-Replayed', String(replayed));
    extra.push(...this.#meta.headers);
    if (offersGrip) extra.push('Sec-WebSocket-Extensions', 'grip');
    return extra;
  }

  /** Hands out what the last answer held, as long as the owner takes it. */
  #deliver(): void {
    while (!this.#paused && !this.#drained && (this.#state === 'open' || this.#state === 'closing')) {
      const event = this.#inbox[this.#taken++] as WsEvent;
      if (this.#drained) {
        this.#inbox = [];
        this.#taken = 0;
      }
      try {
        this.#event(event);
      } catch (error) {
        this.exchangeFailed(asOriginError(error));
      }
    }
  }

  #event(event: WsEvent): void {
    const message = messageOf(event, this.#parts.maxMessage);
    if (message === undefined) {
      if (event.type === 'CLOSE') this.#closed(event);
      else this.exchangeFailed(new OriginError('ERR_ORIGIN_CLOSED', `the origin sent ${event.type}`, 'no'));
      return;
    }
    const data = message.type === 'pong' ? this.#pings.received(message.data) : message.data;
    if (data !== undefined) this.#owner.originMessage(message.type, data);
  }

  /** The origin has closed: it is told the same, after what the client had sent before, unless it knows already. */
  #closed(event: WsEvent): void {
    const { code, reason } = readClose(event.content);
    if (this.#state === 'open') this.#queue.close(closeEvent(code, reason));
    this.#leave();
    this.#owner.originClosed(code, reason);
  }

  /** The proxy gives the session up by itself. */
  #breakOff(error: OriginError): void {
    this.#disconnect();
    this.#owner.originLost(error);
  }

  /** Ends with a DISCONNECT, at once: what was under way or waited is void for a client that has gone. */
  #disconnect(): void {
    this.#exchange?.abort();
    this.#exchange = undefined;
    this.#leave();
    this.#queue.clear();
    this.#ask([DISCONNECT], true);
  }

  /** Nothing more for the owner. */
  #leave(): void {
    this.#state = 'leaving';
    this.#inbox = [];
    this.#taken = 0;
    this.#pings.stop();
    this.#parts.clock.clear(this.#pollTimer);
    this.#parts.clock.clear(this.#closeTimer);
    this.#pollTimer = undefined;
  }

  /** Nothing more for the origin either. */
  #end(): void {
    this.#exchange?.abort();
    this.#exchange = undefined;
    this.#leave();
    this.#queue.clear();
    this.#state = 'over';
  }
}
