/**
 * A held request that one published item, or its time-out, answers (long-polling; GRIP `hold: response`). Asking the origin
 * again is its owner's.
 */
import type { ConnectionView } from '@holdfast/control-api';
import { GripError, type HttpResponseFormat, type HttpResponseSend, type ResponseHead } from '@holdfast/grip';
import { answerPlain, answerWhole, type Failure } from '../answers/answers.js';
import type { CloseReason } from '../channels/close-reasons.js';
import type { Delivery, ResponseAnswer } from '../channels/delivery.js';
import { memberOf } from '../channels/presence.js';
import type { Subscriber } from '../channels/subscriber.js';
import type { SubscriberEnd } from '../channels/subscriber-deps.js';
import type { Subscription, SubscriptionList } from '../channels/subscription-list.js';
import { type ActionFormat, ItemPipeline, type ItemReceiver } from '../delivery/pipeline.js';
import type { ClientResponse, ResponseHandler } from '../edge/port.js';
import { unverified, wasReplayed } from '../history/chains.js';
import type { LinkScope } from '../links/link-scope.js';
import type { Timer } from '../runtime/clock.js';
import { EarlyItems } from './early-items.js';
import {
  endOf,
  type HoldDeps,
  type HoldOwner,
  type HoldStart,
  isOvertaken,
  overtakenOn,
  replayOf,
  viewOf,
} from './hold.js';
import { ResponseReplay } from './hold-replay.js';
import { plainAnswer, responseAnswer } from './response-answer.js';

const EMPTY = Buffer.alloc(0);

/**
 * Registered from its construction on. The origin's own answer, which goes out at the time-out, may still be on its
 * way then: an item that arrives first waits for it, for it may be a patch to it.
 */
