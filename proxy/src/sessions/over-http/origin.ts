/** A session's origin that is asked over HTTP (WebSocket-over-HTTP): when a request is made, and what its answer means. */
import { uncontained } from '@holdfast/control-api';
import { closeEvent, encodeWsEvents, type RawHeaders, readClose, type WsEvent } from '@holdfast/grip';
import { MEMBER_META } from '../../channels/presence.js';
import { faultError, OriginError } from '../../errors.js';
import type { MessageType } from '../../websocket/message-socket.js';
import type { OriginHandshakeOwner, OriginSocket, OriginSocketOwner, Refreshable } from '../origin-socket.js';
import { tooLongRefusal } from '../session-deps.js';
import {
  acceptedHeaders,
  asOriginError,
  EVENT_TYPES,
  type EventsAnswer,
  type HttpAnswer,
  HttpMeta,
  type HttpNaming,
  httpFields,
  isEventsHead,
  malformed,
  readEvents,
  setsMeta,
} from './events.js';
import { type ExchangeDeps, type ExchangeOwner, HttpExchange } from './exchange.js';
import { HttpInbox, type InboxOwner } from './inbox.js';
import { HttpQueue } from './queue.js';
import { HttpPings, HttpPoll } from './timers.js';

/** What a socket is made of. */
export interface HttpOriginDeps extends ExchangeDeps, HttpNaming {
  /** Whether a request takes one event at most. */
  readonly oneEvent: boolean;
}

/**
 * `opening`: no OPEN from the origin yet. `open`. `withdrawing`: aborted while OPEN was under way. `closing`: the client has
 * closed, and the owner gets what the origin still sends. `leaving`: the owner gets nothing more, but the origin has
 * events to come. `over`.
 */
type State = 'opening' | 'open' | 'withdrawing' | 'closing' | 'leaving' | 'over';

const OPEN: WsEvent = { type: 'OPEN' };
const DISCONNECT: WsEvent = { type: 'DISCONNECT' };

/**
 * One request at a time; what the client sends meanwhile goes with the next. After `close` the owner gets what the answers
 * hold, up to a CLOSE; an origin that has taken the client's and sends none has closed with the same. A CLOSE of the origin's
 * own is answered at once, with the same: its library takes the session for closed by then.
 *
 * Most sessions are idle most of the time: what they do not need then is made when it is needed.
 */
export class HttpOrigin implements OriginSocket, Refreshable, ExchangeOwner, InboxOwner {
  readonly #deps: HttpOriginDeps;
  /** Undefined once it has been called. */
  #handshake: OriginHandshakeOwner | undefined;
  #owner: OriginSocketOwner | undefined;
  /** The request under way, or waiting to be repeated. */
  #exchange: HttpExchange | undefined;
  /** Undefined while nothing waits. */
  #queue: HttpQueue | undefined;
  /** Undefined until the client has sent a ping. */
  #pings: HttpPings | undefined;
  /** Undefined until the origin asks to be polled. */
  #poll: HttpPoll | undefined;
  /** Undefined until the origin sets some. */
  #meta: HttpMeta | undefined;
  #state: State = 'opening';
  /** Events of the last answer that the owner has not had yet. */
  #inbox: HttpInbox | undefined;
  #paused = false;
  /** A `send` has returned false. */
  #starved = false;
  #refresh = false;
  #scheduled = false;
  /** What the client closed with. */
  #close: { readonly code: number | undefined; readonly reason: Buffer } | undefined;

  constructor(deps: HttpOriginDeps, handshake: OriginHandshakeOwner) {
    this.#deps = deps;
    this.#handshake = handshake;
  }

  setOwner(owner: OriginSocketOwner): void {
    this.#owner = owner;
    for (const name of MEMBER_META) {
      const value = this.#meta?.get(name);
      if (value !== undefined) owner.subscriptions?.setMeta(name, value);
    }
  }

  /** Asks the origin to take the session; once. A failure is not repeated: the caller has other targets. */
  start(): void {
    this.#ask([OPEN], false);
  }

