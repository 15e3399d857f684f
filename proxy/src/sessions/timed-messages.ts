/** The messages that a session sends by the clock: keep-alives, and the one that is delayed. */
import type { Faulty } from '@holdfast/control-api';
import type { WsKeepAlive, WsSendDelayed } from '@holdfast/grip';
import type { Clock, Timer } from '../runtime/clock.js';
import { KeepAliveTimer } from '../runtime/timers.js';
import type { MessageType } from '../websocket/message-socket.js';

/** Sends a message to the client. */
export type SendTimed = (type: MessageType, content: Buffer) => void;

/** Both are set by the origin's control messages; a new one takes the place of the old. */
export class TimedMessages {
  readonly #clock: Clock;
  readonly #random: () => number;
  readonly #send: SendTimed;
  readonly #session: Faulty;
  #keepAlive: KeepAliveTimer | undefined;
  #delayed: WsSendDelayed | undefined;
  #timer: Timer | undefined;

  constructor(clock: Clock, random: () => number, send: SendTimed, session: Faulty) {
    this.#clock = clock;
    this.#random = random;
    this.#send = send;
    this.#session = session;
  }

  /** Starts keep-alives, or without content ends them. */
  keepAlive({ content, messageType, timeout, mode }: WsKeepAlive): void {
    this.#keepAlive?.stop();
    this.#keepAlive = undefined;
    if (content === undefined) return;
    const beat = () => this.#send(messageType, content);
    this.#keepAlive = new KeepAliveTimer({ timeout, mode }, this.#clock, this.#random, beat, this.#session);
  }

  /** Something was sent to the client: an idle keep-alive is put off. */
  sent(): void {
    this.#keepAlive?.sent(this.#clock.monotonic());
  }

  /** Sends a message later; one that still waits goes out first, now. */
  delay(message: WsSendDelayed): void {
    this.flush();
    this.#delayed = message;
    this.#timer = this.#clock.after(message.timeout * 1_000, () => this.flush(), this.#session);
  }

  /** Sends the delayed message now, once. */
  flush(): void {
    this.#clock.clear(this.#timer);
    const delayed = this.#delayed;
    this.#delayed = undefined;
    if (delayed !== undefined) this.#send(delayed.messageType, delayed.content);
  }

  /** Nothing is sent any more. */
  stop(): void {
    this.#keepAlive?.stop();
    this.#keepAlive = undefined;
    this.#clock.clear(this.#timer);
    this.#delayed = undefined;
  }
}
