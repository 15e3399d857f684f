/**
 * Owns: bringing a stream that has a next link up to date: finding out that it is not, asking the history where that may
 * know, and else the link, in its turn. Does not own: what is done with what they tell, or items that wait meanwhile.
 */
import type { Faulty } from '@holdfast/control-api';
import type { Instruct, NextLink as Link } from '@holdfast/grip';
import type { Delivery } from '../channels/delivery.js';
import type { Subscription, SubscriptionList } from '../channels/subscription-list.js';
import type { CloseReason } from '../close-reasons.js';
import { doubtful } from '../history/chains.js';
import type { LinkScope } from '../links/link-scope.js';
import { NextLink, type NextLinkOwner } from '../links/next-link.js';
import { type HoldParts, isOvertaken, overtakenOn } from './hold.js';
import { LinkTimer } from './link-timer.js';
import type { StreamOutput } from './stream-output.js';
import type { StreamReplay } from './stream-replay.js';

/** The stream. What its link answers it takes itself. */
export interface CatchUpOwner extends NextLinkOwner, Faulty {
  /** All that can be told is told: what waited follows. */
  caughtUp(): void;
  /** The link is none that could be fetched. */
  fail(text: string, reason: CloseReason): void;
}

/** What a stream catches up by: its own instruct or that of its last link. */
export interface CatchUpStart {
  readonly instruct: Instruct;
  readonly scope: LinkScope;
  readonly list: SubscriptionList;
}

const NONE: readonly never[] = [];

/** Made for streams with a next link only. While it is under way items must wait. */
export class CatchUp {
  readonly #owner: CatchUpOwner;
  readonly #output: Pick<StreamOutput, 'whenIdle' | 'tell'>;
  readonly #replay: StreamReplay | undefined;
  readonly #parts: HoldParts;
  /** Undefined where a link has answered without another: then nothing is caught up with. */
  #next: Link | undefined;
  #scope: LinkScope;
  #list: SubscriptionList;
  #isUnderWay = false;
  #isOver = false;
  /** What the origin said last was out of date when it said it: the link is to be asked once more. */
  #outdated = false;
  /** Channels on which items may have passed that the origin did not know of: the history is to say. */
  #doubtful: readonly Subscription[] = NONE;
  /** Those of them on which they have. */
  #overtaken: readonly string[] = NONE;
  /** The item that has shown the last gap: the link is to tell it. */
  #gap: Delivery | undefined;
  #timer: LinkTimer | undefined;
  #link: NextLink | undefined;
  #withdraw: (() => void) | undefined;

  /** Called in the step that registers the stream. `replay` is undefined where no history serves it. */
  constructor(
    owner: CatchUpOwner,
    { instruct, scope, list }: CatchUpStart,
    output: Pick<StreamOutput, 'whenIdle' | 'tell'>,
    replay: StreamReplay | undefined,
    parts: HoldParts,
  ) {
    this.#owner = owner;
    this.#output = output;
    this.#replay = replay;
    this.#parts = parts;
    this.#next = instruct.links.next;
    this.#scope = scope;
    this.#list = list;
    if (replay === undefined) this.#outdated = isOvertaken(list.all, parts.sequencer);
    else {
      this.#doubtful = doubtful(list.all, parts.sequencer);
      this.#overtaken = overtakenOn(this.#doubtful, parts.sequencer);
    }
  }

  /** From the first sign that something is missing until `caughtUp`. */
  get isUnderWay(): boolean {
    return this.#isUnderWay;
  }

