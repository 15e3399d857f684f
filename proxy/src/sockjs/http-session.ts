/** A SockJS session over HTTP: a WebSocket to the rest of the proxy, carried by requests that come and go. */
import { type Containment, uncontained } from '@holdfast/control-api';
import type { ClientHandshake, ClientResponse } from '../edge/port.js';
import type { Clock, Timer } from '../runtime/clock.js';
import { Fifo } from '../runtime/fifo.js';
import { KeepAliveTimer } from '../runtime/timers.js';
import type { FramePiece, MessageSocket, MessageType, SocketHandler } from '../websocket/message-socket.js';
import { closeFrame, HEARTBEAT, HEARTBEAT_FRAME, messagesFrame, OPEN_FRAME, quote, quotedPiece } from './frames.js';
import { Receiver, type ReceiverHandler, type TransportForm } from './receiver.js';
import type { SockJsResponse } from './sockjs-response.js';

/**
 * `opening`: the origin has not answered. `closing`: closed from our side; the client gets the close frame at its next request.
 * `left`: the client broke off. `terminated`: ended without a close. `over`: forgotten.
 */
type State = 'opening' | 'open' | 'closing' | 'left' | 'terminated' | 'over';

/**
 * How long a session waits for the next receiver, and how long one that has ended is remembered for late requests, in ms.
 *
 * @limit SockJS: {s} without a request to receive; an ended session is remembered for as long
 * @over the session ends
 */
export const ABSENCE_MS = 5_000;

/**
 * From so many bytes waiting on, `send` asks to be held back; each message counts for `MESSAGE_MIN` at least.
 *
 * @limit SockJS: {} bytes waiting for a client over HTTP, where each message of the origin counts 64 at least
 * @over the origin is not read
 */
export const HIGH_WATER = 262_144;
const MESSAGE_MIN = 64;

const NOTHING = Buffer.alloc(0);
const STILL_OPEN = closeFrame(2010, Buffer.from('Another connection still open'));
const INTERRUPTED = closeFrame(1002, Buffer.from('Connection interrupted'));

/** The outcome of messages that a client sent; `frame` is the close frame of a session that has ended. */
export type SendOutcome =
  | { readonly kind: 'taken' | 'busy' | 'unknown' | 'terminated' }
  | { readonly kind: 'closed'; readonly frame: string };

/** The collaborators of a session. */
export interface HttpSessionDeps {
  readonly clock: Clock;
  readonly random: () => number;
  /** Left out: nothing is contained. */
  readonly faults?: Containment | undefined;
  /** Called once, when the session is to be forgotten. */
  readonly forget: () => void;
}

/** One session; `open` makes it a WebSocket. */
export class HttpSession implements MessageSocket, ReceiverHandler {
  readonly #deps: HttpSessionDeps;
  #state: State = 'opening';
  #handler: SocketHandler | undefined;
  #receiver: Receiver | undefined;
  /** The receiver before: its client may still be taking the answer. */
  #last: Receiver | undefined;
  #lastWaiting = Number.POSITIVE_INFINITY;
  #queue: string[] = [];
  #queueBytes = 0;
  /** The same, where each message counts for what it takes. */
  #queueCost = 0;
  #flushing = false;
  #starved = false;
  readonly #inbox = new Fifo<Buffer>();
  /** What is still to be answered of the origin's pings. */
  readonly #owedPongs = new Fifo<Buffer>();
  #answerSend: ((outcome: SendOutcome) => void) | undefined;
  #paused = false;
  #closeFrame = INTERRUPTED;
  #closeGiven = false;
  #heartbeat: KeepAliveTimer | undefined;
  #timer: Timer | undefined;

  constructor(deps: HttpSessionDeps) {
    this.#deps = deps;
  }

  // Called for requests of the client

