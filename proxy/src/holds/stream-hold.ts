/**
 * A response that stays open and to which published items are appended (GRIP `hold: stream`): its place in the registry,
 * which items wait, and its end. `stream-opening` has its head and bodies, `stream-writer` its items, `catch-up` what it missed.
 */
import type { ConnectionView } from '@holdfast/control-api';
import type { GoneLink, Instruct, InstructResponse } from '@holdfast/grip';
import type { CloseReason } from '../channels/close-reasons.js';
import type { Delivery } from '../channels/delivery.js';
import type { Subscriber } from '../channels/subscriber.js';
import { endIncomplete, type SubscriberEnd } from '../channels/subscriber-deps.js';
import type { SubscriptionList } from '../channels/subscription-list.js';
import type { ClientResponse, ResponseHandler } from '../edge/port.js';
import type { LinkScope } from '../links/link-scope.js';
import { CatchUp, type CatchUpOwner, follow } from './catch-up.js';
import type { HoldDeps, HoldOwner, HoldStart } from './hold.js';
import { channelList, endOf, type ItemQueue, isOvertaken, queued, replayOf, viewOf } from './hold.js';
import { StreamReplay } from './hold-replay.js';
import { StreamChannels } from './stream-channels.js';
import type { StreamTerms } from './stream-opening.js';
import {
  headOf,
  headWaits,
  missedBefore,
  relistStream,
  StreamBody,
  subscribeStream,
  termsOf,
} from './stream-opening.js';
import { reportFailure, reportWaiting, warnOfFilters } from './stream-reports.js';
import { type StreamReceiver, StreamWriter } from './stream-writer.js';

/**
 * `flowing`: the initial body is going out, or a link's, or what a client that came back has missed; items wait. `held`: items
 * are written as they come; while it catches up those wait that may have to follow what was missed.
 */
type State = 'flowing' | 'held' | 'over';

/**
 * Registered from its construction on. Items that arrive while a body is going out wait in order, within the same limit
 * as items for a slow client, and follow it; those that are in the body already, by its prev-ids, are left out.
 */
export class StreamHold implements Subscriber, ResponseHandler, CatchUpOwner, StreamReceiver {
  readonly id: string;
  readonly kind = 'stream';
  /** Why it ended before its head was written, by a subscription that failed: the request is still to be answered. */
  failure: Error | undefined;
  readonly #response: ClientResponse;
  readonly #clientAddress: string;
  readonly #scope: LinkScope;
  readonly #gone: GoneLink | undefined;
  readonly #owner: HoldOwner;
  readonly #deps: HoldDeps;
  readonly #since: number;
  readonly #writer: StreamWriter;
  /** Undefined where no history serves this stream. */
  readonly #replay: StreamReplay | undefined;
  readonly #live: Promise<void> | undefined;
  // Undefined where there is no next link. From the opening a link's list of channels is made.
  readonly #catchUp: CatchUp | undefined;
  readonly #opening: HoldStart | undefined;
  #state: State = 'flowing';
  /** Until it is written. */
  #head: InstructResponse | undefined;
  #terms: StreamTerms;
  #list: SubscriptionList;
  #body: StreamBody | undefined;
  #queue: ItemQueue | undefined;
  #hasHead = false;
  /** Why it is to end as soon as it can. */
  #due: 'shutdown' | 'aged' | 'expired' | undefined;

  /** `start.instruct` must have a stream hold or a next link. The head is not written yet. */
  constructor(start: HoldStart, owner: HoldOwner, deps: HoldDeps) {
    const { clock, events, registry } = deps.subscriber;
    const { instruct, list, scope } = start;
    this.id = start.id;
    this.#response = start.response;
    this.#clientAddress = start.clientAddress;
    this.#scope = scope;
    this.#gone = instruct.links.gone;
    this.#owner = owner;
    this.#deps = deps;
    this.#since = clock.monotonic();
    this.#head = instruct.response;
    this.#list = list;
    this.#terms = termsOf(instruct);
    this.#response.setHandler(this);
    events.subscriberOpened('stream');
    registry.enter(this, list.meta, instruct.hold?.expires);
    this.#live = this.#subscribe();
    const replay = instruct.hold === undefined ? undefined : replayOf(deps, scope);
    if (replay !== undefined) this.#replay = new StreamReplay({ ...start, live: this.#live }, { ...deps, replay });
    this.#writer = new StreamWriter(this, start, this.#replay, deps);
    if (this.#terms.hasNext) {
      this.#opening = start;
      this.#catchUp = new CatchUp(this, start, this.#writer, this.#replay, deps);
      // Ids that nothing can be done about here must not make the next hold do something.
    } else if (replay === undefined) isOvertaken(list.all, deps.sequencer);
  }

