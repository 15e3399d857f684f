/** Items for one subscriber of all nodes: whether this process has one, whose turn it is, and that no item is given twice. */
import {
  CauseLog,
  type Containment,
  type ItemClaim,
  type ItemMessage,
  type Log,
  uncontained,
} from '@holdfast/control-api';
import { kindRows } from '@holdfast/grip';
import { Delivery } from '../channels/delivery.js';
import type { ChannelRegistry } from '../channels/registry.js';
import type { Subscriber } from '../channels/subscriber.js';
import type { Clock } from '../runtime/clock.js';
import { Fifo } from '../runtime/fifo.js';

/**
 * Items that a process has claimed and is not answered about yet, or that wait for one of its long polls which may be answered by
 * such an item.
 *
 * @limit {} items with `deliver: one` that a process asks for at a time
 * @over it leaves an item to the other processes and nodes
 */
export const MAX_ONE_UNDER_WAY = 1_000;

/** What {@link OneDelivery} is given. */
export interface OneDeliveryDeps {
  readonly registry: () => ChannelRegistry;
  /** Gives an item, which came so long ago by `performance.now`, to these subscribers. */
  readonly give: (
    delivery: Delivery,
    subscribers: ReadonlySet<Subscriber>,
    message: ItemMessage,
    since: number,
  ) => void;
  readonly clock: Clock;
  readonly log: Log;
  /** Left out: nothing is contained. */
  readonly faults?: Containment | undefined;
}

interface OneItem {
  readonly message: ItemMessage;
  readonly claim: ItemClaim;
  readonly delivery: Delivery;
  readonly since: number;
}

/** Those that could take an item; `isReserved`: one could, if it does not get another item before. */
interface Choice {
  readonly subscriber: Subscriber | undefined;
  readonly isReserved: boolean;
}

/**
 * Claims an item only where there is a subscriber that would write it now, and gives it to the one that was given such an item
 * longest ago. A response hold takes one item: while one is claimed for it, others wait for what comes of that.
 */
export class OneDelivery {
  readonly #deps: OneDeliveryDeps;
  readonly #losses: CauseLog;
  /** Response holds for which an item is being claimed. */
  readonly #reserved = new Set<Subscriber>();
  #waiting = new Fifo<OneItem>();
  #claimed = 0;
  /** Turns of those on patterns, by a count; those on a channel stand there in turn. */
  readonly #served = new WeakMap<Subscriber, number>();
  #count = 0;
  #isOver = false;

  constructor(deps: OneDeliveryDeps) {
    this.#deps = deps;
    this.#losses = new CauseLog(deps.log, deps.clock);
  }

  /** Takes part in who gets an item. One without a claim has come from a history, and is for nobody. */
  offer(message: ItemMessage): void {
    const { item, claim, prefix } = message;
    if (claim === undefined) return;
    if (this.#isOver || this.#claimed + this.#waiting.length >= MAX_ONE_UNDER_WAY) {
      claim.pass();
      return;
    }
    // Without a position: it is no part of what a client follows.
    const delivery = new Delivery(item, this.#deps.clock.monotonic(), undefined, undefined, prefix);
    this.#claim({ message, claim, delivery, since: performance.now() });
  }

  /** The node goes down: the others get what comes. */
  finish(): void {
    this.#isOver = true;
    this.#retry();
  }

  #claim(one: OneItem): void {
    const { subscriber, isReserved } = this.#isOver ? NOBODY : this.#choose(one);
    if (subscriber === undefined) {
      if (isReserved) this.#waiting.push(one);
      else one.claim.pass();
      return;
    }
    const granted = one.claim.take();
    if (granted === undefined) {
      this.#give(one, subscriber);
      return;
    }
    const reserved = kindRows[subscriber.kind].polls ? subscriber : undefined;
    if (reserved !== undefined) this.#reserved.add(reserved);
    this.#claimed++;
    const answered = granted.then((isGranted) => {
      this.#claimed--;
      if (reserved !== undefined) this.#reserved.delete(reserved);
      if (isGranted) this.#granted(one, reserved);
      this.#retry();
    });
    (this.#deps.faults ?? uncontained).watch('delivery', answered);
  }

  /** Those that wait are looked at again, in order. */
  #retry(): void {
    if (this.#waiting.length === 0) return;
    const waiting = this.#waiting;
    this.#waiting = new Fifo();
    for (let one = waiting.shift(); one !== undefined; one = waiting.shift()) this.#claim(one);
  }

  /** It goes to the response hold that is reserved for it; else to whose turn it is now, for others were claimed beside it. */
  #granted(one: OneItem, reserved: Subscriber | undefined): void {
    const isThere = reserved !== undefined && this.#takes(reserved, one);
    const found = isThere ? reserved : this.#choose(one).subscriber;
    if (found !== undefined) {
      this.#give(one, found);
      return;
    }
    const { channel } = one.delivery.item;
    const text = 'an item for one subscriber is lost: the one that it was claimed for has gone, and no other is here';
    this.#losses.warn(channel, { channel, id: one.message.id }, text);
  }

  #give(one: OneItem, subscriber: Subscriber): void {
    const { delivery, message, since } = one;
    if (delivery.prefix === undefined) this.#deps.registry().served(delivery.item.channel, subscriber);
    else this.#served.set(subscriber, ++this.#count);
    this.#deps.give(delivery, new Set([subscriber]), message, since);
  }

  #choose(one: OneItem): Choice {
    let isReserved = false;
    for (const subscriber of this.#inTurn(one)) {
      if (!this.#takes(subscriber, one)) continue;
      if (!this.#reserved.has(subscriber)) return { subscriber, isReserved };
      isReserved = true;
    }
    return { subscriber: undefined, isReserved };
  }

  #inTurn({ delivery: { item, prefix } }: OneItem): Iterable<Subscriber> {
    const registry = this.#deps.registry();
    if (prefix === undefined) return registry.of(item.channel);
    const receivers = registry.patterns.receivers(item.channel, prefix, registry.liveOf(item.channel));
    const turn = (subscriber: Subscriber) => this.#served.get(subscriber) ?? 0;
    return [...receivers].sort((a, b) => turn(a) - turn(b));
  }

  #takes(subscriber: Subscriber, { delivery }: OneItem): boolean {
    try {
      return subscriber.takes?.(delivery) ?? true;
    } catch (error) {
      (this.#deps.faults ?? uncontained).caught('delivery', error, subscriber);
      return false;
    }
  }
}

const NOBODY: Choice = { subscriber: undefined, isReserved: false };
