/**
 * Owns: a held request that one published item, or its time-out, answers (long-polling; GRIP `hold: response`).
 * Does not own: how the hold came about, or asking the origin again (its owner does).
 */
import type { ConnectionView } from '@holdfast/control-api';
import {
  applyBodyPatch,
  GripError,
  type HttpResponseFormat,
  type HttpResponseSend,
  type ResponseHead,
} from '@holdfast/grip';
import { answerPlain } from '../answers/error-response.js';
import { answerWhole } from '../answers/whole-answer.js';
import type { CloseReason } from '../channels/close-reasons.js';
import type { Delivery } from '../channels/delivery.js';
import type { Subscriber } from '../channels/subscriber.js';
import type { SubscriberEnd } from '../channels/subscriber-parts.js';
import type { Subscription } from '../channels/subscription-list.js';
import type { ResponseOwner } from '../edge/port.js';
import { doubtful } from '../history/chains.js';
import { wasTold } from '../history/merge.js';
import { ofChangedBytes } from '../http/body-fields.js';
import { type Filtered, ItemFilter, passesFreely } from '../links/item-filter.js';
import type { Timer } from '../runtime/clock.js';
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
import { mergeHeaders } from './merge-headers.js';
import { ResponseReplay } from './response-replay.js';

const EMPTY = Buffer.alloc(0);

/** How many items may wait for the origin's own answer to be complete; of their bytes `client_queue_size`, as for a stream. */
const MAX_EARLY = 100;

/**
 * Registered from its construction on. The origin's own answer, which goes out at the time-out, may still be on its
 * way then: an item that arrives first waits for it, for it may be a patch to it.
 */
export class ResponseHold implements Subscriber, ResponseOwner {
  readonly id: string;
  readonly kind = 'response';
  readonly #start: HoldStart;
  readonly #owner: HoldOwner;
  readonly #parts: HoldParts;
  readonly #since: number;
  /** Undefined where no history serves this hold. */
  readonly #replay: ResponseReplay | undefined;
  /** Items have passed that the origin did not know of when it answered: it is to be asked again. */
  #overtaken: boolean;
  #timer: Timer | undefined;
  #body: Buffer | undefined;
  #early: Delivery[] | undefined;
  #earlyBytes = 0;
  #filter: ItemFilter | undefined;
  #withdraw: (() => void) | undefined;
  #isGoingDown = false;
  #over = false;

