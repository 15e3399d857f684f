/** The filters of one subscription in order: those that decide on delivery, running all that query no server, and comparing. */
import type { Buffer } from 'node:buffer';
import { type ContentFilter, contentFilters } from './content-filters.js';
import { type FilterContext, type FilterName, isKnownFilter, messageContentFilters } from './filter.js';

/** Whether the item may go on to this connection. Never throws. */
export type DeliveryFilter = (context: FilterContext) => boolean;

/** Drops what the connection's own user has sent. */
function skipSelf({ subMeta, pubMeta }: FilterContext): boolean {
  const sender = pubMeta.sender;
  return !sender || sender !== subMeta.get('user');
}

/** The names in the `skip_users` of an item, by its meta: a list may be long, and it is looked at for every subscriber. */
const skipped = new WeakMap<object, ReadonlySet<string>>();

function namesIn(list: string, pubMeta: object): ReadonlySet<string> {
  let names = skipped.get(pubMeta);
  if (names === undefined) {
    names = new Set(list.split(',').map((name) => name.trim()));
    skipped.set(pubMeta, names);
  }
  return names;
}

/** Drops what is not meant for the connection's user: `skip_users` is a list with commas, spaces around names allowed. */
function skipUsers({ subMeta, pubMeta }: FilterContext): boolean {
  const list = pubMeta.skip_users;
  const user = subMeta.get('user');
  if (!list || !user) return true;
  return !namesIn(list, pubMeta).has(user);
}

/** Drops what only subscribers of another channel may see. */
function requireSub({ pubMeta, isSubscribed }: FilterContext): boolean {
  const channel = pubMeta.require_sub;
  return !channel || isSubscribed(channel);
}

/** The filters of this file by name. */
export const deliveryFilters: ReadonlyMap<string, DeliveryFilter> = new Map<FilterName, DeliveryFilter>([
  ['skip-self', skipSelf],
  ['skip-users', skipUsers],
  ['require-sub', requireSub],
]);

/** A filter that asks a server: the caller sends the request. */
export type HttpFilterName = 'http-check' | 'http-modify';

/** One filter of a subscription, ready to run. */
export type FilterStep =
  | { readonly kind: 'delivery'; readonly name: FilterName; readonly delivers: DeliveryFilter }
  | { readonly kind: 'content'; readonly name: FilterName; readonly rewrite: ContentFilter }
  | { readonly kind: 'http'; readonly name: HttpFilterName };

/** The filters of a subscription, made once for all its items. */
export interface FilterPlan {
  /**
   * The known filters in the order in which they were named. Empty for most subscriptions: test for that before making
   * a context, and nothing needs to be run.
   */
  readonly steps: readonly FilterStep[];
  /** Names of those that rewrite content, for {@link contentFilterMismatch}. */
  readonly contentFilters: readonly string[];
}

/** The plan of a subscription without filters. */
export const noFilters: FilterPlan = { steps: [], contentFilters: [] };

/** Makes the plan for the filters of a subscription. Unknown names are ignored; the caller has checked their number. */
export function planFilters(names: readonly string[]): FilterPlan {
  const steps = names.filter(isKnownFilter).map(stepOf);
  return steps.length === 0 ? noFilters : { steps, contentFilters: messageContentFilters(names) };
}

function stepOf(name: FilterName): FilterStep {
  const delivers = deliveryFilters.get(name);
  if (delivers) return { kind: 'delivery', name, delivers };
  const rewrite = contentFilters.get(name);
  if (rewrite) return { kind: 'content', name, rewrite };
  return { kind: 'http', name: name as HttpFilterName };
}

/** What came of running a plan. */
export type FilterOutcome =
  /** To be delivered. `content` is the very same Buffer as given if no filter changed it. */
  | { readonly result: 'send'; readonly content: Buffer }
  /** Not to be delivered. */
  | { readonly result: 'drop'; readonly filter: FilterName }
  /** To be asked for, with `content` as it is by now; if the answer is not to drop, go on from step `next`. */
  | { readonly result: 'http'; readonly filter: HttpFilterName; readonly content: Buffer; readonly next: number };

/**
 * Runs the filters from step `from` on, in order, until one drops the item, one needs a request, or all have run. An
 * item without content (an action) is given empty content. Throws ERR_GRIP_FILTER with Pushpin's text, without the
 * `filter error: ` before it: the item cannot be delivered to this connection.
 */
export function runFilters(plan: FilterPlan, content: Buffer, context: FilterContext, from = 0): FilterOutcome {
  const { steps } = plan;
  for (let i = from; i < steps.length; i++) {
    const step = steps[i] as FilterStep;
    if (step.kind === 'http') return { result: 'http', filter: step.name, content, next: i + 1 };
    if (step.kind === 'content') content = step.rewrite(content, context);
    else if (!step.delivers(context)) return { result: 'drop', filter: step.name };
  }
  return { result: 'send', content };
}

/**
 * What is wrong if an item's content-filters are not exactly those of the subscription, in order: the text of the error.
 * Undefined if they are, or if the item does not name any.
 */
export function contentFilterMismatch(plan: FilterPlan, wanted: readonly string[] | undefined): string | undefined {
  if (wanted === undefined) return undefined;
  const own = plan.contentFilters;
  if (own.length === wanted.length && own.every((name, i) => name === wanted[i])) return undefined;
  return `content filter mismatch: subscription=${own.join(',')} message=${wanted.join(',')}`;
}
