/** What is written to one session's client: items, tokens for a client that may come back, timed messages; and what is said of it. */
import { isUtf8 } from 'node:buffer';
import type { ConnectionView, Faulty } from '@holdfast/control-api';
import type { Initial, WsKeepAlive, WsMessageFormat, WsMessageSend, WsSendDelayed } from '@holdfast/grip';
import type { CloseReason } from '../channels/close-reasons.js';
import type { Delivery } from '../channels/delivery.js';
import { type ActionFormat, ItemPipeline, type ItemReceiver } from '../delivery/pipeline.js';
import { type LinkScope, scopeOf } from '../links/link-scope.js';
import { type Clock, stampOf, type Timer } from '../runtime/clock.js';
import { KeepAliveTimer } from '../runtime/timers.js';
import { FramePiece, type MessageSocket, type MessageType } from '../websocket/message-socket.js';
import type { Dial, SessionDeps } from './session-deps.js';
import { SessionReplay } from './session-replay.js';
import type { Subscriptions } from './subscriptions.js';

/** The session. Each of its methods may end it. */
export interface SessionReceiver extends ItemReceiver {
  readonly dial: Dial;
  readonly client: MessageSocket;
  readonly subscriptions: Subscriptions;
  /** An item of this type was sent. */
  sent(type: MessageType): void;
  /** Sends a message whose time has come. */
  sendTimed(type: MessageType, content: Buffer): void;
  /** Delivers an item that had to wait for what was missed before it. */
  deliver(delivery: Delivery): void;
  /** An item asks for news of the origin. */
  refresh(): void;
  /** An item says that the session is over. */
  closedByItem(code: number | undefined, reason: string | undefined): void;
}

/** Sends a message to the client. */
type SendTimed = (type: MessageType, content: Buffer) => void;

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

/** The items of one session. */
export class SessionWriter extends ItemPipeline<WsMessageFormat, FramePiece> {
  protected readonly receiver: SessionReceiver;
  protected readonly deps: SessionDeps;
  /** Undefined unless the client asked for it, or the origin wants initial items. */
  #replay: SessionReplay | undefined;
  #timed: TimedMessages | undefined;

  /** `resume` is as of `SessionStart`. */
  constructor(receiver: SessionReceiver, resume: string | undefined, deps: SessionDeps) {
    super();
    this.receiver = receiver;
    this.deps = deps;
    if (resume !== undefined) this.#replay = this.#makeReplay(resume);
  }

  /** What an operator is shown of the session, which began at `since` by the monotonic clock. */
  view(since: number): ConnectionView {
    const { dial, client, subscriptions } = this.receiver;
    const { request, route, connectionId } = dial;
    return {
      id: request.id,
      session: connectionId,
      kind: 'ws',
      ...(route.id !== undefined && { route: route.id }),
      client: request.clientAddress,
      since: stampOf(this.deps.subscriber.clock, since),
      channels: subscriptions.names,
      items: this.items,
      waiting: client.waiting,
    };
  }

  /** Reports that the session, which began at `since`, is over. */
  reportEnd(reason: CloseReason, channels: readonly string[], since: number): void {
    const { subscriber, events } = this.deps;
    const { items, dropped } = this;
    const duration = subscriber.clock.monotonic() - since;
    const { request, route, connectionId } = this.receiver.dial;
    subscriber.events.subscriberEnded('ws', reason);
    const end = { kind: 'ws', reason, items, dropped, duration, channels } as const;
    events.sessionEnded(request, route, end, connectionId);
  }

  /** Whether an item is to be taken now: not if it was replayed already, or has to wait for what is replayed before it. */
  takesNow(delivery: Delivery): boolean {
    return this.#replay === undefined || this.#replay.admits(delivery);
  }

  /** The session has come to a channel, on which it begins with `initial`; `live` is as of `ChannelRegistry.add`. */
  subscribed(channel: string, live: Promise<void> | undefined, initial?: Initial): void {
    if (initial !== undefined) this.#replay ??= this.#makeReplay(undefined);
    this.#replay?.subscribed(channel, live, initial);
  }