  /** `start.instruct` must have a response hold. */
  constructor(start: HoldStart, owner: HoldOwner, parts: HoldParts) {
    const { clock, events, registry, log } = parts.subscriber;
    this.id = start.id;
    this.#start = start;
    this.#owner = owner;
    this.#parts = parts;
    this.#since = clock.monotonic();
    start.response.own(this);
    const timeout = (start.instruct.hold?.timeout ?? 0) * 1_000;
    this.#timer = clock.after(timeout, () => this.#timeOut(), this);
    events.subscriberOpened('response');
    const replay = replayOf(parts, start.scope);
    const unsure = replay === undefined ? [] : doubtful(start.list.all, parts.sequencer);
    const overtaken = overtakenOn(unsure, parts.sequencer);
    this.#overtaken = replay === undefined && isOvertaken(start.list.all, parts.sequencer);
    registry.enter(this);
    const live = registry.add(this, start.list.channels);
    live?.catch((error: Error) => {
      log.warn({ id: this.id, err: error }, 'subscription failed: asking the origin again at the time-out');
    });
    if (replay !== undefined) {
      const watch = (read: Promise<void>) => parts.subscriber.faults.watch('history', read, this);
      this.#replay = new ResponseReplay(replay, parts.sequencer, live, watch);
    }
    if (unsure.length > 0) {
      this.#askHistory(unsure, () => {
        for (const channel of overtaken) parts.sequencer.forgetLastId(channel);
        if (overtaken.length > 0) this.#overtaken = true;
      });
    }
  }

  get routeKey(): string {
    return this.#start.scope.route.id ?? '';
  }

  /** The origin's answer is complete: this is its body. An item that came before is used now. */
  complete(body: Buffer): void {
    if (this.#over) return;
    this.#body = body;
    if (this.#isReady) this.#goOn();
    if (!this.#over) this.#start.response.settle?.();
  }

  /** The origin's answer broke off: the hold ends without a trace, and its owner answers. */
  abandon(): void {
    this.#leave('origin-failed');
  }

  deliver(delivery: Delivery): boolean {
    const format = delivery.response;
    if (this.#over || format === undefined || format.action === 'close' || format.action === 'refresh') return false;
    if (!this.#isReady) {
      this.#wait(delivery);
      return true;
    }
    const subscription = this.#start.list.find(delivery.item.channel);
    if (subscription === undefined) return false;
    const { prevId } = subscription;
    if (prevId !== undefined && delivery.item.prevId !== prevId)
      this.#missed(delivery, subscription, format.action === 'hint');
    else this.#take(delivery, format, subscription);
    return true;
  }

  /** One of those that wait answers; what comes after so many that none did is not waited for. */
  #wait(delivery: Delivery): void {
    this.#early ??= [];
    const { length } = this.#early;
    const { clientQueueSize } = this.#parts.subscriber;
    if (length > 0 && (length >= MAX_EARLY || this.#earlyBytes + delivery.bytes > clientQueueSize)) return;
    this.#early.push(delivery);
    this.#earlyBytes += delivery.bytes;
  }

  /** The origin is asked again in its turn, for all holds are told at once. */
  recover(): void {
    // An answer that is still on its way was made before: it is out of date when it is there.
    if (this.#isReady) this.#retryInTurn();
    else this.#overtaken = true;
  }

  /** The origin knows what was lost. */
  missed(): void {
    this.recover();
  }

  shutDown(): void {
    this.#isGoingDown = true;
    this.#timeOut('shutdown');
  }

  /** The client gets no answer, so that it does not take this for one of the origin's. */
  kick(): void {
    const end = this.#leave('kicked');
    if (end === undefined) return;
    this.#start.response.abort(true);
    this.#owner.holdEnded(end);
  }

  view(): ConnectionView {
    const { channels } = this.#start.list;
    return viewOf('response', this.#start, channels, this.#parts.subscriber.clock, this.#since, 0);
  }

  /** The answer is ours, so that the client does not take it for one of the origin's. */
  fault(): void {
    const end = this.#leave('fault');
    if (end === undefined) return;
    try {
      answerPlain(this.#start.response, 500, 'Internal error.');
    } catch {
      // A head has gone out already.
      this.#start.response.abort(true);
    }
    this.#owner.holdEnded(end);
  }

  onWritable(): void {}

  onGone(): void {
    // Also when it is this node that cuts the connection, for the origin's answer has not come in time.
    const end = this.#leave(this.#isGoingDown ? 'shutdown' : 'client-gone');
    if (end !== undefined) this.#owner.holdEnded(end);
  }

  /** The origin's answer is there, and the history is not being read: items are used as they come. */
  get #isReady(): boolean {
    return this.#body !== undefined && this.#replay?.isReading !== true;
  }

  /** Has the history tell what followed these last ids; calls `otherwise` where it cannot. */
  #askHistory(subscriptions: readonly Subscription[], otherwise: () => void): void {
    this.#replay?.ask(subscriptions, otherwise, () => {
      if (this.#body !== undefined) this.#goOn();
    });
  }

  /** Uses what was told and what waited: the first item that answers counts. */
  #goOn(): void {
    const chains = this.#replay?.take();
    const early = this.#early;
    this.#early = undefined;
    this.#earlyBytes = 0;
    if (this.#overtaken) this.#retry();
    for (const delivery of chains?.deliveries ?? []) if (!this.#over) this.#replayed(delivery);
    for (const delivery of early ?? []) {
      if (chains === undefined || !wasTold(delivery, chains.told)) this.deliver(delivery);
    }
  }

  /** What an item other than a response asks for was for those who were there. */
  #replayed(delivery: Delivery): void {
    const format = delivery.response;
    const subscription = this.#start.list.find(delivery.item.channel);
    if (subscription === undefined) return;
    if (format?.action === 'send') {
      this.#replay?.used();
      this.#take(delivery, format, subscription);
    } else subscription.prevId = delivery.item.id;
  }

  /**
   * An item has come that does not follow what the origin knew: the history may tell what is between, else only the origin
   * can. Hints are the publisher's wish and do not wait for their turn.
   */
  #missed(delivery: Delivery, subscription: Subscription, isHint: boolean): void {
    const { channel } = subscription;
    const byOrigin = () => {
      this.#parts.sequencer.forgetLastId(channel);
      if (isHint) this.#retry();
      else this.#retryInTurn();
    };
    if (!isHint && this.#withdraw === undefined && this.#replay?.mayAsk(subscription)) {
      this.#early = undefined;
      this.#earlyBytes = 0;
      this.#wait(delivery);
      this.#askHistory([subscription], byOrigin);
    } else byOrigin();
  }

  #take(delivery: Delivery, format: HttpResponseFormat, subscription: Subscription): void {
    const { item } = delivery;
    // What a hint announces the client does not have yet: the origin is still told the id before.
    if (subscription.prevId !== undefined && format.action === 'send') subscription.prevId = item.id;
    const contentFilters = format.action === 'send' ? format.contentFilters : undefined;
    if (this.#filter?.isBusy !== true && passesFreely(subscription.plan, contentFilters)) {
      this.#use(format, undefined);
      return;
    }
    this.#filter ??= new ItemFilter(this.#start.list, this.#start.scope, this.#parts.filters, (filtering) =>
      this.#parts.subscriber.faults.watch('delivery', filtering, this),
    );
    const content = format.action === 'send' ? (format.body ?? EMPTY) : EMPTY;
    this.#filter.run(subscription, item, content, contentFilters, (filtered) => this.#filtered(format, filtered));
  }

  #filtered(format: HttpResponseFormat, filtered: Filtered): void {
    if (this.#over || filtered.result === 'drop') return;
    if (filtered.result === 'send') {
      this.#use(format, filtered.content);
      return;
    }
    this.#parts.subscriber.events.itemDropped('response', 'filter-failed');
    this.#parts.subscriber.log.warn({ id: this.id, error: filtered.error }, 'item not delivered: its filter failed');
    if (!this.#parts.debug && !this.#start.scope.route.debug) return;
    const end = this.#leave('filter-failed');
    if (end === undefined) return;
    answerPlain(this.#start.response, 502, filtered.error);
    this.#owner.holdEnded(end);
  }

  #use(format: HttpResponseFormat, content: Buffer | undefined): void {
    if (format.action === 'hint') this.#retry();
    else if (format.action === 'send') this.#send(format, content);
  }

  #send(format: HttpResponseSend, content: Buffer | undefined): void {
    const body = format.bodyPatch === undefined ? (content ?? format.body) : this.#patched(format.bodyPatch);
    if (body === undefined) return;
    const end = this.#leave('answered', 1);
    if (end === undefined) return;
    this.#parts.subscriber.events.itemSent('response', this.routeKey);
    // A filter may have changed the content: the item's fields are of what was published.
    const isChanged = content !== undefined && content !== (format.body ?? EMPTY);
    const published = isChanged ? ofChangedBytes(format.headers) : format.headers;
    const headers = mergeHeaders(this.#start.instruct.response.headers, published);
    const head = { status: format.code, reason: format.reason, headers };
    this.#answer(head, body, end);
  }

  /** Empty when the patch does not apply; undefined when it would make too much of this body: another item may answer. */
  #patched(patch: string): Buffer | undefined {
    try {
      return applyBodyPatch(this.#body ?? EMPTY, patch) ?? EMPTY;
    } catch (error) {
      if (!(error instanceof GripError)) throw error;
      this.#parts.subscriber.events.itemDropped('response', 'patch-limit');
      this.#parts.subscriber.log.warn(
        { id: this.id, error: error.message },
        'item not delivered: its patch was refused',
      );
      return undefined;
    }
  }

  #timeOut(reason: CloseReason = 'timeout'): void {
    const { clock } = this.#parts.subscriber;
    // The answer that is to go out has not arrived: its end, or its failure, ends the hold.
    if (this.#body === undefined && !this.#over) {
      clock.clear(this.#timer);
      this.#timer = clock.after(1_000, () => this.#timeOut(reason), this);
      return;
    }
    const end = this.#leave(reason);
    if (end === undefined) return;
    const { code, reason: phrase, headers } = this.#start.instruct.response;
    this.#answer({ status: code, reason: phrase, headers }, this.#body ?? EMPTY, end);
  }

  #answer(head: ResponseHead, body: Buffer, end: SubscriberEnd): void {
    const { response, scope } = this.#start;
    const failure = answerWhole(response, head, body, this.#parts.debug || scope.route.debug);
    if (failure !== undefined) {
      this.#parts.subscriber.log.warn(
        { id: this.id, code: failure.code },
        'hold answered 502: its answer cannot be sent',
      );
    }
    this.#owner.holdEnded(end);
  }

  #retryInTurn(): void {
    this.#withdraw ??= this.#parts.limiter.enter(this.#start.scope.url, () => this.#retry(), this);
  }

  #retry(): void {
    // An item that a server is being asked about counts as received: it may still be the answer.
    if (this.#filter?.isBusy) {
      this.#filter.whenIdle(() => this.#retry());
      return;
    }
    const { lastIds } = this.#start.list;
    const end = this.#leave('retried');
    if (end !== undefined) this.#owner.holdRetry(end, lastIds);
  }

  #leave(reason: CloseReason, items = 0): SubscriberEnd | undefined {
    if (this.#over) return undefined;
    this.#over = true;
    this.#replay?.stop();
    this.#withdraw?.();
    const { clock, registry, events } = this.#parts.subscriber;
    const { channels } = this.#start.list;
    clock.clear(this.#timer);
    registry.leave(this);
    registry.remove(this, channels);
    events.subscriberEnded('response', reason);
    if (reason !== 'origin-failed') tellGone(this.#start.instruct.links.gone, this.#start.scope, reason, this.#parts);
    return { kind: 'response', reason, items, dropped: 0, duration: clock.monotonic() - this.#since, channels };
  }
}
