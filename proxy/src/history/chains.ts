/** What the history has of channels whose holds go by ids (`prev-id`): chains of items that follow one another. */
import type { Delivery } from '../channels/delivery.js';
import type { Subscription } from '../channels/subscription-list.js';
import type { Sequencer } from '../delivery/sequencer.js';
import { isChain, type ReplayedUpTo } from './merge.js';
import type { ReplayParts } from './replay-parts.js';

/** What was missed on some channels, in order on each. */
export interface Chains {
  readonly deliveries: readonly Delivery[];
  readonly upTo: ReplayedUpTo;
}

/** Those of which the node cannot say that nothing has passed since: another id was last, or it knows of none. */
export function unverified(
  subscriptions: Iterable<Subscription>,
  sequencer: Pick<Sequencer, 'lastId'>,
): Subscription[] {
  return [...subscriptions].filter(
    ({ channel, prevId }) => prevId !== undefined && sequencer.lastId(channel) !== prevId,
  );
}

/**
 * Reads what follows the last ids of these subscriptions. Undefined unless all of it is there, each item naming the one
 * before, and reaching what has passed on this node; and where a `hint` is among it, which only the origin can explain.
 */
export async function readChains(
  subscriptions: readonly Subscription[],
  kind: 'response' | 'stream',
  {
    reader,
    sequencer,
    live,
  }: Pick<ReplayParts, 'reader'> & {
    readonly sequencer: Pick<Sequencer, 'lastId'>;
    readonly live: Promise<void> | undefined;
  },
): Promise<Chains | undefined> {
  const wanted = subscriptions.flatMap(({ channel, prevId }) =>
    prevId === undefined ? [] : [{ channel, prevId, lastId: sequencer.lastId(channel) }],
  );
  const all = await Promise.all(wanted.map(({ channel, prevId }) => reader.read(channel, { afterId: prevId }, live)));
  const deliveries: Delivery[] = [];
  const upTo: ReplayedUpTo = new Map();
  for (const [i, { channel, prevId, lastId }] of wanted.entries()) {
    const missed = all[i];
    if (missed === undefined || !isChain(missed.deliveries, prevId)) return undefined;
    const reaches =
      lastId === undefined || lastId === prevId || missed.deliveries.some(({ item }) => item.id === lastId);
    if (!reaches || missed.deliveries.some((delivery) => delivery[kind]?.action === 'hint')) return undefined;
    deliveries.push(...missed.deliveries);
    upTo.set(channel, missed.end);
  }
  return { deliveries, upTo };
}
