/**
 * Owns: a response that stays open and to which published items are appended (GRIP `hold: stream`): its place in the
 * registry, its bodies, which items wait, and its end. Does not own: how the hold came about, the origin's end of the
 * initial body (its owner does), the way of items to the client (`stream-output`), or what was missed (`catch-up`).
 */
import type { ConnectionView } from '@holdfast/control-api';
import type { GoneLink, Instruct, InstructResponse, KeepAlive } from '@holdfast/grip';
import type { CloseReason } from '../channels/close-reasons.js';
import type { Delivery } from '../channels/delivery.js';
import { waitForLive } from '../channels/live-wait.js';
import type { Subscriber } from '../channels/subscriber.js';
import { endSoon, type SubscriberEnd } from '../channels/subscriber-parts.js';
import type { SubscriptionList } from '../channels/subscription-list.js';
import type { ClientResponse, ResponseHandler } from '../edge/port.js';
import { StreamPiece } from '../edge/stream-piece.js';
import type { LinkScope } from '../links/link-scope.js';
import { CatchUp, type CatchUpOwner } from './catch-up.js';
import { channelList } from './channel-list.js';
import { type HoldOwner, type HoldParts, type HoldStart, isOvertaken, replayOf, tellGone, viewOf } from './hold.js';
import { StreamBody } from './stream-body.js';
import { headOf } from './stream-head.js';
import { StreamOutput, type StreamOutputOwner } from './stream-output.js';
import { follow, StreamQueue } from './stream-queue.js';
import { StreamReplay } from './stream-replay.js';

/**
 * `flowing`: a body of the origin's is going out, the initial one or a link's, or what a client that came back has missed;
 * items wait. `held`: items are written as they come, unless it catches up: then those wait that
 * may have to follow what it is told.
 */
type State = 'flowing' | 'held' | 'over';

/**
 * Registered from its construction on. Items that arrive while a body is going out wait in order, within the same limit
 * as items for a slow client, and follow it: those that the origin's body has told already, by its prev-ids, are left out.
 */
export class StreamHold implements Subscriber, ResponseHandler, CatchUpOwner, StreamOutputOwner {
  readonly id: string;
  readonly kind = 'stream';
  readonly #response: ClientResponse;
  readonly #clientAddress: string;
  readonly #scope: LinkScope;
  readonly #gone: GoneLink | undefined;
  readonly #owner: HoldOwner;
  readonly #parts: HoldParts;
  readonly #since: number;
  readonly #output: StreamOutput;
  /** Undefined where no history serves this stream. */
  readonly #replay: StreamReplay | undefined;
  /** Undefined where there is no next link. */
  readonly #catchUp: CatchUp | undefined;
  readonly #live: Promise<void> | undefined;
  /** What a link's list of channels is made from; undefined where there is no next link. */
  readonly #opening: HoldStart | undefined;
  #state: State = 'flowing';
  /** Until it is written. */
  #head: InstructResponse | undefined;
  // Of the instruct in force, the initial one or that of the last link, no more than a stream that lasts has to know.
  #isHold = false;
  #hasNext = false;
  #keepAlive: KeepAlive | undefined;
  #list: SubscriptionList;
  #body: StreamBody | undefined;
  #queue: StreamQueue | undefined;
  #failure: Error | undefined;
  #hasHead = false;
  #isGoingDown = false;

  /** `start.instruct` must have a stream hold or a next link. The head is not written yet. */
  constructor(start: HoldStart, owner: HoldOwner, parts: HoldParts) {
    const { clock, events, registry } = parts.subscriber;
    const { instruct, list, scope } = start;
    this.id = start.id;
    this.#response = start.response;
    this.#clientAddress = start.clientAddress;
    this.#scope = scope;
    this.#gone = instruct.links.gone;
    this.#owner = owner;
    this.#parts = parts;
    this.#since = clock.monotonic();
    this.#head = instruct.response;
    this.#list = list;
    this.#obey(instruct);
    this.#response.setHandler(this);
    events.subscriberOpened('stream');
    registry.enter(this);
    this.#live = this.#subscribe();
    const replay = instruct.hold === undefined ? undefined : replayOf(parts, scope);
    if (replay !== undefined) this.#replay = new StreamReplay({ ...start, live: this.#live }, { ...parts, replay });
    this.#output = new StreamOutput(this, start, this.#replay, parts);
    if (this.#hasNext) {
      this.#opening = start;
      this.#catchUp = new CatchUp(this, start, this.#output, this.#replay, parts);
      // Ids that nothing can be done about here must not make the next hold do something.
    } else if (replay === undefined) isOvertaken(list.all, parts.sequencer);
  }

