/** Brings a stream that has a next link up to date, by the history or by its link, and sorts out which waiting items follow then. */
import type { Faulty } from '@holdfast/control-api';
import type { Instruct, NextLink as Link } from '@holdfast/grip';
import type { CloseReason } from '../channels/close-reasons.js';
import type { Delivery } from '../channels/delivery.js';
import type { Subscription, SubscriptionList } from '../channels/subscription-list.js';
import { unverified } from '../history/chains.js';
import type { LinkScope } from '../links/link-scope.js';
import { NextLink, type NextLinkOwner } from '../links/next-link.js';
import { KeepAliveTimer } from '../runtime/timers.js';
import { type HoldDeps, isOvertaken, overtakenOn } from './hold.js';
import type { StreamReplay } from './hold-replay.js';
import type { StreamWriter } from './stream-writer.js';

/** What is to be done with items that waited. */
export interface Following {
  /** In their order: those of channels that are not tracked, and of each that is, those from the next one on. */
  readonly following: Delivery[];
  /** On some channel the client may not have what waited, and nothing that waited is the next: only the origin has it. */
  readonly isBehind: boolean;
}

/**
 * Sorts out items that came while the origin was answering. Items before the first that follows its answer are in that
 * already; where none does, the last of them should be where it ended. `missed` is the item because of
 * which the origin was asked, if it was: an answer shared with others may be older than it.
 */
export function follow(waited: readonly Delivery[], list: SubscriptionList, missed?: Delivery): Following {
  const following: Delivery[] = [];
  const started = new Set<string>();
  const behind = new Set<string>();
  const check = (delivery: Delivery, prevId: string) => {
    if (delivery.item.id === prevId) behind.delete(delivery.item.channel);
    else behind.add(delivery.item.channel);
  };
  const before = missed?.item.id === undefined ? undefined : list.find(missed.item.channel)?.prevId;
  if (missed !== undefined && before !== undefined) check(missed, before);
  for (const delivery of waited) {
    const subscription = list.through(delivery);
    if (subscription === undefined) continue;
    const { channel, prevId } = subscription;
    if (prevId !== undefined && delivery.item.prevId === prevId) {
      started.add(channel);
      behind.delete(channel);
    }
    if (prevId === undefined || started.has(channel)) following.push(delivery);
    else check(delivery, prevId);
  }
  return { following, isBehind: behind.size > 0 };
}

/** The stream. What its link answers it takes itself. */
export interface CatchUpOwner extends NextLinkOwner, Faulty {
  /** All that could be had is written: what waited follows. */
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

const noJitter = () => 0;

/**
 * Why a link is asked. `due`: nothing has come for its time, and nothing suggests that anything is missing. `doubt`: all that
 * is known may be out of date. `gap`: something is missing, or the publisher has said so.
 */
type Need = 'due' | 'doubt' | 'gap';

/** Made for streams with a next link only. While it is under way items must wait, but those that `lets` says. */
export class CatchUp {
  readonly #owner: CatchUpOwner;
  readonly #writer: Pick<StreamWriter, 'whenIdle' | 'replay'>;
  readonly #replay: StreamReplay | undefined;
  readonly #deps: HoldDeps;
  /** Undefined where a link has answered without another: then nothing is caught up with. */
  #next: Link | undefined;
  #scope: LinkScope;
  #list: SubscriptionList;
  #isUnderWay = false;
  /** Of what is under way. */
  #need: Need = 'gap';
  #isOver = false;
  /** The origin's last answer was already out of date: the link is to be fetched once more. */
  #outdated = false;
  /** The time that the origin has set is over, and no link has answered since: nothing goes out before one has. */
  #isExpired = false;
  /** Channels on which items may have passed that the origin did not know of: the history is to say which. */
  #unverified: readonly Subscription[] = NONE;
  /** Those of them on which they have. */
  #overtaken: readonly string[] = NONE;
  /** The item that has shown the last gap: the link's answer is to have it. */
  #gap: Delivery | undefined;
  #timer: KeepAliveTimer | undefined;
  #link: NextLink | undefined;
  #withdraw: (() => void) | undefined;

