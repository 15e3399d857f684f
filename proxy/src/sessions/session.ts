/** An open session: a client's WebSocket and its origin, messages between them, and the end of both. */
import type { CloseOrder, ConnectionView } from '@holdfast/control-api';
import { fitCloseReason, isSendableCloseCode } from '@holdfast/grip';
import type { CloseReason } from '../channels/close-reasons.js';
import type { Delivery } from '../channels/delivery.js';
import type { Subscriber } from '../channels/subscriber.js';
import { endIncomplete } from '../channels/subscriber-deps.js';
import type { OriginError } from '../errors.js';
import type { MessageSocket, MessageType, SocketHandler } from '../websocket/message-socket.js';
import { AwaitedClose, type ClosingEnd, closeClient, closeOf, closeOrCut, NO_REASON } from './awaited-close.js';
import { type LimitedSession, MessageLimits, overLimit, TOO_LONG } from './message-limits.js';
import { closeOrigin, isRefreshable, type OriginSocket, type OriginSocketOwner } from './origin-socket.js';
import { type ControlledSession, noticeLost, readForClient } from './session-control.js';
import type { Dial, SessionDeps, SessionStart } from './session-deps.js';
import { type SessionReceiver, SessionWriter } from './session-writer.js';
import { OriginOrder, Subscriptions } from './subscriptions.js';

/**
 * `open`: both ends are there. `detached`: the origin has detached, the client stays. `closing`: one end has closed,
 * and the other is still to answer; no channel has the session any more.
 */
type State = 'open' | 'detached' | 'closing' | 'over';