  /** The origin has accepted: the request that opened the session receives from now on. */
  open(receiver: Receiver): void {
    if (this.#state !== 'opening') return;
    this.#state = 'open';
    const { clock, random } = this.#deps;
    this.#heartbeat = new KeepAliveTimer(HEARTBEAT, clock, random, () => this.#sendHeartbeat(), this);
    receiver.setHandler(this);
    this.#receiver = receiver;
    this.#give(OPEN_FRAME);
  }

  /** The request that was to open the session is over. Without effect once it is open. */
  notOpened(): void {
    if (this.#state === 'opening') this.#end();
  }

  /** A further request to receive. */
  receive(receiver: Receiver): void {
    if (this.#state === 'terminated') receiver.terminate();
    else if (this.#state === 'left') receiver.giveLast(this.#closeFrame);
    else if (this.#state === 'opening' || this.#receiver !== undefined) receiver.giveLast(STILL_OPEN);
    else {
      this.#receiver = receiver;
      this.#heartbeat?.sent(this.#deps.clock.monotonic());
      if (this.#state === 'open') this.#deps.clock.clear(this.#timer);
      receiver.setHandler(this);
      receiver.begin();
      this.#flush();
    }
  }

  /** Why messages of the client's cannot be taken now; undefined when they can. */
  get sendRefusal(): SendOutcome | undefined {
    if (this.#state === 'open') return this.#answerSend === undefined ? undefined : { kind: 'busy' };
    if (this.#state === 'closing' || this.#state === 'left') return { kind: 'closed', frame: this.#closeFrame };
    return { kind: this.#state === 'terminated' ? 'terminated' : 'unknown' };
  }

  /** Messages of the client's, when there is no refusal; `answer` is called when all of them have been passed on. */
  take(messages: readonly Buffer[], answer: (outcome: SendOutcome) => void): void {
    for (const message of messages) this.#inbox.push(message);
    this.#answerSend = answer;
    this.#deliver();
  }

  receiverWritable(): void {
    this.#flush();
  }

  /** A client that breaks off the request on which it waits has closed: that is how the library does it. */
  receiverGone(): void {
    this.#receiver = undefined;
    if (this.#state !== 'open') return;
    const handler = this.#endAs('left');
    this.#remember();
    handler?.onClose(undefined, NOTHING);
  }

  // Called by the proxy's session

  setHandler(handler: SocketHandler): void {
    this.#handler = handler;
    this.#deliver();
  }

  /** Pings are answered here: clients of this kind have none, and origins take silence for a dead client. */
  send(type: MessageType, data: Buffer): boolean {
    if (this.#state !== 'open' || type === 'pong') return true;
    if (type === 'ping') return this.#pong(data);
    this.#add(quote(data.toString()));
    if (this.#queueCost < HIGH_WATER) return true;
    this.#starved = true;
    return false;
  }

  push(piece: FramePiece): void {
    if (this.#state === 'open' && piece.type !== 'ping' && piece.type !== 'pong') this.#add(quotedPiece(piece));
  }

  /** The client gets the close frame after what waits for it, at its next requests until the session is forgotten. */
  close(code?: number, reason?: Buffer): void {
    if (this.#state !== 'open') return;
    this.#closeFrame = closeFrame(code, reason);
    const handler = this.#endAs('closing');
    // The handler gets `onClose` as for any other end, but not from within the call: such a client sends no Close.
    queueMicrotask(() => this.#guard(() => handler?.onClose(code, reason ?? NOTHING)));
    this.#remember();
    this.#flush();
  }

  abort(): void {
    if (this.#state === 'closing') {
      if (!this.#closeGiven) this.#end();
      return;
    }
    if (this.#state !== 'open') return;
    this.#endAs('terminated');
    this.#clear();
    this.#remember();
    this.#receiver?.terminate();
    this.#receiver = undefined;
  }

  pause(): void {
    this.#paused = true;
  }

  resume(): void {
    this.#paused = false;
    this.#deliver();
  }

  get waiting(): number {
    return this.#queueBytes + (this.#receiver?.waiting ?? 0);
  }

  /** After a fault of ours, in the session or behind it. */
  fault(error: unknown): void {
    const handler = this.#handler;
    if (handler?.fault !== undefined) handler.fault(error);
    else this.abort();
  }

  #guard(act: () => void): void {
    try {
      act();
    } catch (error) {
      (this.#deps.faults ?? uncontained).caught('client', error, this);
    }
  }

  #add(quoted: string): void {
    this.#queue.push(quoted);
    const bytes = Buffer.byteLength(quoted);
    this.#queueBytes += bytes;
    this.#queueCost += Math.max(bytes, MESSAGE_MIN);
    if (this.#flushing) return;
    this.#flushing = true;
    // Messages that come together leave in one frame.
    queueMicrotask(() => {
      this.#flushing = false;
      this.#guard(() => this.#flush());
    });
  }

  #clear(): void {
    this.#queue = [];
    this.#queueBytes = 0;
    this.#queueCost = 0;
  }

  #flush(): void {
    if (this.#receiver?.ready !== true) return;
    if (this.#queue.length > 0) {
      const frame = messagesFrame(this.#queue);
      this.#clear();
      this.#give(frame);
      this.#wake();
    }
    if (this.#state === 'closing' && this.#receiver?.ready) {
      this.#receiver.giveLast(this.#closeFrame);
      this.#receiver = undefined;
      if (!this.#closeGiven) this.#remember();
      this.#closeGiven = true;
    }
  }

  #give(frame: string): void {
    const receiver = this.#receiver;
    this.#heartbeat?.sent(this.#deps.clock.monotonic());
    if (receiver === undefined || receiver.give(frame)) return;
    this.#receiver = undefined;
    this.#last = receiver;
    this.#lastWaiting = Number.POSITIVE_INFINITY;
    if (this.#state === 'open') this.#awaitReceiver();
    else this.#remember();
  }

  #wake(): void {
    if (!this.#starved) return;
    this.#starved = false;
    this.#guard(() => this.#handler?.onWritable());
  }

  /**
   * Answers a ping: false when the origin takes no more, and so is to send no more. Then the last ping is answered in place
   * of those before (RFC 6455 §5.5.3).
   */
  #pong(data: Buffer): boolean {
    if (this.#paused) this.#owedPongs.clear();
    if (this.#owedPongs.length === 0) queueMicrotask(() => this.#guard(() => this.#deliverPongs()));
    this.#owedPongs.push(data);
    if (!this.#paused) return true;
    this.#starved = true;
    return false;
  }

  #deliverPongs(): void {
    while (!this.#paused) {
      const data = this.#owedPongs.shift();
      if (data === undefined) break;
      this.#handler?.onMessage('pong', data);
    }
    if (!this.#paused && this.#queueCost < HIGH_WATER) this.#wake();
  }

  #deliver(): void {
    this.#deliverPongs();
    while (this.#state === 'open' && !this.#paused && this.#handler !== undefined) {
      const message = this.#inbox.shift();
      if (message === undefined) {
        this.#answer({ kind: 'taken' });
        return;
      }
      const handler = this.#handler;
      this.#guard(() => handler.onMessage('text', message));
    }
  }

  #answer(outcome: SendOutcome): void {
    const answer = this.#answerSend;
    this.#answerSend = undefined;
    answer?.(outcome);
  }

  #sendHeartbeat(): void {
    if (this.#state === 'open' && this.#receiver?.ready) this.#give(HEARTBEAT_FRAME);
  }

  /** The time for a client's next request begins when it has taken the last answer, as far as that can be seen. */
  #awaitReceiver(): void {
    this.#deps.clock.clear(this.#timer);
    this.#timer = this.#deps.clock.after(
      ABSENCE_MS,
      () => {
        const waiting = this.#last?.waiting ?? 0;
        if (waiting > 0 && waiting < this.#lastWaiting) {
          this.#lastWaiting = waiting;
          this.#awaitReceiver();
          return;
        }
        const handler = this.#handler;
        this.#end();
        handler?.onLost(undefined);
      },
      this,
    );
  }

  /** Forgets the session after a while; a receiver that has not even taken the close frame by then is cut off. */
  #remember(): void {
    this.#deps.clock.clear(this.#timer);
    this.#timer = this.#deps.clock.after(ABSENCE_MS, () => this.#end(), this);
  }

  /** Removes the handler, and returns it for its last call. */
  #endAs(state: 'closing' | 'left' | 'terminated'): SocketHandler | undefined {
    const handler = this.#handler;
    this.#state = state;
    this.#handler = undefined;
    this.#inbox.clear();
    this.#owedPongs.clear();
    this.#heartbeat?.stop();
    if (state === 'left') this.#clear();
    if (state === 'terminated') this.#answer({ kind: 'terminated' });
    else this.#answer({ kind: 'closed', frame: this.#closeFrame });
    return handler;
  }

  #end(): void {
    if (this.#state === 'over') return;
    this.#state = 'over';
    this.#handler = undefined;
    this.#heartbeat?.stop();
    this.#clear();
    this.#answer({ kind: 'unknown' });
    this.#deps.clock.clear(this.#timer);
    this.#receiver?.terminate();
    this.#receiver = undefined;
    this.#deps.forget();
  }
}

/**
 * The request that opens a session, as the handshake that it is to the rest of the proxy. A refusal is the answer of the
 * request. An acceptance is a frame, and has no place for header fields.
 */
export class HttpHandshake implements ClientHandshake {
  readonly #response: SockJsResponse;
  readonly #form: TransportForm;
  readonly #session: HttpSession;

  constructor(response: SockJsResponse, form: TransportForm, session: HttpSession) {
    this.#response = response;
    this.#form = form;
    this.#session = session;
  }

  get response(): ClientResponse {
    return this.#response;
  }

  accept(): MessageSocket | undefined {
    if (this.#response.over) return undefined;
    this.#session.open(new Receiver(this.#response, this.#form));
    return this.#session;
  }
}