  /** Called in the step that registers the stream. `replay` is undefined where no history serves it. */
  constructor(
    owner: CatchUpOwner,
    { instruct, scope, list }: CatchUpStart,
    writer: Pick<StreamWriter, 'whenIdle' | 'replay'>,
    replay: StreamReplay | undefined,
    deps: HoldDeps,
  ) {
    this.#owner = owner;
    this.#writer = writer;
    this.#replay = replay;
    this.#deps = deps;
    this.#next = instruct.links.next;
    this.#scope = scope;
    this.#list = list;
    if (replay === undefined) this.#outdated = isOvertaken(list.all, deps.sequencer);
    else {
      this.#unverified = unverified(list.all, deps.sequencer);
      this.#overtaken = overtakenOn(this.#unverified, deps.sequencer);
    }
  }

  /** From the first sign that something is missing until `caughtUp`. */
  get isUnderWay(): boolean {
    return this.#isUnderWay;
  }

  /**
   * Whether this item may go out although a link is under way: it is the next of its channel for certain, and the link's answer
   * need not come before it. An item that a server is asked about may not: it could come into the middle of a body.
   * True also when the link has answered, as long as its body, which should then be empty, has not begun.
   */
  lets(delivery: Pick<Delivery, 'item' | 'stream' | 'prefix'>): boolean {
    const { item, stream } = delivery;
    const subscription = this.#list.through(delivery);
    if (subscription === undefined || this.#need === 'gap' || stream?.action === 'hint') return false;
    const { prevId, plan } = subscription;
    if (plan.steps.some(({ kind }) => kind === 'http')) return false;
    return prevId === undefined ? this.#need === 'due' : item.prevId === prevId;
  }

  /**
   * Whether a link's answer, which puts the stream on `list`, is of use beside what went out since it was asked for: the list
   * goes on from there then. An answer for a channel on which something went out further than the client was when it
   * was asked for has some of that again: it is left, and the next answer takes its place.
   */
  accepts(list: SubscriptionList): boolean {
    const askedFrom = this.#link?.sentIds;
    const passed: (readonly [now: Subscription, before: Subscription])[] = [];
    for (const now of list.all) {
      const before = this.#list.find(now.channel);
      const asked = before && askedFrom?.get(before.name);
      if (before === undefined || asked === undefined || before.prevId === asked || now.prevId === undefined) continue;
      if (now.prevId !== asked) {
        this.#leave();
        return false;
      }
      passed.push([now, before]);
    }
    for (const [now, before] of passed) now.prevId = before.prevId;
    // Until its first byte there is nothing that would have to go before, if it says itself that it has nothing new.
    if (list.all.some(({ channel, prevId }) => this.#list.find(channel)?.prevId !== prevId)) this.#need = 'gap';
    return true;
  }

  /** The body of the link's answer begins: from here on all waits for its end. */
  begun(): void {
    this.#need = 'gap';
  }

  /** A link has answered with these. On channels that the stream was on before, what has passed meanwhile waits. */
  follow({ instruct, scope, list }: CatchUpStart, before: SubscriptionList): void {
    this.#next = instruct.links.next;
    this.#scope = scope;
    this.#list = list;
    this.#isExpired = false;
    if (instruct.hold === undefined) this.#need = 'gap';
    if (this.#next !== undefined) this.#deps.links.client.place(this.#next.uri, scope);
    const added = list.all.filter(({ channel }) => !before.has(channel));
    if (isOvertaken(added, this.#deps.sequencer)) this.#outdated = true;
  }

  /** What flows at the moment is out of date: the link is asked when that is out. */
  outdate(): void {
    this.#outdated = true;
    if (this.#need === 'due') this.#need = 'doubt';
  }

  /** The time that the origin has set is over: the link is asked, now or, where the stream is not open, after what is under way. */
  expired(isOpen: boolean): void {
    if (isOpen) {
      this.fetchInTurn('gap');
      return;
    }
    this.#isExpired = true;
    this.#need = 'gap';
  }

  /** A body is out, and the stream held: `caughtUp` follows, at once if nothing is missing. */
  begin(): void {
    const unsure = this.#unverified;
    this.#unverified = NONE;
    const byLink = () => {
      for (const channel of this.#overtaken) this.#deps.sequencer.forgetLastId(channel);
      if (this.#overtaken.length > 0) this.#outdated = true;
      this.#overtaken = NONE;
      this.#goOn();
    };
    if (unsure.length === 0 || this.#outdated || this.#isExpired) byLink();
    else this.#askHistory(unsure, byLink);
  }

  /** Something came on one of the channels at `at` (by the monotonic clock): the link is not due by time. */
  active(at: number): void {
    this.#timer?.sent(at);
  }

  /** An item does not follow the last one of its channel. */
  missed(delivery: Delivery, subscription: Subscription): void {
    this.#gap = delivery;
    const byLink = () => {
      this.#deps.sequencer.forgetLastId(subscription.channel);
      this.#isUnderWay = false;
      this.fetchInTurn('gap');
    };
    if (this.#replay?.mayAsk(subscription)) this.#askHistory([subscription], byLink);
    else byLink();
  }

  /** The item that has shown the last gap, if that has not been filled since; once. */
  takeGap(): Delivery | undefined {
    const gap = this.#gap;
    this.#gap = undefined;
    return gap;
  }

  /** Fetches the next link when its turn has come: many streams may have found the same gap. */
  fetchInTurn(need: Need): void {
    if (this.#next === undefined || this.#isUnderWay || this.#isOver) return;
    this.#isUnderWay = true;
    this.#need = need;
    this.#timer?.stop();
    this.#withdraw = this.#deps.limiter.enter(this.#scope.url, () => this.#ask(), this.#owner);
  }

  /** Fetches the next link now, for it is known to have something. */
  fetch(): void {
    this.#need = 'gap';
    this.#ask();
  }

  #ask(): void {
    if (this.#next === undefined || this.#isOver) return;
    this.#isUnderWay = true;
    this.#timer?.stop();
    this.#withdraw?.();
    this.#withdraw = undefined;
    const { uri } = this.#next;
    // Items that a server is being asked about count as received: they go out before the link's answer.
    this.#writer.whenIdle(() => {
      if (!this.#isOver) this.#fetch(uri);
    });
  }

  /** The client has room again: the link's answer may go on. */
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
    this.#link ??= new NextLink(this.#deps.links, this.#owner);
    if (!this.#link.isBusy) this.#link.fetch(uri, this.#scope, () => this.#list.lastIds);
  }

  /** Replays what these subscriptions have missed; calls `otherwise` where the history does not have it. */
  #askHistory(subscriptions: readonly Subscription[], otherwise: () => void): void {
    this.#isUnderWay = true;
    this.#need = 'gap';
    this.#timer?.stop();
    const read = this.#replay?.missed(subscriptions).then((deliveries) => {
      if (this.#isOver) return;
      if (deliveries === undefined) {
        otherwise();
        return;
      }
      // It is among them.
      this.#gap = undefined;
      this.#writer.replay(deliveries, () => this.#goOn());
    });
    if (read !== undefined) this.#deps.subscriber.faults.watch('history', read, this.#owner);
  }

  /** Gives the answer up that is coming. Where there was more than time to ask for it, it is asked for once more. */
  #leave(): void {
    this.#link?.stop();
    if (this.#need !== 'due') this.#outdated = true;
    this.#goOn();
  }

  /** The stream is up to date, unless the link is to be asked once more. */
  #goOn(): void {
    this.#isUnderWay = false;
    if (this.#next !== undefined) {
      this.#timer?.stop();
      const { clock } = this.#deps.subscriber;
      const { timeout } = this.#next;
      const due = () => this.fetchInTurn('due');
      this.#timer = new KeepAliveTimer({ mode: 'idle', timeout }, clock, noJitter, due, this.#owner);
    }
    if ((this.#outdated || this.#isExpired) && this.#next !== undefined) this.fetchInTurn('gap');
    else this.#owner.caughtUp();
  }
}
