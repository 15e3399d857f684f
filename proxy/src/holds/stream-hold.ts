/**
 * Owns: a response that stays open and to which published items are appended (GRIP `hold: stream`), and, where it has a
 * next link, that none of them is missed. Does not own: how the hold came about, the origin's end of the initial body
 * (its owner does), or fetching links (`links/next-link`).
 */
import type { ConnectionView } from '@holdfast/control-api';
import { type Instruct, type RawHeaders, type ResponseFilter, responseFilter } from '@holdfast/grip';
import type { Delivery } from '../channels/delivery.js';
import { waitForLive } from '../channels/live-wait.js';
import type { Subscriber } from '../channels/subscriber.js';
import { endSoon, type SubscriberEnd } from '../channels/subscriber-parts.js';
import type { Subscription, SubscriptionList } from '../channels/subscription-list.js';
import type { CloseReason } from '../close-reasons.js';
import type { ClientResponse, ResponseOwner } from '../edge/edge.js';
import { StreamPiece } from '../edge/stream-piece.js';
import { doubtful } from '../history/chains.js';
import { Telling } from '../history/telling.js';
import { KeepAliveTimer } from '../keep-alive.js';
import { type Filtered, ItemFilter, passesFreely } from '../links/item-filter.js';
import { type LinkScope, resolveLink } from '../links/link-scope.js';
import { NextLink, type NextLinkOwner } from '../links/next-link.js';
import {
  type HoldOwner,
  type HoldParts,
  type HoldStart,
  isOvertaken,
  overtakenOn,
  replayOf,
  tellGone,
  viewOf,
} from './hold.js';
import { LinkTimer } from './link-timer.js';
import { follow, StreamQueue } from './stream-queue.js';
import { type Resumed, StreamReplay } from './stream-replay.js';

/**
 * `flowing`: a body of the origin's is going out, the initial one or a link's, or what a client that came back has missed;
 * items wait. `catching-up`: a link is to be fetched or is being fetched, or the history tells; items wait. `open`: items are written as they come.
 */
type State = 'flowing' | 'catching-up' | 'open' | 'over';

const EMPTY = Buffer.alloc(0);

/**
 * Registered from its construction on. Items that arrive while a body is going out wait in order, within the same limit
 * as items for a slow client, and follow it: those that the origin's body has told already, by its prev-ids, are left out.
 */
export class StreamHold implements Subscriber, ResponseOwner, NextLinkOwner {
  readonly id: string;
  readonly kind = 'stream';
  readonly #start: HoldStart;
  readonly #owner: HoldOwner;
  readonly #parts: HoldParts;
  readonly #response: ClientResponse;
  readonly #since: number;
  readonly #queue = new StreamQueue();
  #state: State = 'flowing';
  /** In force: the initial instruct, or that of the last link. */
  #instruct: Instruct;
  #scope: LinkScope;
  #list: SubscriptionList;
  /** What the origin said last was out of date when it said it: the link is to be asked once more. */
  #outdated: boolean;
  #bodyFilter: ResponseFilter | undefined;
  #filter: ItemFilter | undefined;
  #keepAlive: KeepAliveTimer | undefined;
  #linkTimer: LinkTimer | undefined;
  #link: NextLink | undefined;
  #withdraw: (() => void) | undefined;
  /** The item that has shown the last gap: the link is to tell it. */
  #missed: Delivery | undefined;
  readonly #live: Promise<void> | undefined;
  #failure: Error | undefined;
  #hasHead = false;
  /** Undefined where no history serves this stream. */
  readonly #replay: StreamReplay | undefined;
  /** Channels on which items may have passed that the origin did not know of: the history is to say. */
  #doubtful: readonly Subscription[] = [];
  /** Those of them on which they have. */
  #overtaken: readonly string[] = [];
  #resumed: Resumed | undefined;
  /** The first body is out. */
  #isHeld = false;
  #telling: Telling | undefined;
  /** What is being told waits for the client. */
  #full = false;
  #items = 0;
  #dropped = 0;