  get routeKey(): string {
    return this.#scope.route.id ?? '';
  }

  get waiting(): number {
    return this.#response.waiting;
  }

  /** Until a link's next answer, which has channels of its own. */
  get subscriptions(): StreamChannels {
    return new StreamChannels(this, this.#scope.route, this.#list, this.#replay, this.#deps.subscriber.registry);
  }

  get isDebug(): boolean {
    return this.#deps.debug || this.#scope.route.debug;
  }

  /** Whether the head must wait for the subscriptions or the history; `go` is called then, even if the hold has ended meanwhile. */
  waits(go: () => void): boolean {
    return headWaits(this, { resumed: this.#replay?.resumed, live: this.#live }, this.#deps.subscriber, go);
  }

  /** The hold has ended; nothing may be written any more. */
  get isOver(): boolean {
    return this.#state === 'over';
  }

  /**
   * Sends the head at once, so that clients know the stream is up before its first byte. Throws as `writeHead` does; the hold
   * is over then without a trace, and its owner answers.
   */
  open(): void {
    const head = this.#head as InstructResponse;
    this.#head = undefined;
    try {
      this.#body = this.#newBody();
      const missed = missedBefore(this, this.#replay, this.#catchUp, this.#deps.subscriber);
      this.#response.writeHead(headOf(head, missed?.lastEventId), undefined, true);
    } catch (error) {
      this.#leave('origin-failed');
      throw error;
    }
    this.#hasHead = true;
  }

  /** Sends a part of the body that flows; false when the client cannot take more: `holdWritable` follows. */
  write(chunk: Buffer): boolean {
    this.#deps.subscriber.traffic?.bytesSent('stream', chunk.length);
    return this.#body?.write(chunk) ?? true;
  }

  /** The body that flowed is out whole: the stream is held, or goes on with its next link, or ends. */
  opened(): void {
    if (this.#state !== 'flowing') return;
    const body = this.#body;
    this.#body = undefined;
    if (body?.finish() === false) return;
    if (this.#terms.isHold) this.#openedHold();
    else if (this.#terms.hasNext) {
      this.#state = 'held';
      this.#catchUp?.fetch();
    } else this.#end('ended');
  }

  /** The origin broke off in the initial body, as the client is to see; before the head the hold's owner answers. */
  abandon(): void {
    if (this.#hasHead) this.#end('origin-failed', true);
    else this.#leave('origin-failed');
  }

  /** The client's request cannot be taken, as it turns out, though the head has gone out. */
  refuse(): void {
    this.#end('client-fault', true, true);
  }

  deliver(delivery: Delivery): boolean {
    const format = delivery.stream;
    if (this.#state === 'over' || format === undefined || format.action === 'refresh') return false;
    if (format.action === 'hint' && !this.#terms.hasNext) return false;
    if (this.#replay?.hasReplayed(delivery)) return true;
    if (this.#isOpen || (this.#queue === undefined && this.#catchUp?.lets(delivery))) this.#take(delivery);
    else if (this.#writer.admitsItem(this.#queue, delivery)) this.#queue = queued(this.#queue, delivery);
    if (this.#body !== undefined) reportWaiting(this, this.#body.since, this.#scope, this.#deps.subscriber);
    return true;
  }

  takes(delivery: Delivery): boolean {
    return this.#isOpen && this.#writer.fits(delivery, delivery.stream);
  }

  /** All that is known may be out of date: the next link is fetched. Without one there is nothing to recover from. */
  recover(): void {
    if (this.#isOpen) this.#catchUp?.fetchInTurn('doubt');
    else this.#catchUp?.outdate();
  }

  missed(): void {
    if (this.#terms.hasNext) this.recover();
    else endIncomplete(this, this.#list, this.#deps.subscriber, () => this.#end('items-lost', true));
  }

  /** A body that flows must not look whole where it stops: it goes on, for as long as requests under way may. */
  drain(): void {
    this.#due = 'shutdown';
    if (this.#state === 'held') this.#end('shutdown');
  }

  /** What is under way, such as a body or an item that a server is asked about, comes to its end before. */
  expire(): void {
    this.#endWhenOpen('aged');
  }

  /** The next link is asked, and what comes until it has answered waits; without one the stream ends as by its age. */
  expiryDue(): void {
    if (this.#terms.hasNext) this.#catchUp?.expired(this.#isOpen);
    else this.#endWhenOpen('expired');
  }

  /** Cut where the end of the body would not be understood, or not be reached: within a body, and by a client that is slow. */
  disconnect(): void {
    this.#end('kicked', this.waiting > 0 || this.#state === 'flowing', this.waiting > 0);
  }

  /** The client is to see that the stream is broken off. */
  fault(): void {
    this.#end('fault', true);
  }

  get meta(): ReadonlyMap<string, string> {
    return this.#list.meta;
  }

  view(): ConnectionView {
    const it = { id: this.id, scope: this.#scope, clientAddress: this.#clientAddress, response: this.#response };
    return viewOf('stream', it, this.#list.names, this.#deps.subscriber.clock, this.#since, this.#writer.items);
  }

  onWritable(): void {
    this.#owner.holdWritable();
    this.#catchUp?.resume();
    this.#writer.onWritable();
  }

  onGone(): void {
    // Also when it is this node that cuts the connection, for a body has not come to its end in time.
    const end = this.#leave(this.#due === 'shutdown' ? 'shutdown' : 'client-gone');
    if (end !== undefined) this.#owner.holdEnded(end);
  }

  linkAnswered(instruct: Instruct, scope: LinkScope): void {
    const before = this.#list;
    const list = channelList(this.#opening as HoldStart, instruct, this.#deps.subscriber);
    if (this.#catchUp?.accepts(list) === false) return;
    this.#terms = termsOf(instruct);
    warnOfFilters(this, instruct, scope, this.#deps.subscriber);
    this.#list = list;
    this.#writer.follow(list, scope);
    this.#state = 'flowing';
    this.#body = this.#newBody();
    this.#catchUp?.follow({ instruct, scope, list }, before);
    this.#subscribe();
    this.#replay?.follow(list, before);
    relistStream(this, { instruct, scope, list }, before, this.#deps.subscriber);
  }

  linkData(chunk: Buffer): boolean {
    this.#catchUp?.begun();
    this.#writer.stopKeepAlive();
    return this.write(chunk);
  }

  linkEnded(): void {
    this.opened();
  }

  linkFailed(why: string, partly: boolean): void {
    // Where nothing was ever held, what is missing is a part of the answer, and the client is to see that.
    if (partly || !this.#terms.isHold) this.#end('link-failed', true);
    else this.fail(why, 'link-failed');
  }

  /** Takes what waited, as far as it follows what the client has got; if that leaves a gap, the link is asked again. */
  caughtUp(): void {
    const missed = this.#catchUp?.takeGap();
    if (this.#queue !== undefined || missed !== undefined) this.#takeWaiting(missed);
    if (this.#due !== undefined && this.#due !== 'shutdown') this.#endWhenOpen(this.#due);
  }

  closedByItem(): void {
    this.#end('closed');
  }

  overflowed(): void {
    this.#end('slow-client', true, true);
  }

  filterFailed(error: string): void {
    this.fail(error, 'filter-failed');
  }

  /** Ends the stream because of a fault, which clients of debug routes find in its body. */
  fail(text: string, reason: CloseReason): void {
    reportFailure(this, text, this.#scope, this.#response, this.#deps.subscriber);
    this.#end(reason);
  }

  #newBody(): StreamBody {
    return new StreamBody(this.#response, this.#list, this.#replay, this, this.#deps.subscriber.clock.monotonic());
  }

  get #isOpen(): boolean {
    return this.#state === 'held' && this.#catchUp?.isUnderWay !== true;
  }

  #subscribe(): Promise<void> | undefined {
    return subscribeStream(this, this.#list, this.#scope, this.#deps.subscriber, (error) => {
      if (this.#hasHead) this.#end('origin-failed');
      else if (this.#leave('origin-failed') !== undefined) this.failure = error;
    });
  }

  #openedHold(): void {
    const missed = this.#replay?.takeMissedByClient();
    const name = this.#terms.hasNext ? undefined : this.#list.tracked?.name;
    if (name !== undefined) this.fail(`channel '${name}' specifies prev-id, but no next link found`, 'link-failed');
    else if (missed === undefined) this.#hold();
    else this.#writer.replay(missed, () => this.#hold());
  }

  /** The stream is held from here on: it catches up if it has to, and what waited follows. */
  #hold(): void {
    this.#state = 'held';
    this.#writer.keepAlive(this.#terms.keepAlive);
    const begun = this.#replay?.begin((piece) => {
      // Where the stream begins is of use until an item has a later id, and must not come into the middle of a body.
      if (this.#isOpen && this.#writer.items === 0) this.#response.push(piece);
    });
    const due = this.#due;
    if (begun !== undefined && due !== undefined && due !== 'shutdown') {
      this.#due = undefined;
      const later = begun.then(() => this.#endWhenOpen(due));
      this.#deps.subscriber.faults.watch('history', later, this);
    }
    if (this.#catchUp === undefined) this.caughtUp();
    else if (this.#due !== 'shutdown') this.#catchUp.begin();
    if (this.#due === 'shutdown') this.#end('shutdown');
    else if (!this.isOver) this.#response.goIdle?.();
  }

  #takeWaiting(missed: Delivery | undefined): void {
    const rest = (this.#queue?.take() ?? []).filter((delivery) => this.#replay?.hasReplayed(delivery) !== true);
    this.#queue = undefined;
    const { following, isBehind } = follow(rest, this.#list, missed);
    for (const delivery of following) {
      if (this.#isOpen) this.#take(delivery);
      else if (this.#state === 'held') this.#queue = queued(this.#queue, delivery);
    }
    if (isBehind) this.#catchUp?.fetchInTurn('gap');
  }

  /** An item that is next, or shows that one is missing. */
  #take(delivery: Delivery): void {
    const format = delivery.stream;
    const subscription = this.#list.through(delivery);
    if (format === undefined || subscription === undefined) return;
    this.#catchUp?.active(delivery.at);
    const { prevId, channel } = subscription;
    const isNext = prevId === undefined || delivery.item.prevId === prevId;
    if (format.action === 'hint') {
      if (!isNext) this.#deps.sequencer.forgetLastId(channel);
      this.#catchUp?.fetch();
    } else if (isNext) {
      if (prevId !== undefined) subscription.prevId = delivery.item.id;
      this.#writer.take(delivery, format, subscription);
    } else this.#catchUp?.missed(delivery, subscription);
  }

  #endWhenOpen(reason: 'aged' | 'expired'): void {
    this.#due ??= reason;
    if (reason === 'expired') this.#deps.subscriber.registry.remove(this, this.#list.channels, this.#list.patterns);
    if (!this.#isOpen) return;
    this.#writer.finish(this, () => {
      if (!this.#isOpen) return;
      if (reason === 'aged') this.#response.closeAfter?.('none');
      this.#end(reason);
    });
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
    this.#writer.stop(reason === 'shutdown');
    this.#catchUp?.stop();
    const { items, dropped } = this.#writer;
    const said = { since: this.#since, list: this.#list, items, dropped, gone: this.#gone, scope: this.#scope };
    return endOf(this, reason, said, this.#deps);
  }
}