  send(type: MessageType, data: Buffer): boolean {
    if (this.#state !== 'open') return true;
    this.#queue ??= new HttpQueue();
    this.#queue.add({ type: EVENT_TYPES[type], content: data });
    if (type === 'ping') this.#ping(data);
    this.#schedule();
    if (!this.#queue.full) return true;
    this.#starved = true;
    return false;
  }

  close(code: number | undefined, reason: Buffer): void {
    if (this.#state === 'opening') this.abort();
    if (this.#state !== 'open') return;
    this.#addClose(code, reason);
    this.#state = 'closing';
    this.#close = { code, reason };
    this.#poll?.stop();
    this.#schedule();
  }

  abort(): void {
    // A DISCONNECT must not overtake an OPEN that is being processed, and is not due if that comes to nothing.
    if (this.#state === 'opening' && this.#exchange !== undefined) this.#state = 'withdrawing';
    else if (this.#state === 'opening' || this.#state === 'open') this.#disconnect();
    else if (this.#state === 'closing') {
      this.#leave();
      this.#schedule();
    }
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

  get takesEvents(): boolean {
    return this.#hasListener && !this.#paused;
  }

  received(type: MessageType, content: Buffer): void {
    const data = type === 'pong' && this.#pings !== undefined ? this.#pings.received(content) : content;
    if (data !== undefined) this.#owner?.originMessage(type, data);
  }

  /** The origin has closed: unless that is an answer it gets the same, after what the client had sent before. */
  receivedClose(content: Buffer | undefined): void {
    const { code, reason } = readClose(content);
    if (this.#state === 'open') this.#addClose(code, reason);
    this.#leave();
    this.#owner?.originClosed(code, reason);
  }

  receivedFault(error: OriginError): void {
    this.#fail(error);
  }

  rested(): void {
    this.#contain(() => this.#proceed());
  }

  #contain(act: () => void): void {
    (this.#deps.faults ?? uncontained).run('origin', act, this);
  }

  /** After a fault of ours: the origin is left, and the session is notified. */
  fault(error: unknown): void {
    this.#fail(faultError(error));
  }

  exchangeFailed(error: OriginError): void {
    this.#exchange = undefined;
    this.#fail(error);
  }

  #fail(error: OriginError): void {
    const state = this.#state;
    // An origin that was reached, and gave an answer that is of no use, still believes in the session.
    const isThere = error.code === 'ERR_ORIGIN_MALFORMED' || error.code === 'ERR_ORIGIN_FAULT';
    if (state === 'open' && isThere) this.#disconnect();
    else this.#end();
    if (state === 'opening') this.#handshake?.originFailed(error);
    else if (state === 'open' || state === 'closing') this.#owner?.originLost(error);
  }

  #rejected({ head, body }: HttpAnswer): void {
    const isAwaited = this.#state === 'opening';
    this.#end();
    const relayed = body === undefined ? tooLongRefusal() : { head, body };
    if (isAwaited) this.#handshake?.originRejected(relayed.head, relayed.body);
  }

  /** Reads an answer and takes over what its header says; undefined if that was the end. */
  #read(answer: HttpAnswer): EventsAnswer | undefined {
    try {
      const read = readEvents(answer);
      this.#setPoll(read.keepAlive);
      this.#accept(read.accepted);
      this.#takeMeta(answer.head.headers);
      return read;
    } catch (error) {
      this.#fail(asOriginError(error));
      return undefined;
    }
  }

  #setPoll(keepAlive: EventsAnswer['keepAlive']): void {
    if (keepAlive === undefined) return;
    this.#poll ??= new HttpPoll(this.#deps.clock, () => this.#pollDue(), this);
    this.#poll.set(keepAlive);
  }

  #accept(bytes: number | undefined): void {
    if (this.#queue === undefined && bytes === undefined) return;
    const queue = this.#queue ?? new HttpQueue();
    queue.accept(bytes);
    if (queue.idle) this.#queue = undefined;
  }

  #takeMeta(headers: RawHeaders): void {
    if (this.#meta === undefined && !setsMeta(headers)) return;
    this.#meta ??= new HttpMeta();
    this.#meta.take(headers);
    for (const name of MEMBER_META) {
      if (setsMeta(headers, name)) this.#owner?.subscriptions?.setMeta(name, this.#meta.get(name));
    }
  }

  #opened({ events }: EventsAnswer, headers: RawHeaders): void {
    const [first, ...others] = events;
    if (first === undefined ? this.#poll?.enabled !== true : first.type !== 'OPEN') {
      this.#fail(malformed('the first answer neither begins with OPEN nor asks to be polled for it'));
    } else if (this.#state === 'withdrawing') this.#disconnect();
    else if (first === undefined) this.#poll?.await();
    else {
      this.#state = 'open';
      this.#receive(others);
      const handshake = this.#handshake;
      this.#handshake = undefined;
      handshake?.originAccepted(acceptedHeaders(headers));
      this.#proceed();
    }
  }

  #answered({ events }: EventsAnswer): void {
    if (this.#hasListener) this.#receive(events);
    this.#deliver();
    if (this.#starved && this.#queue?.full !== true && this.#state === 'open') {
      this.#starved = false;
      this.#owner?.originWritable();
    }
    this.#proceed();
  }

  /** None till now: while the owner has not taken all of an answer, there is no next request. */
  #receive(events: readonly WsEvent[]): void {
    if (events.length > 0) this.#inbox = new HttpInbox(events, this.#deps.maxMessage, this);
  }

  /** Later in this turn: a burst of messages is one request then, and the owner is never called from its own call. */
  #schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    queueMicrotask(() => {
      this.#scheduled = false;
      this.#contain(() => this.#proceed());
    });
  }

