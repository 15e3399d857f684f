/** How many subscribers of all nodes an item can reach: what each process counts, and what that is for an item. */
import { formatKeys, type Item, kindRows, type SubscriberKind, subscriberKinds, zeroCounts } from '@holdfast/grip';
import type { NodeAnswer } from '../cluster/cluster.js';
import { readCounts } from './connection-answers.js';

/**
 * Connections that are subscribed to a channel, by kind: `response` are long polls, `ws` are sessions of WebSocket and SockJS.
 */
export type SubscriberCounts = Readonly<Record<SubscriberKind, number>>;

/**
 * Channels of one publish whose subscribers are counted on all nodes.
 *
 * @limit {} channels of one publish whose reach is counted
 * @over receipts of items on the others have no `reach`
 */
export const REACH_CHANNELS = 1_000;

/**
 * Milliseconds that a publisher can have the nodes take to count; its items wait meanwhile.
 *
 * @limit {s} for nodes to count the reach of a publish, or what `Prefer: wait` says if that is less
 * @over the others are named as silent
 */
export const REACH_MAX_MS = 10_000;

/** The channels of items that are counted, each once. */
export function reachChannels(items: readonly Pick<Item, 'channel'>[]): readonly string[] {
  const channels = new Set<string>();
  for (const { channel } of items) {
    channels.add(channel);
    if (channels.size === REACH_CHANNELS) break;
  }
  return [...channels];
}

/** The counts that a node or process answered for so many channels; undefined when they cannot be read. */
export function readReach(answer: unknown, channels: number): readonly SubscriberCounts[] | undefined {
  if (!Array.isArray(answer) || answer.length !== channels) return undefined;
  const read: SubscriberCounts[] = [];
  for (const given of answer as readonly unknown[]) {
    const counts = readCounts(given);
    if (counts === undefined) return undefined;
    read.push(counts);
  }
  return read;
}

/** Several answers in one, by channel; those that cannot be read count as none. */
export function sumReach(channels: number, answers: readonly unknown[]): readonly SubscriberCounts[] {
  const sums = Array.from({ length: channels }, zeroCounts);
  for (const answer of answers) {
    for (const [at, counts] of (readReach(answer, channels) ?? []).entries()) {
      const sum = sums[at] as Record<keyof SubscriberCounts, number>;
      for (const kind of subscriberKinds) sum[kind] += counts[kind];
    }
  }
  return sums;
}

/** What the nodes have counted for a publish, before it was handed over: delivery ends long polls. */
export class Reach {
  readonly #all: ReadonlyMap<string, SubscriberCounts>;
  readonly #own: ReadonlyMap<string, SubscriberCounts> | undefined;
  /** Ids of nodes that did not answer in time: their subscribers are missing. */
  readonly silent: readonly string[];

  /** `own` is the id of the node that asked. */
  constructor(
    channels: readonly string[],
    answers: readonly NodeAnswer[],
    silent: readonly string[],
    own: string | undefined,
  ) {
    const byChannel = (of: readonly NodeAnswer[]) => {
      const sums = sumReach(
        channels.length,
        of.map(({ answer }) => answer),
      );
      return new Map(channels.map((channel, at) => [channel, sums[at] as SubscriberCounts]));
    };
    this.#all = byChannel(answers);
    const ownAnswers = answers.filter(({ node }) => node === own);
    this.#own = ownAnswers.length === 0 ? undefined : byChannel(ownAnswers);
    this.silent = silent;
  }

  /**
   * Subscribers of the item's channel, by kind; 0 of a kind for which the item has no format. Filters may still keep it from some.
   * Undefined for a channel that was not counted.
   */
  of({ channel, formats }: Pick<Item, 'channel' | 'formats'>): SubscriberCounts | undefined {
    const counts = this.#all.get(channel);
    if (counts === undefined) return undefined;
    const fit = zeroCounts();
    for (const kind of subscriberKinds) if (formats[kindRows[kind].key] !== undefined) fit[kind] = counts[kind];
    return fit;
  }

  /** Subscribers of the channel on the node that asked, whatever their kind; undefined where it did not answer itself. */
  onOwnNode(channel: string): number | undefined {
    const counts = this.#own?.get(channel);
    return counts && subscriberKinds.reduce((sum, kind) => sum + counts[kind], 0);
  }
}

/** Whether an item has a format for any kind of subscriber. */
export function fitsSomebody({ formats }: Pick<Item, 'formats'>): boolean {
  for (const key of formatKeys) if (formats[key] !== undefined) return true;
  return false;
}