  /** `start.instruct` must have a stream hold or a next link. The head is not written yet. */
  constructor(start: HoldStart, owner: HoldOwner, parts: HoldParts) {
    const { clock, events } = parts.subscriber;
    this.id = start.id;
    this.#start = start;
    this.#owner = owner;
    this.#parts = parts;
    this.#response = start.response;
    this.#since = clock.now();
    this.#instruct = start.instruct;
    this.#scope = start.scope;
    this.#list = start.list;
    this.#response.own(this);
    events.subscriberOpened('stream');
    parts.subscriber.registry.enter(this);
    this.#live = this.#subscribe();
    const replay = start.instruct.hold === undefined ? undefined : replayOf(parts, start.scope);
    if (replay === undefined) this.#outdated = isOvertaken(start.list.all, parts.sequencer);
    else {
      this.#outdated = false;
      this.#doubtful = doubtful(start.list.all, parts.sequencer);
      this.#overtaken = overtakenOn(this.#doubtful, parts.sequencer);
      this.#replay = new StreamReplay({ ...start, live: this.#live }, { ...parts, replay });
    }
  }

  get routeKey(): string {
    return this.#start.scope.route.id ?? '';
  }

  /**
   * Whether the head must wait, for the subscriptions to be live or for the history to say what the client has missed, which
   * the head tells; then `go` is called once that is so, even if the hold has ended meanwhile.
   */
  waits(go: () => void): boolean {
    const resumed = this.#replay?.resumed;
    if (resumed !== undefined) {
      void resumed.then((told) => {
        this.#resumed = told;
        go();
      });
    } else if (this.#live === undefined) return false;
    else waitForLive(this.#live, this.#parts.subscriber.clock, go);
    return true;
  }

  /** The hold has ended; nothing may be written any more. */
  get isOver(): boolean {
    return this.#state === 'over';
  }

  /** Why it ended before its head was written, by a subscription that failed: the request is still to be answered. */
  get failure(): Error | undefined {
    return this.#failure;
  }

  /** Sends the head at once, so that clients know the stream is up before its first byte. Throws as `writeHead` does. */
  open(): void {
    this.#bodyFilter = this.#makeBodyFilter();
    this.#hasHead = true;
    const { code, reason, headers } = this.#instruct.response;
    const resumed = this.#resumed;
    const named =
      resumed === undefined
        ? headers
        : [...withoutField(headers, 'last-event-id'), 'Last-Event-ID', resumed.lastEventId];
    // The origin, which did not know what was missed, may still say by its link.
    if (resumed?.complete === false) this.#historyFails();
    this.#response.writeHead({ status: code, reason, headers: named }, undefined, true);
  }

  /** History does not have all that was missed: the next link tells it, if there is one; else it is lost. */
  #historyFails(): void {
    if (this.#instruct.links.next !== undefined) this.#outdated = true;
    else
      this.#parts.subscriber.log.info(
        { id: this.id },
        'a client came back too late: it was not told all that it missed',
      );
  }

  /** Sends a part of the body that flows; false when the client cannot take more: `holdWritable` follows. */
  write(chunk: Buffer): boolean {
    if (this.#state === 'over') return true;
    if (this.#bodyFilter === undefined) {
      this.#replay?.wrote(chunk);
      return this.#response.write(chunk);
    }
    try {
      const filtered = this.#bodyFilter.update(chunk);
      this.#replay?.wrote(filtered);
      return filtered.length === 0 || this.#response.write(filtered);
    } catch (error) {
      this.#fail(`filter error: ${(error as Error).message}`, 'filter-failed');
      return true;
    }
  }

  /** The body that flowed is out whole: the stream is held, or goes on with its next link, or ends. */
  opened(): void {
    if (this.#state !== 'flowing') return;
    try {
      this.#bodyFilter?.finish();
    } catch (error) {
      this.#fail(`filter error: ${(error as Error).message}`, 'filter-failed');
      return;
    }
    if (this.#instruct.hold === undefined) {
      if (this.#instruct.links.next === undefined) this.#end('ended');
      else this.#catchUp();
      return;
    }
    const untrackable = this.#instruct.links.next === undefined ? this.#trackedChannel : undefined;
    if (untrackable !== undefined) {
      this.#fail(`channel '${untrackable}' specifies prev-id, but no next link found`, 'link-failed');
      return;
    }
    const resumed = this.#resumed;
    this.#resumed = undefined;
    if (resumed === undefined) this.#hold();
    else this.#tell(resumed.deliveries, () => this.#hold());
  }

  /** The origin broke off in the initial body: the client is to see that it is incomplete. */
  abandon(): void {
    this.#end('origin-failed', true);
  }

  deliver(delivery: Delivery): boolean {
    const format = delivery.stream;
    if (this.#state === 'over' || format === undefined || format.action === 'refresh') return false;
    if (format.action === 'hint' && this.#instruct.links.next === undefined) return false;
    if (this.#replay?.hasTold(delivery)) return true;
    if (this.#state === 'open') this.#take(delivery);
    else {
      const bytes = format.action === 'send' ? format.content.length : 0;
      if (this.#admits(this.#queue.bytes, bytes)) this.#queue.add(delivery);
    }
    return true;
  }

  /** All that is known may be out of date: the next link tells. Without one there is nothing to recover from. */
  recover(): void {
    if (this.#state !== 'open') this.#outdated = true;
    else this.#goCatchUp();
  }

  missed(): void {
    const { subscriber } = this.#parts;
    if (this.#instruct.links.next !== undefined) this.recover();
    else if (subscriber.gapPolicy === 'close')
      endSoon(this, this.#list.channels, subscriber, () => this.#end('items-lost', true));
  }

  shutDown(): void {
    this.#end('shutdown');
  }

  /** Cut where the end of the body would not be understood, or not be reached: within a body, and by a client that is slow. */
  kick(): void {
    const isSlow = this.#response.waiting > 0;
    this.#end('kicked', isSlow || this.#state === 'flowing', isSlow);
  }

  view(): ConnectionView {
    return viewOf('stream', this.#start, this.#list.channels, this.#since, this.#items);
  }

  onWritable(): void {
    this.#owner.holdWritable();
    this.#link?.resume();
    this.#full = false;
    this.#telling?.resume();
  }

  onGone(): void {
    const end = this.#leave('client-gone');
    if (end !== undefined) this.#owner.holdEnded(end);
  }

  linkAnswered(instruct: Instruct, scope: LinkScope): void {
    const { registry } = this.#parts.subscriber;
    const before = this.#list;
    this.#instruct = instruct;
    this.#scope = scope;
    this.#list = this.#start.relist(instruct);
    this.#filter = undefined;
    this.#state = 'flowing';
    this.#bodyFilter = this.#makeBodyFilter();
    // On channels that this stream was on already, what has passed meanwhile waits in its queue.
    const added = [...this.#list.all].filter(({ channel }) => !before.has(channel));
    if (isOvertaken(added, this.#parts.sequencer)) this.#outdated = true;
    this.#subscribe();
    this.#replay?.follow(this.#list, before);
    registry.remove(
      this,
      before.channels.filter((channel) => !this.#list.has(channel)),
    );
  }

  linkData(chunk: Buffer): boolean {
    this.#keepAlive?.stop();
    this.#keepAlive = undefined;
    return this.write(chunk);
  }

  linkEnded(): void {
    this.opened();
  }

  linkFailed(why: string, partly: boolean): void {
    // Where nothing was ever held, what is missing is a part of the answer, and the client is to see that.
    if (partly || this.#instruct.hold === undefined) this.#end('link-failed', true);
    else this.#fail(why, 'link-failed');
  }

  #subscribe(): Promise<void> | undefined {
    const { registry, log } = this.#parts.subscriber;
    return registry.add(this, this.#list.channels)?.catch((error: Error) => {
      log.warn({ id: this.id, err: error }, 'subscription failed: closing the stream, so that its client comes back');
      if (this.#hasHead) this.#end('origin-failed');
      else if (this.#leave('origin-failed') !== undefined) this.#failure = error;
    });
  }

  get #trackedChannel(): string | undefined {
    for (const { name, prevId } of this.#list.all) if (prevId !== undefined) return name;
    return undefined;
  }

  #makeBodyFilter(): ResponseFilter | undefined {
    const filters: string[] = [];
    for (const subscription of this.#list.all) filters.push(...subscription.filters);
    return filters.length === 0 ? undefined : responseFilter(filters, this.#list.meta);
  }

  /** The stream is open from here on: what waited follows, and the timers run. */
  #hold(): void {
    this.#state = 'open';
    const { clock, random } = this.#parts.subscriber;
    const { keepAlive } = this.#instruct.hold ?? {};
    // One that runs still, for nothing has been sent since, must not be put off by links that have nothing to tell.
    const since = this.#keepAlive?.last;
    this.#keepAlive?.stop();
    this.#keepAlive = undefined;
    if (keepAlive !== undefined) {
      const piece = new StreamPiece(keepAlive.content);
      this.#keepAlive = new KeepAliveTimer(keepAlive, clock, random, () => this.#beat(piece), since);
    }
    const isFirst = this.#isHeld === false;
    this.#isHeld = true;
    if (isFirst) this.#replay?.begin((piece) => this.#begin(piece));
    const unsure = this.#doubtful;
    this.#doubtful = [];
    const byLink = () => {
      for (const channel of this.#overtaken) this.#parts.sequencer.forgetLastId(channel);
      if (this.#overtaken.length > 0) this.#outdated = true;
      this.#overtaken = [];
      this.#goOn();
    };
    if (unsure.length === 0 || this.#outdated) byLink();
    else this.#askHistory(unsure, byLink);
  }

  /** Takes what waited, or where that is not enough asks the link. */
  #goOn(): void {
    this.#state = 'open';
    const { next } = this.#instruct.links;
    if (next !== undefined) {
      const { clock } = this.#parts.subscriber;
      this.#linkTimer = new LinkTimer(clock, next.timeout * 1_000, () => this.#goCatchUp());
    }
    if (this.#outdated && next !== undefined) this.#goCatchUp();
    else this.#drain();
  }

  /**
   * The id of where the stream begins is of use only until an item has brought a later one, and must not come into the
   * middle of a body.
   */
  #begin(piece: StreamPiece): void {
    if (this.#state === 'open' && this.#items === 0) this.#response.push(piece);
  }

  /** Has the history tell what these subscriptions have missed; calls `otherwise` where it cannot. Items wait. */
  #askHistory(subscriptions: readonly Subscription[], otherwise: () => void): void {
    this.#state = 'catching-up';
    this.#linkTimer?.stop();
    void this.#replay?.missed(subscriptions).then((deliveries) => {
      if (this.#state !== 'catching-up') return;
      if (deliveries === undefined) {
        otherwise();
        return;
      }
      // It is among them.
      this.#missed = undefined;
      this.#tell(deliveries, () => this.#goOn());
    });
  }

  /** Writes what was missed, as fast as the client takes it. */
  #tell(deliveries: readonly Delivery[], then: () => void): void {
    this.#telling = new Telling(deliveries, {
      tell: (delivery) => this.#tellOne(delivery),
      isFull: () => this.#full,
      whenIdle: (go) => {
        if (this.#filter === undefined) go();
        else this.#filter.whenIdle(go);
      },
      told: () => {
        this.#telling = undefined;
        then();
      },
    });
    this.#telling.resume();
  }

  /** What an item other than content asks for was for those who were there. */
  #tellOne(delivery: Delivery): void {
    const subscription = this.#list.find(delivery.item.channel);
    if (subscription === undefined) return;
    if (subscription.prevId !== undefined) subscription.prevId = delivery.item.id;
    if (delivery.stream?.action === 'send') this.#run(delivery, subscription);
  }

  /** Takes what waited, as far as it follows what the client has got; if that leaves a gap, the link is asked again. */
  #drain(): void {
    const missed = this.#missed;
    this.#missed = undefined;
    const waited = this.#queue.take();
    const replay = this.#replay;
    const untold = replay === undefined ? waited : waited.filter((delivery) => !replay.hasTold(delivery));
    const { following, isBehind } = follow(untold, this.#list, missed);
    for (const delivery of following) {
      if (this.#state === 'open') this.#take(delivery);
      else if (this.#state === 'catching-up') this.#queue.add(delivery);
    }
    if (isBehind) this.#goCatchUp();
  }

  #take(delivery: Delivery): void {
    const format = delivery.stream;
    const subscription = this.#list.find(delivery.item.channel);
    if (format === undefined || subscription === undefined) return;
    this.#linkTimer?.active(delivery.at);
    const { prevId, channel } = subscription;
    if (prevId !== undefined && delivery.item.prevId !== prevId) {
      if (format.action === 'hint') {
        this.#parts.sequencer.forgetLastId(channel);
        this.#catchUp();
        return;
      }
      this.#missed = delivery;
      const byLink = () => {
        this.#parts.sequencer.forgetLastId(channel);
        this.#state = 'open';
        this.#goCatchUp();
      };
      if (this.#replay?.mayAsk(subscription)) this.#askHistory([subscription], byLink);
      else byLink();
      return;
    }
    if (prevId !== undefined && format.action !== 'hint') subscription.prevId = delivery.item.id;
    if (format.action === 'hint') this.#catchUp();
    else this.#run(delivery, subscription);
  }

  /** Runs the filters, if there are any. */
  #run(delivery: Delivery, subscription: Subscription): void {
    const format = delivery.stream;
    const content = format?.action === 'send' ? format.content : EMPTY;
    const contentFilters = format?.action === 'send' ? format.contentFilters : undefined;
    if (this.#filter?.isBusy !== true && passesFreely(subscription.plan, contentFilters)) {
      this.#use(delivery, undefined);
      return;
    }
    this.#filter ??= new ItemFilter(this.#list, this.#scope, this.#parts.filters);
    const filter = this.#filter;
    filter.run(subscription, delivery.item, content, contentFilters, (filtered) => {
      if (this.#state !== 'over' && filtered.result !== 'drop') this.#filtered(delivery, content, filtered);
    });
  }

  #filtered(delivery: Delivery, content: Buffer, filtered: Filtered): void {
    if (filtered.result === 'send') {
      this.#use(delivery, filtered.content === content ? undefined : new StreamPiece(filtered.content));
    } else if (filtered.result === 'error') {
      this.#parts.subscriber.events.itemDropped('stream', 'filter-failed');
      this.#parts.subscriber.log.warn({ id: this.id, error: filtered.error }, 'item not delivered: its filter failed');
      if (this.#isDebug) this.#fail(filtered.error, 'filter-failed');
    }
  }

  #use(delivery: Delivery, own: StreamPiece | undefined): void {
    if (delivery.stream?.action === 'close') {
      this.#end('closed');
      return;
    }
    const plain = own ?? delivery.piece;
    const isTold = this.#telling !== undefined;
    if (!isTold && !this.#admits(this.#response.waiting, plain.payload.length)) return;
    const piece = this.#replay === undefined ? plain : this.#replay.piece(delivery, own);
    if (isTold) this.#writeTold(piece);
    else this.#response.push(piece);
    this.#items++;
    this.#keepAlive?.sent(delivery.at);
    this.#parts.subscriber.events.itemSent('stream', this.routeKey);
  }

  #writeTold(piece: StreamPiece): void {
    if (!this.#response.write(piece.payload)) this.#full = true;
    this.#parts.replay?.events.itemReplayed('stream');
  }

  /** Fetches the next link when its turn has come: many streams may have found the same gap. Items wait from now on. */
  #goCatchUp(): void {
    const { next } = this.#instruct.links;
    if (next === undefined || this.#state !== 'open') return;
    this.#state = 'catching-up';
    this.#linkTimer?.stop();
    this.#withdraw = this.#parts.limiter.enter(this.#scope.url, () => this.#catchUp());
  }

  /** Fetches the next link now. */
  #catchUp(): void {
    const { next } = this.#instruct.links;
    if (next === undefined || this.#state === 'over') return;
    this.#state = 'catching-up';
    this.#linkTimer?.stop();
    this.#withdraw?.();
    this.#withdraw = undefined;
    // Items that a server is being asked about count as received: they go out before what the link tells.
    if (this.#filter?.isBusy) {
      this.#filter.whenIdle(() => this.#catchUp());
      return;
    }
    this.#outdated = false;
    const url = resolveLink(next.uri, this.#scope);
    if (url === undefined) {
      this.#fail('Failed to retrieve next link.', 'link-failed');
      return;
    }
    this.#link ??= new NextLink(this.#parts.links, this);
    if (!this.#link.isBusy) this.#link.fetch({ ...this.#scope, url }, this.#list.lastIds);
  }

  /** Whether so many more bytes may wait; otherwise the policy for slow clients is carried out. */
  #admits(waiting: number, bytes: number): boolean {
    const { queueLimit, slowClientPolicy, events, log } = this.#parts.subscriber;
    if (waiting === 0 || waiting + bytes <= queueLimit) return true;
    events.itemDropped('stream', 'slow-client');
    const first = this.#dropped++ === 0;
    // Whoever follows ids relies on having all: closed, it comes back and gets them.
    if (slowClientPolicy === 'close' || this.#trackedChannel !== undefined || this.#replay?.isResumable) {
      log.warn({ id: this.id, waiting }, 'slow client: closing its stream');
      this.#end('slow-client', true, true);
      // The first loss is reported at once, the number of all of them with the end of the hold.
    } else if (first) log.warn({ id: this.id, waiting }, 'slow client: dropping items');
    return false;
  }

  #beat(piece: StreamPiece): void {
    if (this.#response.waiting === 0) this.#response.push(piece);
  }

  get #isDebug(): boolean {
    return this.#parts.debug || this.#start.scope.route.debug;
  }

  /** Ends the stream because of a fault, which clients of debug routes are told in its body. */
  #fail(text: string, reason: CloseReason): void {
    this.#parts.subscriber.log.debug({ id: this.id, text }, 'stream failed');
    if (this.#isDebug && this.#state !== 'over') this.#response.push(new StreamPiece(Buffer.from(`\n\n${text}\n`)));
    this.#end(reason);
  }

  #end(reason: CloseReason, broken = false, discard = false): void {
    const end = this.#leave(reason);
    if (end === undefined) return;
    // Without a head there is no answer that could end.
    if (broken || !this.#hasHead) this.#response.abort(discard);
    else this.#response.end();
    this.#owner.holdEnded(end);
  }

  #leave(reason: CloseReason): SubscriberEnd | undefined {
    if (this.#state === 'over') return undefined;
    this.#state = 'over';
    this.#keepAlive?.stop();
    this.#linkTimer?.stop();
    this.#link?.stop();
    this.#telling?.stop();
    this.#withdraw?.();
    this.#queue.clear();
    const { clock, registry, events } = this.#parts.subscriber;
    const { channels } = this.#list;
    registry.leave(this);
    registry.remove(this, channels);
    events.subscriberEnded('stream', reason);
    tellGone(this.#start, reason, this.#parts);
    const duration = clock.now() - this.#since;
    return { kind: 'stream', reason, items: this.#items, dropped: this.#dropped, duration, channels };
  }
}

function withoutField(headers: RawHeaders, name: string): string[] {
  const kept: string[] = [];
  for (let i = 0; i < headers.length; i += 2) {
    if (headers[i]?.toLowerCase() !== name) kept.push(headers[i] as string, headers[i + 1] as string);
  }
  return kept;
}