  get routeKey(): string {
    return this.#scope.route.id ?? '';
  }

  get isDebug(): boolean {
    return this.#parts.debug || this.#scope.route.debug;
  }

  /**
   * Whether the head must wait, for the subscriptions to be live or for the history to say what the client has missed, which
   * the head tells; then `go` is called once that is so, even if the hold has ended meanwhile.
   */
  waits(go: () => void): boolean {
    const resumed = this.#replay?.resumed;
    const { subscriber } = this.#parts;
    if (resumed !== undefined) subscriber.faults.watch('history', resumed.then(go), this);
    else if (this.#live === undefined) return false;
    else waitForLive(this.#live, subscriber, go, this);
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

  /**
   * Sends the head at once, so that clients know the stream is up before its first byte. Throws as `writeHead` does; the hold
   * is over then without a trace, and its owner answers.
   */
  open(): void {
    try {
      this.#open();
    } catch (error) {
      this.#leave('origin-failed');
      throw error;
    }
  }

  #open(): void {
    this.#body = new StreamBody(this.#response, this.#list, this.#replay);
    const missed = this.#replay?.missedByClient;
    // The origin, which did not know what was missed, may still say by its link.
    if (missed?.complete === false && this.#catchUp !== undefined) this.#catchUp.outdate();
    else if (missed?.complete === false) {
      const { log } = this.#parts.subscriber;
      log.info({ id: this.id }, 'a client came back too late: it was not told all that it missed');
    }
    const head = this.#head as InstructResponse;
    this.#head = undefined;
    this.#response.writeHead(headOf(head, missed?.lastEventId), undefined, true);
    this.#hasHead = true;
  }

  /** Sends a part of the body that flows; false when the client cannot take more: `holdWritable` follows. */
  write(chunk: Buffer): boolean {
    if (this.#body === undefined) return true;
    try {
      return this.#body.write(chunk);
    } catch (error) {
      this.fail(`filter error: ${(error as Error).message}`, 'filter-failed');
      return true;
    }
  }

  /** The body that flowed is out whole: the stream is held, or goes on with its next link, or ends. */
  opened(): void {
    if (this.#state !== 'flowing') return;
    const body = this.#body;
    this.#body = undefined;
    try {
      body?.finish();
    } catch (error) {
      this.fail(`filter error: ${(error as Error).message}`, 'filter-failed');
      return;
    }
    if (this.#isHold) this.#openedHold();
    else if (!this.#hasNext) this.#end('ended');
    else {
      this.#state = 'held';
      this.#catchUp?.fetch();
    }
  }

  /**
   * The origin broke off in the initial body: the client is to see that it is incomplete. Before the head was written the hold
   * ends without a trace, and its owner answers.
   */
  abandon(): void {
    if (this.#hasHead) this.#end('origin-failed', true);
    else this.#leave('origin-failed');
  }

  deliver(delivery: Delivery): boolean {
    const format = delivery.stream;
    if (this.#state === 'over' || format === undefined || format.action === 'refresh') return false;
    if (format.action === 'hint' && !this.#hasNext) return false;
    if (this.#replay?.hasTold(delivery)) return true;
    if (this.#isOpen || this.#passes(delivery)) this.#take(delivery);
    else if (this.#output.admits(this.#queue?.bytes ?? 0, delivery.bytes)) this.#wait(delivery);
    return true;
  }

  /** All that is known may be out of date: the next link tells. Without one there is nothing to recover from. */
  recover(): void {
    if (this.#isOpen) this.#catchUp?.fetchInTurn('doubt');
    else this.#catchUp?.outdate();
  }

  missed(): void {
    const { subscriber } = this.#parts;
    if (this.#hasNext) this.recover();
    else if (subscriber.gapPolicy === 'close')
      endSoon(this, this.#list.channels, subscriber, () => this.#end('items-lost', true));
  }

  /** A body that flows must not look whole where it stops: it goes on, for as long as requests under way may. */
  shutDown(): void {
    this.#isGoingDown = true;
    if (this.#state === 'held') this.#end('shutdown');
  }

  /** Cut where the end of the body would not be understood, or not be reached: within a body, and by a client that is slow. */
  kick(): void {
    const isSlow = this.#response.waiting > 0;
    this.#end('kicked', isSlow || this.#state === 'flowing', isSlow);
  }

  /** The client is to see that the stream is broken off. */
  fault(): void {
    this.#end('fault', true);
  }

  view(): ConnectionView {
    const it = { id: this.id, scope: this.#scope, clientAddress: this.#clientAddress, response: this.#response };
    const { clock } = this.#parts.subscriber;
    return viewOf('stream', it, this.#list.channels, clock, this.#since, this.#output.items);
  }

  onWritable(): void {
    this.#owner.holdWritable();
    this.#catchUp?.resume();
    this.#output.writable();
  }

  onGone(): void {
    // Also when it is this node that cuts the connection, for a body has not come to its end in time.
    const end = this.#leave(this.#isGoingDown ? 'shutdown' : 'client-gone');
    if (end !== undefined) this.#owner.holdEnded(end);
  }

  // The link

  linkAnswered(instruct: Instruct, scope: LinkScope): void {
    const before = this.#list;
    const list = channelList(this.#opening as HoldStart, instruct, this.#parts.subscriber.overChannels);
    if (this.#catchUp?.accepts(list) === false) return;
    this.#obey(instruct);
    const filters = (instruct.hold?.channels ?? instruct.channels ?? []).flatMap((channel) => channel.filters);
    const where = { id: this.id, route: scope.route, target: scope.target };
    if (filters.length > 0) this.#parts.subscriber.troubles?.filtersNamed(where, filters);
    this.#list = list;
    this.#output.follow(list, scope);
    this.#state = 'flowing';
    this.#body = new StreamBody(this.#response, list, this.#replay);
    this.#catchUp?.follow({ instruct, scope, list }, before);
    this.#subscribe();
    this.#replay?.follow(list, before);
    const left = before.channels.filter((channel) => !list.has(channel));
    this.#parts.subscriber.registry.remove(this, left);
  }

  linkData(chunk: Buffer): boolean {
    this.#catchUp?.begun();
    this.#output.hush();
    return this.write(chunk);
  }

  linkEnded(): void {
    this.opened();
  }

  linkFailed(why: string, partly: boolean): void {
    // Where nothing was ever held, what is missing is a part of the answer, and the client is to see that.
    if (partly || !this.#isHold) this.#end('link-failed', true);
    else this.fail(why, 'link-failed');
  }

  /** Takes what waited, as far as it follows what the client has got; if that leaves a gap, the link is asked again. */
  caughtUp(): void {
    const missed = this.#catchUp?.takeGap();
    const queue = this.#queue;
    if (queue === undefined && missed === undefined) return;
    this.#queue = undefined;
    const waited = queue?.take() ?? [];
    const replay = this.#replay;
    const untold = replay === undefined ? waited : waited.filter((delivery) => !replay.hasTold(delivery));
    const { following, isBehind } = follow(untold, this.#list, missed);
    for (const delivery of following) {
      if (this.#isOpen) this.#take(delivery);
      else if (this.#state === 'held') this.#wait(delivery);
    }
    if (isBehind) this.#catchUp?.fetchInTurn('gap');
  }

  outputClosed(): void {
    this.#end('closed');
  }

  outputOverflowed(): void {
    this.#end('slow-client', true, true);
  }

  /** Ends the stream because of a fault, which clients of debug routes are told in its body. */
  fail(text: string, reason: CloseReason): void {
    const { route, target } = this.#scope;
    this.#parts.subscriber.log.debug({ id: this.id, text }, 'stream failed');
    this.#parts.subscriber.troubles?.noticed({ id: this.id, route, target }, 'stream', `stream broken off: ${text}`);
    if (this.isDebug && this.#state !== 'over') {
      this.#response.push(new StreamPiece(Buffer.from(`\n\n${text}\n`)));
    }
    this.#end(reason);
  }

  get #isOpen(): boolean {
    return this.#state === 'held' && this.#catchUp?.isUnderWay !== true;
  }

  /** Whether an item need not wait for what is under way: nothing else does, and it follows whatever that tells. */
  #passes({ item, stream }: Delivery): boolean {
    if (this.#queue !== undefined || stream?.action === 'hint') return false;
    const subscription = this.#list.find(item.channel);
    return subscription !== undefined && this.#catchUp?.lets({ item }, subscription) === true;
  }

  #obey({ hold, links }: Instruct): void {
    this.#isHold = hold !== undefined;
    this.#hasNext = links.next !== undefined;
    this.#keepAlive = hold?.keepAlive;
  }

  #subscribe(): Promise<void> | undefined {
    const { registry, log } = this.#parts.subscriber;
    return registry.add(this, this.#list.channels)?.catch((error: Error) => {
      log.warn({ id: this.id, err: error }, 'subscription failed: closing the stream, so that its client comes back');
      if (this.#hasHead) this.#end('origin-failed');
      else if (this.#leave('origin-failed') !== undefined) this.#failure = error;
    });
  }

  #openedHold(): void {
    const untrackable = this.#hasNext ? undefined : this.#list.tracked?.name;
    if (untrackable !== undefined) {
      this.fail(`channel '${untrackable}' specifies prev-id, but no next link found`, 'link-failed');
      return;
    }
    const missed = this.#replay?.takeMissedByClient();
    if (missed === undefined) this.#hold();
    else this.#output.tell(missed, () => this.#hold());
  }

  /** The stream is held from here on: it catches up if it has to, and what waited follows. */
  #hold(): void {
    this.#state = 'held';
    if (this.#isGoingDown) {
      this.#end('shutdown');
      return;
    }
    this.#output.keepAlive(this.#keepAlive);
    this.#replay?.begin((piece) => this.#begin(piece));
    if (this.#catchUp === undefined) this.caughtUp();
    else this.#catchUp.begin();
    this.#response.goIdle?.();
  }

  /**
   * The id of where the stream begins is of use only until an item has brought a later one, and must not come into the
   * middle of a body.
   */
  #begin(piece: StreamPiece): void {
    if (this.#isOpen && this.#output.items === 0) this.#response.push(piece);
  }

  #wait(delivery: Delivery): void {
    this.#queue ??= new StreamQueue();
    this.#queue.add(delivery);
  }

  /** An item that is next, or shows that one is missing. */
  #take(delivery: Delivery): void {
    const format = delivery.stream;
    const subscription = this.#list.find(delivery.item.channel);
    if (format === undefined || subscription === undefined) return;
    this.#catchUp?.active(delivery.at);
    const { prevId, channel } = subscription;
    const isNext = prevId === undefined || delivery.item.prevId === prevId;
    if (format.action === 'hint') {
      if (!isNext) this.#parts.sequencer.forgetLastId(channel);
      this.#catchUp?.fetch();
    } else if (isNext) {
      if (prevId !== undefined) subscription.prevId = delivery.item.id;
      this.#output.take(delivery, subscription);
    } else this.#catchUp?.missed(delivery, subscription);
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
    this.#body = undefined;
    this.#queue = undefined;
    this.#output.stop();
    this.#catchUp?.stop();
    const { clock, registry, events } = this.#parts.subscriber;
    const { channels } = this.#list;
    const { items, dropped } = this.#output;
    registry.leave(this);
    registry.remove(this, channels);
    events.subscriberEnded('stream', reason);
    tellGone(this.#gone, this.#scope, reason, this.#parts);
    return { kind: 'stream', reason, items, dropped, duration: clock.monotonic() - this.#since, channels };
  }
}