export class ResponseHold
  extends ItemPipeline<HttpResponseFormat, ResponseAnswer>
  implements Subscriber, ResponseHandler, ItemReceiver
{
  readonly id: string;
  readonly kind = 'response';
  protected readonly deps: HoldDeps;
  readonly #start: HoldStart;
  readonly #owner: HoldOwner;
  readonly #since: number;
  /** Undefined where no history serves this hold. */
  readonly #replay: ResponseReplay | undefined;
  /** Items have passed that the origin did not know of when it answered: it is to be asked again. */
  #overtaken: boolean;
  #timer: Timer | undefined;
  #body: Buffer | undefined;
  #early: EarlyItems | undefined;
  #withdraw: (() => void) | undefined;
  /** It is to end as soon as the origin's answer is there. */
  #isAged = false;
  #isGoingDown = false;

  /** `start.instruct` must have a response hold. */
  constructor(start: HoldStart, owner: HoldOwner, deps: HoldDeps) {
    super();
    const { clock, events, registry, log } = deps.subscriber;
    this.id = start.id;
    this.#start = start;
    this.#owner = owner;
    this.deps = deps;
    this.#since = clock.monotonic();
    start.response.setHandler(this);
    const timeout = (start.instruct.hold?.timeout ?? 0) * 1_000;
    this.#timer = clock.after(timeout, () => this.#timeOut(), this);
    events.subscriberOpened('response');
    const replay = replayOf(deps, start.scope);
    const unsure = replay === undefined ? [] : unverified(start.list.all, deps.sequencer);
    const overtaken = overtakenOn(unsure, deps.sequencer);
    this.#overtaken = replay === undefined && isOvertaken(start.list.all, deps.sequencer);
    const { channels, patterns, meta } = start.list;
    registry.enter(this, meta, start.instruct.hold?.expires);
    const live = registry.add(this, channels, patterns, memberOf(start.scope.route, meta));
    live?.catch((error: Error) => {
      log.warn({ id: this.id, err: error }, 'subscription failed: asking the origin again at the time-out');
    });
    if (replay !== undefined) {
      const watch = (read: Promise<void>) => deps.subscriber.faults.watch('history', read, this);
      this.#replay = new ResponseReplay(replay, deps.sequencer, live, watch, start);
    }
    if (unsure.length > 0 || this.#replay?.hasInitial === true) {
      this.#askHistory(unsure, () => {
        for (const channel of overtaken) deps.sequencer.forgetLastId(channel);
        if (overtaken.length > 0) this.#overtaken = true;
      });
    }
  }

  get routeKey(): string {
    return this.#start.scope.route.id ?? '';
  }

  get waiting(): number {
    return this.#start.response.waiting;
  }

  /** The origin's answer is complete: this is its body. An item that came before is used now. */
  complete(body: Buffer): void {
    if (this.isOver) return;
    this.#body = body;
    if (this.#isReady) this.#goOn();
    if (!this.isOver) this.#start.response.goIdle?.();
  }

  /** The origin's answer broke off: the hold ends without a trace, and its owner answers. */
  abandon(): void {
    this.#leave('origin-failed');
  }

  /** The client's request cannot be taken, as it turns out: this answers it. */
  refuse({ status, text }: Failure): void {
    this.#end('client-fault', (response) => answerPlain(response, status, text));
  }

  deliver(delivery: Delivery): boolean {
    const format = delivery.response;
    if (this.isOver || format === undefined || format.action === 'close' || format.action === 'refresh') return false;
    if (!this.#isReady) {
      this.#wait(delivery);
      return true;
    }
    const subscription = this.#start.list.through(delivery);
    if (subscription === undefined) return false;
    const { prevId } = subscription;
    if (prevId !== undefined && delivery.item.prevId !== prevId)
      this.#missed(delivery, subscription, format.action === 'hint');
    else this.#take(delivery, format, subscription);
    return true;
  }

  takes(delivery: Delivery): boolean {
    return this.#isReady && this.fits(delivery, delivery.response);
  }

  #wait(delivery: Delivery): void {
    this.#early ??= new EarlyItems(this.deps.subscriber.clientQueueSize);
    this.#early.add(delivery);
  }

  /** The origin is asked again in its turn, for all holds recover at once. */
  recover(): void {
    // An answer that is still on its way was made before: it is out of date when it is there.
    if (this.#isReady) this.#retryInTurn();
    else this.#overtaken = true;
  }

  /** The origin knows what was lost. */
  missed(): void {
    this.recover();
  }

  drain(): void {
    this.#isGoingDown = true;
    this.#timeOut('shutdown');
  }

  /** Until what is under way has come the time-out of the hold goes on. */
  expire(): void {
    this.#isAged = true;
    if (!this.#isReady) return;
    this.finish(this, () => {
      if (this.isOver || !this.#isReady) return;
      this.#start.response.closeAfter?.('none');
      this.#timeOut('aged');
    });
  }

  /** The origin is asked again, at once; an answer of it that is still on its way was made before, and an item on its way counts. */
  expiryDue(): void {
    if (this.#isGoingDown) return;
    if (this.#isReady) this.finish(this, () => this.#retry());
    else this.#overtaken = true;
  }

  /** The client gets no answer, so that it does not take this for one of the origin's. */
  disconnect(): void {
    this.#end('kicked', (response) => response.abort(true));
  }

  get meta(): ReadonlyMap<string, string> {
    return this.#start.list.meta;
  }

  view(): ConnectionView {
    const { names } = this.#start.list;
    return viewOf('response', this.#start, names, this.deps.subscriber.clock, this.#since, 0);
  }

  /** The answer is ours, so that the client does not take it for one of the origin's. */
  fault(): void {
    this.#end('fault', (response) => {
      try {
        answerPlain(response, 500, 'Internal error.');
      } catch {
        // A head has gone out already.
        response.abort(true);
      }
    });
  }

  onWritable(): void {}

  onGone(): void {
    // Also when it is this node that cuts the connection, for the origin's answer has not come in time.
    const end = this.#leave(this.#isGoingDown ? 'shutdown' : 'client-gone');
    if (end !== undefined) this.#owner.holdEnded(end);
  }

  // The pipeline

  get isDebug(): boolean {
    return this.deps.debug || this.#start.scope.route.debug;
  }

  /** Nothing waits for a client that has no answer yet. */
  overflowed(): void {}

  filterFailed(error: string): void {
    this.#end('filter-failed', (response) => answerPlain(response, 502, error));
  }

  protected get receiver(): ItemReceiver {
    return this;
  }

  protected get noun(): string {
    return 'request';
  }

  protected get needsAll(): boolean {
    return false;
  }

  protected get list(): SubscriptionList {
    return this.#start.list;
  }

  protected get scope(): LinkScope {
    return this.#start.scope;
  }

  protected waitingBefore(): number {
    return 0;
  }

  /** Undefined when a patch would make too much of this body: another item may answer. */
  protected encode(delivery: Delivery, format: HttpResponseSend, own: Buffer | undefined): ResponseAnswer | undefined {
    const { headers } = this.#start.instruct.response;
    if (own === undefined && format.bodyPatch === undefined) {
      return delivery.answerTo(headers, format, plainAnswer);
    }
    try {
      return responseAnswer(format, own, { headers, body: this.#body ?? EMPTY });
    } catch (error) {
      if (!(error instanceof GripError)) throw error;
      const { events, log } = this.deps.subscriber;
      events.itemDropped('response', 'patch-limit', delivery.item.channel);
      log.warn({ id: this.id, error: error.message }, 'item not delivered: its patch was refused');
      return undefined;
    }
  }

  protected write(answer: ResponseAnswer): void {
    const end = this.#leave('answered', 1);
    if (end !== undefined) this.#answer(answer, answer.payload, end);
  }

  protected act({ action }: ActionFormat<HttpResponseFormat>): void {
    if (action === 'hint') this.#retry();
  }

  /** The origin's answer is there, and the history is not being read: items are used as they come. */
  get #isReady(): boolean {
    return this.#body !== undefined && this.#replay?.isReading !== true;
  }

  /** Reads what followed these last ids from the history; calls `otherwise` where it does not have it. */
  #askHistory(subscriptions: readonly Subscription[], otherwise: () => void): void {
    this.#replay?.ask(subscriptions, otherwise, () => {
      if (this.#body !== undefined) this.#goOn();
    });
  }

  /** Uses what was read and what waited: the first item that answers counts. */
  #goOn(): void {
    const chains = this.#replay?.take();
    const early = this.#early?.take() ?? [];
    this.#early = undefined;
    if (this.#overtaken) this.#retry();
    for (const delivery of chains?.deliveries ?? []) if (!this.isOver) this.#useReplayed(delivery);
    for (const delivery of early) {
      if (chains === undefined || !wasReplayed(delivery, chains.upTo)) this.deliver(delivery);
    }
    if (this.#isAged && !this.isOver) this.expire();
  }

  /** Actions of the history have no effect: they were for clients connected at the time. */
  #useReplayed(delivery: Delivery): void {
    const format = delivery.response;
    const subscription = this.#start.list.find(delivery.item.channel);
    if (subscription === undefined) return;
    if (format?.action === 'send') {
      this.#replay?.used();
      this.#take(delivery, format, subscription);
    } else if (subscription.prevId !== undefined) subscription.prevId = delivery.item.id;
  }

  /**
   * An item has come that does not follow what the origin knew: the history may have what is between, else only the origin
   * has. Hints are the publisher's wish and do not wait for their turn.
   */
  #missed(delivery: Delivery, subscription: Subscription, isHint: boolean): void {
    const { channel } = subscription;
    const byOrigin = () => {
      this.deps.sequencer.forgetLastId(channel);
      if (isHint) this.#retry();
      else this.#retryInTurn();
    };
    if (!isHint && this.#withdraw === undefined && this.#replay?.mayAsk(subscription)) {
      this.#early = undefined;
      this.#wait(delivery);
      this.#askHistory([subscription], byOrigin);
    } else byOrigin();
  }

  #take(delivery: Delivery, format: HttpResponseFormat, subscription: Subscription): void {
    // What a hint announces the client does not have yet: the origin is still given the id before.
    if (subscription.prevId !== undefined && format.action === 'send') subscription.prevId = delivery.item.id;
    this.take(delivery, format, subscription);
  }

  #timeOut(reason: CloseReason = 'timeout'): void {
    const { clock } = this.deps.subscriber;
    // The answer that is to go out has not arrived: its end, or its failure, ends the hold.
    if (this.#body === undefined && !this.isOver) {
      clock.clear(this.#timer);
      this.#timer = clock.after(1_000, () => this.#timeOut(reason), this);
      return;
    }
    const end = this.#leave(reason);
    if (end === undefined) return;
    const { code, reason: phrase, headers } = this.#start.instruct.response;
    const body = this.#body ?? EMPTY;
    this.deps.subscriber.traffic?.bytesSent('response', body.length);
    this.#answer({ status: code, reason: phrase, headers }, body, end);
  }

  #answer(head: ResponseHead, body: Buffer, end: SubscriberEnd): void {
    const { response, scope } = this.#start;
    const failure = answerWhole(response, head, body, this.deps.debug || scope.route.debug);
    if (failure !== undefined) {
      this.deps.subscriber.log.warn(
        { id: this.id, code: failure.code },
        'hold answered 502: its answer cannot be sent',
      );
    }
    this.#owner.holdEnded(end);
  }

  /** Ends the hold by another answer than the origin's, or by none. */
  #end(reason: CloseReason, act: (response: ClientResponse) => void): void {
    const end = this.#leave(reason);
    if (end === undefined) return;
    act(this.#start.response);
    this.#owner.holdEnded(end);
  }

  #retryInTurn(): void {
    this.#withdraw ??= this.deps.limiter.enter(this.#start.scope.url, () => this.#retry(), this);
  }

  #retry(): void {
    // An item that a server is being asked about counts as received: it may still be the answer.
    if (this.isFiltering) {
      this.whenIdle(() => this.#retry());
      return;
    }
    const { lastIds } = this.#start.list;
    const end = this.#leave('retried');
    if (end !== undefined) this.#owner.holdRetry(end, lastIds);
  }

  #leave(reason: CloseReason, items = 0): SubscriberEnd | undefined {
    if (this.isOver) return undefined;
    this.stop();
    this.#replay?.stop();
    this.#withdraw?.();
    this.deps.subscriber.clock.clear(this.#timer);
    const { instruct, list, scope } = this.#start;
    const gone = reason === 'origin-failed' ? undefined : instruct.links.gone;
    return endOf(this, reason, { since: this.#since, list, items, dropped: 0, gone, scope }, this.deps);
  }
}
