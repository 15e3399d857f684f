/** The origin's end of a session inside the process: what the built-in targets have in common. */
import type { Containment } from '@holdfast/control-api';
import { formatWsControl, type WsControl } from '@holdfast/grip';
import { faultError } from '../../errors.js';
import { Fifo } from '../../runtime/fifo.js';
import type { MessageType } from '../../websocket/message-socket.js';
import type { OriginHandshakeOwner, OriginSocket, OriginSocketOwner } from '../origin-socket.js';

/**
 * From so many messages on that are not answered yet, `send` asks to be held back.
 *
 * @limit {} messages to a built-in target that are not answered yet
 * @over the client is not read
 */
const WAITING_HIGH = 64;

/** An answer to a handshake that is not taken. */
export interface Refusal {
  readonly status: number;
  readonly reason: string;
  readonly headers: readonly string[];
  readonly body: string;
}

/**
 * An origin inside the process. Everything is sent through GRIP's own messages: what a client sends is never control. One of a kind
 * says how it opens, and what it answers to a message.
 */
export abstract class InProcessSocket implements OriginSocket {
  #owner: OriginSocketOwner | undefined;
  /** What was sent and is not answered yet. */
  readonly #waiting = new Fifo<[MessageType, Buffer]>();
  #scheduled = false;
  #paused = false;
  #starved = false;
  /** A message is being answered that takes time. */
  #isBusy = false;
  #over = false;

  #closing: { readonly code: number | undefined; readonly reason: Buffer } | undefined;
  readonly #faults: Containment;
  readonly #handshake: OriginHandshakeOwner;

  constructor(handshake: OriginHandshakeOwner, faults: Containment) {
    this.#faults = faults;
    this.#handshake = handshake;
    queueMicrotask(() =>
      faults.run(
        'origin',
        () => {
          if (!this.#over) this.open();
        },
        { fault: (error) => this.#faulted(error) },
      ),
    );
  }

  setOwner(owner: OriginSocketOwner): void {
    this.#owner = owner;
  }

  send(type: MessageType, data: Buffer): boolean {
    if (type === 'pong' || this.#over) return true;
    this.#waiting.push([type, data]);
    this.#schedule();
    if (!this.#paused && this.#waiting.length < WAITING_HIGH) return true;
    this.#starved = true;
    return false;
  }

  /** Answered with the same, after what was sent before. */
  close(code: number | undefined, reason: Buffer): void {
    if (this.#over) return;
    this.#closing = { code, reason };
    this.#schedule();
  }

  abort(): void {
    this.#over = true;
    this.#waiting.clear();
  }

  /** After a fault of ours: the session loses its origin. */
  fault(error: unknown): void {
    this.abort();
    this.#owner?.originLost(faultError(error));
  }

  pause(): void {
    this.#paused = true;
  }

  resume(): void {
    this.#paused = false;
    this.#schedule();
  }

  /** Takes or refuses the session, now or later. */
  protected abstract open(): void;

  /** Answers a text or binary message; a promise where that takes time: those after it wait. */
  protected abstract answer(type: 'text' | 'binary', data: Buffer): undefined | Promise<void>;

  /** Refuses the session. */
  protected refuse({ status, reason, headers, body }: Refusal): void {
    if (this.#over) return;
    this.#over = true;
    this.#handshake.originRejected({ status, reason, headers }, Buffer.from(body));
  }

  /** Takes the session; `headers` are those of the answer beside the extension. */
  protected accept(headers: readonly string[] = []): void {
    if (!this.#over) this.#handshake.originAccepted(['Sec-WebSocket-Extensions', 'grip', ...headers]);
  }

  /** Sends the client a message: `data` has the prefix of messages. */
  protected say(type: MessageType, data: Buffer): void {
    if (!this.#over) this.#owner?.originMessage(type, data);
  }

  /** Sends a control message. */
  protected control(control: WsControl): void {
    this.say('text', Buffer.from(`c:${formatWsControl(control)}`));
  }

  /** Has a fault in something that takes time end the session, or the handshake. */
  protected watch(work: Promise<void>): void {
    this.#faults.watch('origin', work, { fault: (error) => this.#faulted(error) });
  }

  /** There may be no session yet. */
  #faulted(error: unknown): void {
    const isOpening = this.#owner === undefined && !this.#over;
    this.fault(error);
    if (isOpening) this.#handshake.originFailed(faultError(error));
  }

  /** An owner is not called from within its own call. */
  #schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    queueMicrotask(() => {
      this.#scheduled = false;
      this.#faults.run('origin', () => this.#answerAll(), this);
    });
  }

  #answerAll(): void {
    while (!this.#paused && !this.#over && !this.#isBusy) {
      const [type, data] = this.#waiting.shift() ?? [];
      if (type === undefined || data === undefined) break;
      if (type === 'text' || type === 'binary') this.#answerOne(type, data);
      else if (type === 'ping') this.#owner?.originMessage('pong', data);
    }
    if (this.#isBusy) return;
    if (this.#closing !== undefined && !this.#paused && !this.#over) {
      this.#over = true;
      this.#owner?.originClosed(this.#closing.code, this.#closing.reason);
    }
    if (!this.#starved || this.#paused || this.#over) return;
    this.#starved = false;
    this.#owner?.originWritable();
  }

  #answerOne(type: 'text' | 'binary', data: Buffer): void {
    const answering = this.answer(type, data);
    if (answering === undefined) return;
    this.#isBusy = true;
    this.watch(
      answering.then(() => {
        this.#isBusy = false;
        this.#schedule();
      }),
    );
  }
}
