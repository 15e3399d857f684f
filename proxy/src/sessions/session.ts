/**
 * Owns: an open session: a client's WebSocket and its origin, messages between them, and items published into it.
 * Does not own: the handshake that made it (`opening`), or how the origin is spoken to (`origin-socket`).
 */
import type { ConnectionView } from '@holdfast/control-api';
import {
  fitCloseReason,
  isSendableCloseCode,
  parseWsControl,
  readOriginMessage,
  type WsControl,
  type WsControlInvalid,
} from '@holdfast/grip';
import type { Delivery } from '../channels/delivery.js';
import { waitForLive } from '../channels/live-wait.js';
import type { Subscriber } from '../channels/subscriber.js';
import { endSoon } from '../channels/subscriber-parts.js';
import type { Subscription } from '../channels/subscription-list.js';
import { type CloseReason, closeCode, closeReasons } from '../close-reasons.js';
import type { ClientRequest } from '../edge/edge.js';
import { type Filtered, ItemFilter, passesFreely } from '../links/item-filter.js';
import { scopeOf } from '../links/link-scope.js';
import type { OriginError } from '../origin/errors.js';
import type { ClientStanding } from '../origin/forwarder.js';
import type { Route } from '../routes/route.js';
import { FramePiece } from '../websocket/frame-piece.js';
import type { MessageSocket, MessageType, SocketOwner } from '../websocket/message-socket.js';
import { isRefreshable, type OriginSocket } from './origin-socket.js';
import type { SessionParts } from './session-parts.js';
import { SessionReplay } from './session-replay.js';
import { Subscriptions } from './subscriptions.js';
import { TimedMessages } from './timed-messages.js';

/** `open`: both ends are there. `detached`: the origin is gone by its own wish, the client stays. */
type State = 'open' | 'detached' | 'over';

/** How long a client whose session the proxy closes has to take the Close frame before it is cut off, in ms. */
const CLOSE_GRACE_MS = 5_000;

const NO_REASON = Buffer.alloc(0);

/** Where a session comes from. */
export interface SessionStart {
  readonly request: ClientRequest;
  /** Names the session to its origin over HTTP, on the command socket and in the statistics. */
  readonly connectionId: string;
  readonly route: Route;
  readonly standing: ClientStanding;
  readonly client: MessageSocket;
  readonly origin: OriginSocket;
  /** Full names of the channels of the target (`sub=`). */
  readonly implicit: readonly string[];
  /** What messages for the client begin with; undefined when the origin does not speak GRIP. */
  readonly messagePrefix: string | undefined;
  /** The token of a client that asked to come back for what it misses, or empty; undefined of any other. */
  readonly resume?: string | undefined;
}

/** One session, from the 101 to its end. */
export class Session implements Subscriber, SocketOwner {
  readonly id: string;
  readonly kind = 'ws';
  readonly #start: SessionStart;
  readonly #parts: SessionParts;
  readonly #client: MessageSocket;
  readonly #origin: OriginSocket;
  readonly #subscriptions: Subscriptions;
  readonly #timed: TimedMessages;
  readonly #since: number;
  /** What the origin has said while a subscription is not live: it comes after. */
  #held: (() => void)[] | undefined;
  /** Undefined unless the client asked for it. */
  readonly #replay: SessionReplay | undefined;
  #filter: ItemFilter | undefined;
  #state: State = 'open';
  #items = 0;
  #dropped = 0;