/** One session, from the 101 to its end. */
export class Session
  implements Subscriber, SocketHandler, OriginSocketOwner, SessionReceiver, ControlledSession, LimitedSession
{
  readonly dial: Dial;
  readonly client: MessageSocket;
  readonly subscriptions: Subscriptions;
  readonly writer: SessionWriter;
  readonly #deps: SessionDeps;
  readonly #origin: OriginSocket;
  readonly #messagePrefix: string | undefined;
  readonly #since: number;
  /** Undefined where there are none. */
  readonly #limits: MessageLimits | undefined;
  /** Undefined until a subscription is not live at once. */
  #order: OriginOrder | undefined;
  #state: State = 'open';
  /** While the state is `closing`. */
  #awaited: AwaitedClose | undefined;

  constructor({ dial, client, origin, implicit, messagePrefix, resume }: SessionStart, deps: SessionDeps) {
    const { registry, clock } = deps.subscriber;
    this.dial = dial;
    this.client = client;
    this.#deps = deps;
    this.#origin = origin;
    this.#messagePrefix = messagePrefix;
    this.#since = clock.monotonic();
    this.#limits = MessageLimits.of(dial, deps.messagePace, deps.subscriber);
    this.subscriptions = new Subscriptions(this, registry, dial.route, implicit, deps.connectionSubscriptionMax);
    this.writer = new SessionWriter(this, resume, deps);
  }

  /** Subscribes, and takes both sockets over: what the client has sent meanwhile comes now. */
  start(): void {
    const { registry, events } = this.#deps.subscriber;
    events.subscriberOpened('ws');
    registry.enter(this);
    this.#origin.setOwner(this);
    const live = this.subscriptions.start();
    this.watch(live);
    this.client.setHandler(this);
    for (const channel of this.subscriptions.channels) this.writer.subscribed(channel, live);
  }

  get id(): string {
    return this.dial.request.id;
  }

  get kind(): 'ws' {
    return 'ws';
  }

  /** Its Connection-Id. */
  get session(): string {
    return this.dial.connectionId;
  }

  get routeKey(): string {
    return this.dial.route.id ?? '';
  }

  get isDebug(): boolean {
    return this.dial.route.debug || this.#deps.debug;
  }

  get waiting(): number {
    return this.client.waiting;
  }

  /** Sends the client a Close frame; see `MessageSocket.close`. */
  close(code?: number, reason?: Buffer): void {
    this.#deps.subscriber.traffic?.closeSent(code);
    closeClient(this.client, code, reason);
  }

  // From the client

  onMessage(type: MessageType, data: Buffer): void {
    if (type === 'text' || type === 'binary') this.#deps.subscriber.traffic?.messageReceived(data.length);
    if (this.#state === 'over' || this.#limits?.refuses(type, data, this, this.#state !== 'closing')) return;
    if (!this.#readsClient || this.#origin.send(type, data)) return;
    this.#limits?.hold();
    this.client.pause();
  }

  onClosing(code: number | undefined, reason: Buffer): void {
    if (this.#state === 'open') {
      this.#origin.close(code, reason);
      this.#leave('client-closed');
      this.#await('client', code, reason);
    } else if (this.#state !== 'closing') {
      this.#leave('client-closed');
      closeClient(this, code, reason);
    } else if (this.#awaited?.from === 'origin') this.#answer(code, reason);
  }

  /** What the client had said before is still answered. The origin gets a Close with the same code. */
  onBreach(code: number, error: Error): void {
    if (code === TOO_LONG && !this.#isGone)
      overLimit(this, this.#deps.subscriber, 'websocket_message_max', 'a message of its client is too long');
    this.breach(code, error);
  }

  breach(code: number, error: Error): void {
    this.#deps.subscriber.log.debug({ id: this.id, err: error }, 'client fault');
    if (this.#state === 'open') {
      this.#origin.close(code, NO_REASON);
      this.#leave('client-fault');
      this.#await('breach', code, NO_REASON);
    } else {
      this.#leave('client-fault');
      if (this.#awaited?.from === 'origin') this.#answer(code, NO_REASON);
      this.close(code);
    }
  }

  onClose(code: number | undefined, reason: Buffer): void {
    if (this.#state === 'open') this.#origin.close(code, reason);
    if (this.#state === 'open' || this.#state === 'detached') this.#deps.subscriber.traffic?.closeSent(code); // By the socket itself.
    if (this.#awaited?.from === 'origin') this.#answer(code, reason);
    this.#clientEnded('client-closed');
  }

  onLost(error: Error | undefined): void {
    if (this.#state === 'open') this.#origin.abort();
    if (this.#awaited?.from === 'origin') this.#answerItself();
    this.#clientEnded(error === undefined ? 'client-gone' : 'client-fault');
  }

  onWritable(): void {
    this.#origin.resume();
    this.writer.onWritable();
  }

  // From the origin

  originMessage(type: MessageType, data: Buffer): void {
    if (!this.#readsOrigin) return;
    if (this.#order?.keepsBack(() => this.originMessage(type, data))) return;
    const messagePrefix = this.#messagePrefix;
    if (messagePrefix === undefined || type === 'ping' || type === 'pong') {
      this.#toClient(type, data);
      return;
    }
    // One that has left its channels takes no more orders.
    const message = { type, data, prefix: messagePrefix };
    const content = readForClient(this, message, this.#state === 'open', this.#deps);
    if (content !== undefined) this.#toClient(type, content);
  }

  originClosed(code: number | undefined, reason: Buffer): void {
    if (this.#order?.keepsBack(() => this.originClosed(code, reason))) return;
    if (this.#state === 'closing') this.#answer(code, reason);
    else if (this.#state === 'open') this.#closeFirst('origin-closed', code, reason);
  }

  originLost(error: OriginError): void {
    if (this.#order?.keepsBack(() => this.originLost(error))) return;
    if (error.code === 'ERR_ORIGIN_FAULT') {
      this.fault();
      return;
    }
    noticeLost(this, error, this.#deps.subscriber);
    if (this.#state === 'closing') this.#answerItself();
    else if (this.#state === 'open' && this.#leave('origin-failed')) this.client.abort();
  }

  originWritable(): void {
    this.#limits?.release();
    this.client.resume();
  }

  // From the backplane

  deliver(delivery: Delivery): boolean {
    const format = delivery.ws;
    if (this.#isGone || format === undefined || format.action === 'hint') return false;
    if (format.action === 'refresh' && !isRefreshable(this.#origin)) return false;
    const subscription = this.subscriptions.through(delivery);
    if (subscription === undefined) return false;
    if (this.writer.takesNow(delivery)) this.writer.take(delivery, format, subscription);
    return true;
  }

  takes(delivery: Delivery): boolean {
    return !this.#isGone && this.writer.fits(delivery, delivery.ws);
  }

  /** Sessions have no ids to be behind with: their origins see to what they send. */
  recover(): void {}

  missed(): void {
    endIncomplete(this, this.subscriptions, this.#deps.subscriber, () => this.end('items-lost'));
  }

  /** An origin that is asked over HTTP is asked for news; one that speaks WebSocket sends them by itself. */
  refresh(): void {
    if (this.#state === 'open' && isRefreshable(this.#origin)) this.#origin.refresh();
  }

  drain(): void {
    this.end('shutdown');
  }

  /** What is under way in both directions comes first: the origin gets what the client says up to its answer to the Close. */
  expire(): void {
    this.#closeInOrder('aged');
  }

  /** As by its age; but what is published from now on does not reach it. */
  expiryDue(): void {
    const { channels, patterns } = this.subscriptions;
    this.#deps.subscriber.registry.remove(this, channels, patterns);
    this.#closeInOrder('expired');
  }

  disconnect(close?: CloseOrder): void {
    this.end('kicked', undefined, close);
  }

  fault(): void {
    if (this.#state === 'closing') {
      this.#clientEnded('fault');
      this.#origin.abort();
      this.client.abort();
    } else this.end('fault');
  }

  get meta(): ReadonlyMap<string, string> {
    return this.subscriptions.meta;
  }

  view(): ConnectionView {
    return this.writer.view(this.#since);
  }

  // From the writer

  sent(type: MessageType): void {
    if (type === 'ping') this.#limits?.pinged();
    this.writer.sent();
  }

  /** A timed message counts as an item: there is nobody to hold back while the client does not read. */
  sendTimed(type: MessageType, data: Buffer): void {
    if (!this.#isGone && this.writer.admits(this.client.waiting, data.length)) this.#toClient(type, data);
  }

  closedByItem(code: number | undefined, reason: string | undefined): void {
    const sendable = code !== undefined && isSendableCloseCode(code) ? code : undefined;
    const open = this.#state === 'open';
    if (!this.#leave('closed')) return;
    if (open) closeOrigin(this.#origin);
    this.close(sendable, sendable === undefined ? undefined : fitCloseReason(Buffer.from(reason ?? '')));
  }

  overflowed(): void {
    this.end('slow-client');
  }

  filterFailed(error: string): void {
    this.end('filter-failed', error);
  }

  // From control messages

  detach(): void {
    this.#state = 'detached';
    closeOrigin(this.#origin);
    // What it sends now is read and dropped.
    this.#limits?.release();
    this.client.resume();
  }

  watch(live: Promise<void> | undefined): void {
    if (live === undefined) return;
    this.#order ??= new OriginOrder(this.#origin, this.#deps.subscriber, this);
    this.#order.waitFor(live);
  }

  /** Ends the session because the proxy wants it, with code and text of the reason. Details go to debug routes only. */
  end(reason: CloseReason, detail?: string, close?: CloseOrder): void {
    const open = this.#state === 'open';
    if (!this.#leave(reason)) return;
    if (open) this.#origin.abort();
    closeOrCut(this, closeOf(reason, this.isDebug, detail, close), this.#deps.subscriber.clock);
  }

  /** Whether it has left its channels. */
  get #isGone(): boolean {
    return this.#state === 'over' || this.#state === 'closing';
  }

  /** Whether what the client says is for the origin. */
  get #readsClient(): boolean {
    return this.#state === 'open' || this.#awaited?.from === 'origin';
  }

  /** Whether what the origin says is for the client. */
  get #readsOrigin(): boolean {
    return this.#state === 'open' || (this.#awaited !== undefined && this.#awaited.from !== 'origin');
  }

  /** One end has closed, and the session has left: the other end has its time. */
  #await(from: ClosingEnd, code: number | undefined, reason: Buffer): void {
    this.#state = 'closing';
    const { clock } = this.#deps.subscriber;
    const late = () => this.#answerItself();
    this.#awaited = new AwaitedClose(from, code, reason, { clock, late, session: this });
  }

  /** Closes the client behind what is under way. */
  #closeInOrder(reason: 'aged' | 'expired'): void {
    if (this.#order?.keepsBack(() => this.#closeInOrder(reason))) return;
    this.writer.finish(this, () => {
      const { code, text } = closeOf(reason, this.isDebug);
      if (this.#state === 'open') this.#closeFirst(reason, code, text);
      else this.end(reason);
    });
  }

  /** Closes the client: the origin, or the proxy, has closed first. */
  #closeFirst(why: CloseReason, code: number | undefined, reason: Buffer): void {
    this.#leave(why);
    this.#await('origin', code, reason);
    closeClient(this, code, reason);
  }

  /** The other end has answered. */
  #answer(code: number | undefined, reason: Buffer): void {
    this.#endWait()?.answer(code, reason, this, this.#origin);
  }

  /** The other end has not, and no more is expected of it. */
  #answerItself(): void {
    this.#endWait()?.echo(this, this.#origin);
  }

  #endWait(): AwaitedClose | undefined {
    const awaited = this.#awaited;
    awaited?.stop();
    this.#awaited = undefined;
    if (awaited === undefined) return undefined;
    this.#state = 'over';
    // What it says now is read and dropped: nothing of it holds its own end back.
    this.#origin.resume();
    return awaited;
  }

  /** The client has gone: it gets no answer. */
  #clientEnded(reason: CloseReason): void {
    if (this.#endWait() === undefined) this.#leave(reason);
  }

  #toClient(type: MessageType, data: Buffer): void {
    // Before it is sent: some sockets answer a ping at once.
    this.sent(type);
    this.#deps.subscriber.traffic?.bytesSent('ws', data.length);
    if (!this.client.send(type, data)) this.#origin.pause();
  }

  /** Leaves the channels and reports the end; false when the session was over already. */
  #leave(reason: CloseReason): boolean {
    if (this.#state === 'over' || this.#state === 'closing') return false;
    this.#state = 'over';
    this.writer.stop();
    const channels = this.subscriptions.names;
    this.subscriptions.clear();
    this.#deps.subscriber.registry.leave(this);
    this.#deps.limits?.ended(this.dial.request);
    this.writer.reportEnd(reason, channels, this.#since);
    return true;
  }
}