  /** A link has answered with these. On channels that the stream was on before, what has passed meanwhile waits. */
  follow({ instruct, scope, list }: CatchUpStart, before: SubscriptionList): void {
    this.#next = instruct.links.next;
    this.#scope = scope;
    this.#list = list;
    const added = list.all.filter(({ channel }) => !before.has(channel));
    if (isOvertaken(added, this.#parts.sequencer)) this.#outdated = true;
  }

  /** What flows at the moment is out of date: the link is asked when that is out. */
  outdate(): void {
    this.#outdated = true;
  }

  /** A body is out, and the stream held: `caughtUp` follows, at once if nothing is missing. */
  begin(): void {
    const unsure = this.#doubtful;
    this.#doubtful = NONE;
    const byLink = () => {
      for (const channel of this.#overtaken) this.#parts.sequencer.forgetLastId(channel);
      if (this.#overtaken.length > 0) this.#outdated = true;
      this.#overtaken = NONE;
      this.#goOn();
    };
    if (unsure.length === 0 || this.#outdated) byLink();
    else this.#askHistory(unsure, byLink);
  }

  /** Something came on one of the channels at `at` (by the monotonic clock): the link is not due by time. */
  active(at: number): void {
    this.#timer?.active(at);
  }

  /** An item does not follow the last one of its channel. */
  missed(delivery: Delivery, subscription: Subscription): void {
    this.#gap = delivery;
    const byLink = () => {
      this.#parts.sequencer.forgetLastId(subscription.channel);
      this.#isUnderWay = false;
      this.fetchInTurn();
    };
    if (this.#replay?.mayAsk(subscription)) this.#askHistory([subscription], byLink);
    else byLink();
  }

  /** The item that has shown the last gap, if that has not been told since; asked once. */
  takeGap(): Delivery | undefined {
    const gap = this.#gap;
    this.#gap = undefined;
    return gap;
  }

  /** Fetches the next link when its turn has come: many streams may have found the same gap. */
  fetchInTurn(): void {
    if (this.#next === undefined || this.#isUnderWay || this.#isOver) return;
    this.#isUnderWay = true;
    this.#timer?.stop();
    this.#withdraw = this.#parts.limiter.enter(this.#scope.url, () => this.fetch(), this.#owner);
  }

  /** Fetches the next link now. */
  fetch(): void {
    if (this.#next === undefined || this.#isOver) return;
    this.#isUnderWay = true;
    this.#timer?.stop();
    this.#withdraw?.();
    this.#withdraw = undefined;
    const { uri } = this.#next;
    // Items that a server is being asked about count as received: they go out before what the link tells.
    this.#output.whenIdle(() => {
      if (!this.#isOver) this.#fetch(uri);
    });
  }

  /** The client has room again: what the link tells may go on. */
  resume(): void {
    this.#link?.resume();
  }

  /** The stream is over. */
  stop(): void {
    this.#isOver = true;
    this.#timer?.stop();
    this.#link?.stop();
    this.#withdraw?.();
  }

  #fetch(uri: string): void {
    this.#outdated = false;
    this.#link ??= new NextLink(this.#parts.links, this.#owner);
    if (!this.#link.isBusy) this.#link.fetch(uri, this.#scope, this.#list.lastIds);
  }

  /** Has the history tell what these subscriptions have missed; calls `otherwise` where it cannot. */
  #askHistory(subscriptions: readonly Subscription[], otherwise: () => void): void {
    this.#isUnderWay = true;
    this.#timer?.stop();
    const told = this.#replay?.missed(subscriptions).then((deliveries) => {
      if (this.#isOver) return;
      if (deliveries === undefined) {
        otherwise();
        return;
      }
      // It is among them.
      this.#gap = undefined;
      this.#output.tell(deliveries, () => this.#goOn());
    });
    if (told !== undefined) this.#parts.subscriber.faults.watch('history', told, this.#owner);
  }

  /** The stream is up to date, unless the link is to be asked once more. */
  #goOn(): void {
    this.#isUnderWay = false;
    if (this.#next !== undefined) {
      const { clock } = this.#parts.subscriber;
      this.#timer = new LinkTimer(clock, this.#next.timeout * 1_000, () => this.fetchInTurn(), this.#owner);
    }
    if (this.#outdated && this.#next !== undefined) this.fetchInTurn();
    else this.#owner.caughtUp();
  }
}