  /** Subscribes, and takes the client's socket over: what the client has sent meanwhile comes now. */
  constructor(start: SessionStart, parts: SessionParts) {
    const { registry, clock, random, events } = parts.subscriber;
    this.id = start.request.id;
    this.#start = start;
    this.#parts = parts;
    this.#client = start.client;
    this.#origin = start.origin;
    this.#since = clock.now();
    this.#subscriptions = new Subscriptions(this, registry, start.route.prefix, start.implicit, parts.subscriptionMax);
    this.#timed = new TimedMessages(clock, random, (type, content) => this.#sendTimed(type, content));
    events.subscriberOpened('ws');
    registry.enter(this);
    this.#replay = this.#makeReplay();
    const live = this.#subscriptions.start();
    this.#watch(live);
    this.#client.own(this);
    for (const channel of this.#subscriptions.names) this.#replay?.subscribed(channel, live);
  }

  /** Its Connection-Id. */
  get session(): string {
    return this.#start.connectionId;
  }

  get routeKey(): string {
    return this.#start.route.id ?? '';
  }

  // From the client

  onMessage(type: MessageType, data: Buffer): void {
    if (this.#state === 'open' && !this.#origin.send(type, data)) this.#client.pause();
  }

  onClose(code: number | undefined, reason: Buffer): void {
    if (this.#state === 'open') this.#origin.close(code, reason);
    this.#leave('client-closed');
  }

  onLost(error: Error | undefined): void {
    if (this.#state === 'open') this.#origin.abort();
    this.#leave(error === undefined ? 'client-gone' : 'client-fault');
  }

  onWritable(): void {
    this.#origin.resume();
    this.#replay?.writable();
  }

  // From the origin

  originMessage(type: MessageType, data: Buffer): void {
    if (this.#state !== 'open') return;
    if (this.#held !== undefined) {
      this.#held.push(() => this.originMessage(type, data));
      return;
    }
    const { messagePrefix } = this.#start;
    if (messagePrefix === undefined || type === 'ping' || type === 'pong') {
      this.#toClient(type, data);
      return;
    }
    const message = readOriginMessage(type, data, messagePrefix);
    if (message.kind === 'control') this.#obey(parseWsControl(message.text));
    else if (message.kind === 'message') this.#toClient(type, message.content);
    else this.#parts.subscriber.log.debug({ id: this.id }, 'message of the origin dropped: it lacks the prefix');
  }

  originClosed(code: number | undefined, reason: Buffer): void {
    if (this.#held !== undefined) {
      this.#held.push(() => this.originClosed(code, reason));
      return;
    }
    if (this.#leave('origin-closed')) this.#client.close(code, code === undefined ? undefined : reason);
  }

  originLost(error: OriginError): void {
    if (this.#held !== undefined) {
      this.#held.push(() => this.originLost(error));
      return;
    }
    this.#parts.subscriber.log.debug({ id: this.id, err: error }, 'origin lost');
    if (this.#leave('origin-failed')) this.#client.abort();
  }

  originWritable(): void {
    this.#client.resume();
  }

  // From the backplane

  deliver(delivery: Delivery): boolean {
    const format = delivery.ws;
    if (this.#state === 'over' || format === undefined || format.action === 'hint') return false;
    if (format.action === 'refresh' && !isRefreshable(this.#origin)) return false;
    const subscription = this.#subscriptions.list.find(delivery.item.channel);
    if (subscription === undefined) return false;
    if (this.#replay === undefined || this.#replay.admits(delivery)) this.#run(delivery, subscription);
    return true;
  }

  /** Sessions have no ids to be behind with: their origins see to what they send. */
  recover(): void {}

  missed(): void {
    const { subscriber } = this.#parts;
    if (subscriber.gapPolicy === 'close')
      endSoon(this, this.#subscriptions.names, subscriber, () => this.#end('items-lost'));
  }

  /** An origin that is asked over HTTP is asked for news; one that speaks WebSocket sends them by itself. */
  refresh(): void {
    if (this.#state === 'open' && isRefreshable(this.#origin)) this.#origin.refresh();
  }

  shutDown(): void {
    this.#end('shutdown');
  }

  kick(): void {
    this.#end('kicked');
  }

  view(): ConnectionView {
    const { request, route, connectionId } = this.#start;
    return {
      id: this.id,
      session: connectionId,
      kind: 'ws',
      ...(route.id !== undefined && { route: route.id }),
      client: request.clientAddress,
      since: new Date(this.#since).toISOString(),
      channels: this.#subscriptions.names,
      items: this.#items,
      waiting: this.#client.waiting,
    };
  }

  #makeReplay(): SessionReplay | undefined {
    const { replay, subscriber } = this.#parts;
    const { resume } = this.#start;
    if (replay === undefined || resume === undefined) return undefined;
    return new SessionReplay(resume, subscriber.queueLimit, replay, {
      replay: (delivery) => {
        const subscription = this.#subscriptions.list.find(delivery.item.channel);
        // What another action asked for was for those who were there.
        if (subscription !== undefined && delivery.ws?.action === 'send') this.#run(delivery, subscription);
      },
      deliver: (delivery) => void this.deliver(delivery),
      whenIdle: (then) => {
        if (this.#filter === undefined) then();
        else this.#filter.whenIdle(then);
      },
      push: (frame) => this.#client.push(frame),
      overflowed: () => this.#end('slow-client'),
    });
  }

  #run(delivery: Delivery, subscription: Subscription): void {
    const format = delivery.ws;
    const contentFilters = format?.action === 'send' ? format.contentFilters : undefined;
    if (this.#filter?.isBusy !== true && passesFreely(subscription.plan, contentFilters)) {
      this.#use(delivery, undefined);
      return;
    }
    const { request, route, standing } = this.#start;
    const scope = scopeOf(request, route, standing);
    this.#filter ??= new ItemFilter(this.#subscriptions.list, scope, this.#parts.filters);
    const content = format?.action === 'send' ? format.content : NO_REASON;
    this.#filter.run(subscription, delivery.item, content, contentFilters, (filtered) => {
      if (this.#state !== 'over' && filtered.result !== 'drop') this.#filtered(delivery, content, filtered);
    });
  }

  #filtered(delivery: Delivery, content: Buffer, filtered: Filtered): void {
    if (filtered.result === 'send') {
      const { ws } = delivery;
      const isOwn = filtered.content !== content && ws?.action === 'send';
      this.#use(delivery, isOwn ? new FramePiece(ws.type, filtered.content) : undefined);
    } else if (filtered.result === 'error') {
      this.#parts.subscriber.events.itemDropped('ws', 'filter-failed');
      this.#parts.subscriber.log.warn({ id: this.id, error: filtered.error }, 'item not delivered: its filter failed');
      if (this.#start.route.debug || this.#parts.debug) this.#end('filter-failed', filtered.error);
    }
  }

  /** Carries an item out; `own` is the message where a filter has changed it for this client. */
  #use(delivery: Delivery, own: FramePiece | undefined): void {
    const format = delivery.ws;
    if (format?.action === 'refresh') this.refresh();
    else if (format?.action === 'close') this.#closedByItem(format.code, format.reason);
    else {
      const frame = own ?? delivery.frame;
      if (this.#replay?.isTold(delivery)) this.#sendTold(frame, delivery, this.#replay);
      else {
        if (!this.#admits(frame.payload.length)) return;
        this.#client.push(frame);
        const mark = this.#replay?.mark(delivery);
        if (mark !== undefined) this.#client.push(mark);
      }
      this.#items++;
      this.#timed.sent();
      this.#parts.subscriber.events.itemSent('ws', this.routeKey);
    }
  }

  #sendTold({ type, payload }: FramePiece, delivery: Delivery, replay: SessionReplay): void {
    const mark = replay.mark(delivery);
    this.#parts.replay?.events.itemReplayed('ws');
    const taken = this.#client.send(type, payload);
    if (!(mark === undefined ? taken : this.#client.send(mark.type, mark.payload))) replay.filled();
  }

  #closedByItem(code: number | undefined, reason: string | undefined): void {
    const sendable = code !== undefined && isSendableCloseCode(code) ? code : undefined;
    const open = this.#state === 'open';
    if (!this.#leave('closed')) return;
    if (open) this.#closeOrigin();
    this.#client.close(sendable, sendable === undefined ? undefined : fitCloseReason(Buffer.from(reason ?? '')));
  }

  #obey(control: WsControl | WsControlInvalid): void {
    switch (control.type) {
      case 'subscribe':
        this.#subscribe(control.channel, control.filters);
        break;
      case 'unsubscribe':
        this.#unsubscribe(control.channel);
        break;
      case 'detach':
        this.#state = 'detached';
        this.#closeOrigin();
        // What it sends now is read and dropped.
        this.#client.resume();
        break;
      case 'set-meta':
        this.#subscriptions.setMeta(control.name, control.value);
        break;
      case 'keep-alive':
        this.#timed.keepAlive(control);
        break;
      case 'send-delayed':
        this.#timed.delay(control);
        break;
      case 'flush-delayed':
        this.#timed.flush();
        break;
      case 'session':
        // The name is for an external state service, of which there is none.
        break;
      case 'invalid':
        this.#parts.subscriber.log.debug({ id: this.id, reason: control.reason }, 'control message ignored');
    }
  }

  /** Closes the origin's end by our own wish: as Pushpin does, 1000 on a WebSocket, no code in an event. */
  #closeOrigin(): void {
    this.#origin.close(isRefreshable(this.#origin) ? undefined : 1000, NO_REASON);
  }

  #subscribe(channel: string, filters: readonly string[]): void {
    const { outcome, channel: name, isNew, live } = this.#subscriptions.add(channel, filters);
    this.#watch(live);
    if (outcome === 'subscribed' && isNew) this.#replay?.subscribed(name, live);
    if (outcome === 'too-many-filters') this.#end('filter-limit', `too many filters for channel '${channel}'`);
    else if (outcome === 'too-many-channels') {
      this.#parts.subscriber.log.debug({ id: this.id, channel }, 'subscription ignored: too many channels');
    }
  }

  #unsubscribe(channel: string): void {
    const left = this.#subscriptions.remove(channel);
    if (left !== undefined) this.#replay?.unsubscribed(left);
  }

  #watch(live: Promise<void> | undefined): void {
    if (live === undefined) return;
    live.catch((error: Error) => {
      this.#parts.subscriber.log.warn({ id: this.id, err: error }, 'subscription failed: closing the session');
      this.#end('origin-failed');
    });
    // A client that has a message from after the subscription may rely on getting what is published from then on.
    this.#held ??= [];
    this.#origin.pause();
    waitForLive(live, this.#parts.subscriber.clock, () => this.#release());
  }

  #release(): void {
    const held = this.#held ?? [];
    this.#held = undefined;
    // One of them may be the next to wait.
    for (let act = held.shift(); act !== undefined; act = held.shift()) {
      act();
      if (this.#held !== undefined) {
        (this.#held as (() => void)[]).push(...held);
        return;
      }
    }
    this.#origin.resume();
  }

  #toClient(type: MessageType, data: Buffer): void {
    if (!this.#client.send(type, data)) this.#origin.pause();
    this.#timed.sent();
  }

  /** A timed message counts as an item: there is nobody to hold back while the client does not read. */
  #sendTimed(type: MessageType, data: Buffer): void {
    if (this.#state !== 'over' && this.#admits(data.length)) this.#toClient(type, data);
  }

  /** Whether so many more bytes may wait for the client; otherwise the policy for slow clients is carried out. */
  #admits(bytes: number): boolean {
    const { queueLimit, slowClientPolicy, events, log } = this.#parts.subscriber;
    const { waiting } = this.#client;
    if (waiting === 0 || waiting + bytes <= queueLimit) return true;
    events.itemDropped('ws', 'slow-client');
    const first = this.#dropped++ === 0;
    // One that can come back gets what it missed.
    if (slowClientPolicy === 'close' || this.#replay !== undefined) {
      log.warn({ id: this.id, waiting }, 'slow client: closing its session');
      this.#end('slow-client');
    } else if (first) log.warn({ id: this.id, waiting }, 'slow client: dropping items');
    return false;
  }

  /** Ends the session because the proxy wants it, with the code of the reason. Details go to debug routes only. */
  #end(reason: CloseReason, detail?: string): void {
    const open = this.#state === 'open';
    if (!this.#leave(reason)) return;
    if (open) this.#origin.abort();
    const text = this.#start.route.debug || this.#parts.debug ? (detail ?? closeReasons[reason].meaning) : '';
    const code = closeCode(reason);
    if (code === undefined) this.#client.abort();
    else {
      this.#client.close(code, fitCloseReason(Buffer.from(text)));
      this.#parts.subscriber.clock.after(CLOSE_GRACE_MS, () => this.#client.abort());
    }
  }

  /** Leaves the channels and reports the end; false when the session was over already. */
  #leave(reason: CloseReason): boolean {
    if (this.#state === 'over') return false;
    this.#state = 'over';
    this.#timed.stop();
    this.#replay?.stop();
    const channels = this.#subscriptions.names;
    this.#subscriptions.clear();
    const { clock, events, registry } = this.#parts.subscriber;
    registry.leave(this);
    events.subscriberEnded('ws', reason);
    const duration = clock.now() - this.#since;
    const end = { kind: 'ws', reason, items: this.#items, dropped: this.#dropped, duration, channels } as const;
    const { request, route, connectionId } = this.#start;
    this.#parts.events.sessionEnded(request, route, end, connectionId);
    return true;
  }
}
