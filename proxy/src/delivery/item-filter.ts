/**
 * Runs the filters of one connection's subscriptions on items, in the order of the items even where a filter has to ask a
 * server.
 */
import {
  contentFilterMismatch,
  type FilterContext,
  type FilterPlan,
  ITEM_OVERHEAD,
  type Item,
  itemBytes,
  runFilters,
} from '@holdfast/grip';
import type { Subscription, SubscriptionList } from '../channels/subscription-list.js';
import type { HttpFilters } from '../links/http-filter.js';
import type { LinkScope } from '../links/link-scope.js';

/** What came of an item: the content to be sent, `drop`, or that a filter failed, as `error` says. */
export type Filtered =
  | { readonly result: 'send'; readonly content: Buffer }
  | { readonly result: 'drop' }
  | { readonly result: 'error'; readonly error: string };

const DROP: Filtered = { result: 'drop' };

/** Whether an item goes to this subscription as it is: nothing needs to be run, which is how it almost always is. */
export function passesFreely(plan: FilterPlan, contentFilters: readonly string[] | undefined): boolean {
  return plan.steps.length === 0 && (contentFilters === undefined || contentFilters.length === 0);
}

/** Whether an item would go to this subscription, as far as that can be known without asking a server. */
export function mayPass(
  list: SubscriptionList,
  plan: FilterPlan,
  item: Item,
  content: Buffer,
  contentFilters: readonly string[] | undefined,
): boolean {
  if (passesFreely(plan, contentFilters)) return true;
  if (contentFilterMismatch(plan, contentFilters) !== undefined) return false;
  try {
    return runFilters(plan, content, list.filterContext(item)).result !== 'drop';
  } catch {
    return false;
  }
}

/**
 * How many items of one connection may wait for the answers of servers. Beyond that an item is not delivered, and counted
 * as one whose filter failed.
 *
 * @limit {} items of one connection that wait while a filter asks a server about an earlier one
 * @over an item is not delivered, and counts as one whose filter failed
 */
const MAX_WAITING = 1_000;

/**
 * Bytes that they may take in memory, all of each item counted, and its content as filters have made it. As above.
 *
 * @limit {MiB} and one item of such waiting items
 * @over an item is not delivered, and counts as one whose filter failed
 */
const MAX_WAITING_BYTES = 4 * 2 ** 20;

/** The filters of one connection. Made when the first item needs one. */
export class ItemFilter {
  readonly #list: SubscriptionList;
  readonly #scope: LinkScope;
  readonly #http: HttpFilters;
  readonly #watch: (filtering: Promise<void>) => void;
  /** What is being asked, or waits for it. */
  #tail: Promise<void> | undefined;
  #waiting = 0;
  #bytes = 0;

  /** `watch` takes care of what `done` throws where an item had to wait. */
  constructor(list: SubscriptionList, scope: LinkScope, http: HttpFilters, watch: (filtering: Promise<void>) => void) {
    this.#list = list;
    this.#scope = scope;
    this.#http = http;
    this.#watch = watch;
  }

  /** Whether items before are still being asked about: later ones must come through here too, to stay behind them. */
  get isBusy(): boolean {
    return this.#tail !== undefined;
  }

  /** Calls `then` when nothing is being asked about any more: now, or after the last `done`. */
  whenIdle(then: () => void): void {
    if (this.#tail === undefined) then();
    else void this.#tail.then(() => this.whenIdle(then));
  }

  /**
   * Runs the filters of a subscription, then calls `done`: at once, unless a server has to be asked for this item or for
   * one before.
   */
  run(
    subscription: Subscription,
    item: Item,
    content: Buffer,
    contentFilters: readonly string[] | undefined,
    done: (filtered: Filtered) => void,
  ): void {
    const { plan } = subscription;
    if (this.#waiting === MAX_WAITING) {
      done({ result: 'error', error: `filter error: more than ${MAX_WAITING} items wait for a server` });
      return;
    }
    // At most one item more than may: how much filters make of it is known only then.
    if (this.#bytes > MAX_WAITING_BYTES) {
      done({ result: 'error', error: `filter error: more than ${MAX_WAITING_BYTES} bytes wait for a server` });
      return;
    }
    const context = this.#list.filterContext(item);
    const mismatch = contentFilterMismatch(plan, contentFilters);
    const filtered =
      mismatch === undefined
        ? this.#step(plan, item, context, content, 0)
        : ({ result: 'error', error: mismatch } as const);
    if (!(filtered instanceof Promise) && this.#tail === undefined) {
      done(filtered);
      return;
    }
    const made = 'result' in filtered && filtered.result === 'send' ? filtered.content : content;
    const bytes = itemBytes(item) + made.length + ITEM_OVERHEAD;
    this.#waiting++;
    this.#bytes += bytes;
    const before = this.#tail ?? Promise.resolve();
    const tail = Promise.all([filtered, before]).then(([outcome]) => {
      this.#waiting--;
      this.#bytes -= bytes;
      if (this.#tail === tail) this.#tail = undefined;
      done(outcome);
    });
    this.#tail = tail;
    this.#watch(tail);
  }

  /** `context` is of the moment when the item came: later ones may have come while a server was asked. */
  #step(
    plan: FilterPlan,
    item: Item,
    context: FilterContext,
    content: Buffer,
    from: number,
  ): Filtered | Promise<Filtered> {
    try {
      const outcome = runFilters(plan, content, context, from);
      if (outcome.result === 'send') return { result: 'send', content: outcome.content };
      if (outcome.result === 'drop') return DROP;
      const question = {
        filter: outcome.filter,
        scope: this.#scope,
        subMeta: context.subMeta,
        item,
        lastIds: context.prevIds,
        content: outcome.content,
      };
      return this.#http.ask(question).then(
        (answer) => (answer.drop ? DROP : this.#step(plan, item, context, answer.content, outcome.next)),
        (error: Error) => failed(error),
      );
    } catch (error) {
      return failed(error as Error);
    }
  }
}

function failed(error: Error): Filtered {
  return { result: 'error', error: `filter error: ${error.message}` };
}