  /** The session has left a channel. */
  unsubscribed(channel: string): void {
    this.#replay?.unsubscribed(channel);
  }

  /** Made when the origin asks for one. */
  get timed(): TimedMessages {
    const { receiver } = this;
    const { clock, random } = this.deps.subscriber;
    this.#timed ??= new TimedMessages(clock, random, (type, content) => receiver.sendTimed(type, content), receiver);
    return this.#timed;
  }

  /** Something was sent to the client. */
  sent(): void {
    this.#timed?.sent();
  }

  /** The client has room again. */
  onWritable(): void {
    this.#replay?.onWritable();
  }

  override stop(): void {
    super.stop();
    this.#timed?.stop();
    this.#replay?.stop();
  }

  protected get kind(): 'ws' {
    return 'ws';
  }

  protected get noun(): string {
    return 'session';
  }

  /** A client that can come back gets what it missed. */
  protected get needsAll(): boolean {
    return this.#replay?.isResumable === true;
  }

  protected get list(): Subscriptions {
    return this.receiver.subscriptions;
  }

  protected get scope(): LinkScope {
    const { request, route, trust } = this.receiver.dial;
    return scopeOf(request, route, trust);
  }

  protected waitingBefore(delivery: Delivery): number {
    return this.#replay?.isReplaying(delivery) ? 0 : this.receiver.client.waiting;
  }

  protected encode(delivery: Delivery, { type }: WsMessageSend, own: Buffer | undefined): FramePiece {
    return own === undefined ? delivery.frame : new FramePiece(type, own);
  }

  protected override refusal(format: WsMessageFormat, own: Buffer): string | undefined {
    const isSpoilt = format.action === 'send' && format.type === 'text' && !isUtf8(own);
    return isSpoilt ? 'filter error: it made text that is not UTF-8' : undefined;
  }

  protected write(frame: FramePiece, delivery: Delivery): void {
    const { client } = this.receiver;
    if (this.#replay === undefined) client.push(frame);
    else this.#writeMarked(frame, delivery, this.#replay);
    this.receiver.sent(frame.type);
  }

  /** Hints never get here. */
  protected act(format: ActionFormat<WsMessageFormat>): void {
    if (format.action === 'refresh') this.receiver.refresh();
    else if (format.action === 'close') this.receiver.closedByItem(format.code, format.reason);
  }

  /** The token of where the client stands follows its item. */
  #writeMarked(frame: FramePiece, delivery: Delivery, replay: SessionReplay): void {
    const { client } = this.receiver;
    const isReplaying = replay.isReplaying(delivery);
    if (!isReplaying) {
      client.push(frame);
      const mark = replay.mark(delivery);
      if (mark !== undefined) client.push(mark);
      return;
    }
    const mark = replay.mark(delivery);
    this.deps.replay?.events.itemReplayed('ws');
    const taken = client.send(frame.type, frame.payload);
    if (!(mark === undefined ? taken : client.send(mark.type, mark.payload))) replay.filled();
  }

  #makeReplay(resume: string | undefined): SessionReplay | undefined {
    const { replay, subscriber } = this.deps;
    if (replay === undefined) return undefined;
    const { receiver } = this;
    return new SessionReplay(resume, subscriber.clientQueueSize, replay, {
      replay: (delivery) => {
        const { ws } = delivery;
        const subscription = receiver.subscriptions.find(delivery.item.channel);
        // Actions among what was missed have no effect: they were for clients connected at the time.
        if (subscription !== undefined && ws?.action === 'send') this.take(delivery, ws, subscription);
      },
      deliver: (delivery) => receiver.deliver(delivery),
      whenIdle: (then) => this.whenIdle(then),
      push: (frame) => receiver.client.push(frame),
      overflowed: () => receiver.overflowed(),
      watch: (work) => subscriber.faults.watch('history', work, receiver),
    });
  }
}