  /** The one place that decides on the next step. */
  #proceed(): void {
    this.#deliver();
    this.#checkQueue();
    if (this.#exchange !== undefined) return;
    const hasNews = this.#queue?.hasNews === true;
    if (this.#state === 'leaving') {
      if (hasNews) this.#askNext();
      else this.#end();
    } else if (this.#state === 'closing' && this.#inbox === undefined) {
      if (hasNews) this.#askNext();
      else if (!this.#paused) this.#closedWithTheSame();
    } else if (this.#state === 'open' && !this.#paused && this.#inbox === undefined) {
      if (hasNews || this.#refresh) this.#askNext();
      else this.#poll?.await();
    }
  }

  /** Whether the owner gets what the origin sends. */
  get #hasListener(): boolean {
    return this.#state === 'open' || this.#state === 'closing';
  }

  /** The origin has taken the client's CLOSE, and has no word of its own for it. */
  #closedWithTheSame(): void {
    const { code, reason = Buffer.alloc(0) } = this.#close ?? {};
    this.#end();
    this.#owner?.originClosed(code, reason);
  }

  /** Only an owner that does not heed `send` comes to this: nothing is dropped silently, so the session ends. */
  #checkQueue(): void {
    if (this.#state !== 'open' || this.#queue?.exceeds(this.#deps.maxMessage) !== true) return;
    const { bytes } = this.#queue;
    this.#disconnect();
    this.#owner?.originLost(new OriginError('ERR_ORIGIN_REQUEST', `${bytes} bytes wait for the origin`, 'no'));
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
    this.#ask(this.#queue?.offer(this.#deps.oneEvent) ?? [], true);
  }

  #ask(events: readonly WsEvent[], repeats: boolean): void {
    this.#refresh = false;
    this.#poll?.stop();
    const encoded = encodeWsEvents(events);
    const body = encoded.length === 0 ? null : encoded;
    const extra = httpFields(this.#deps, this.#meta, this.#queue?.replayed ?? 0);
    this.#exchange = new HttpExchange(this.#deps, { extra, body, repeats }, this);
    this.#exchange.start();
  }

  /** Hands out what the last answer held, as long as the owner takes it. */
  #deliver(): void {
    this.#inbox?.deliver();
    if (this.#inbox?.isEmpty) this.#inbox = undefined;
  }

  #ping(payload: Buffer): void {
    this.#pings ??= new HttpPings(
      this.#deps.clock,
      (pong) => this.#contain(() => this.#owner?.originMessage('pong', pong)),
      this,
    );
    this.#pings.sent(payload);
  }

  #addClose(code: number | undefined, reason: Buffer): void {
    this.#queue ??= new HttpQueue();
    this.#queue.close(closeEvent(code, reason));
  }

  /** Ends with a DISCONNECT, at once: what was under way or waited is void for a client that has gone. */
  #disconnect(): void {
    this.#abandon();
    this.#ask([DISCONNECT], true);
  }

  /** Nothing more for the owner. */
  #leave(): void {
    this.#state = 'leaving';
    this.#inbox = undefined;
    this.#pings?.stop();
    this.#poll?.stop();
  }

  /** Nothing more for the origin either. */
  #end(): void {
    this.#abandon();
    this.#state = 'over';
  }

  #abandon(): void {
    this.#exchange?.abort();
    this.#exchange = undefined;
    this.#leave();
    this.#queue?.clear();
  }
}
