/** What the history has of channels whose holds go by ids (`prev-id`), and which live items it has brought already. */
import type { Position } from '@holdfast/control-api';
import type { Delivery } from '../channels/delivery.js';
import type { Subscription } from '../channels/subscription-list.js';
import type { Sequencer } from '../delivery/sequencer.js';
import type { ReplayDeps } from './replay.js';

/** Up to where each channel was replayed from the history, by full name. */
export type ReplayedUpTo = Map<string, Position>;

/**
 * Whether a live item was replayed from the history already. One of another epoch was not: it was accepted after positions
 * were counted anew.
 */
export function wasReplayed({ item, position }: Delivery, upTo: ReadonlyMap<string, Position>): boolean {
  if (position === undefined) return false;
  const end = upTo.get(item.channel);
  return end !== undefined && end.epoch === position.epoch && position.offset <= end.offset;
}

/**
 * Whether the items follow one another by their prev-ids, the first the one with this id: only then does a hold that goes
 * by ids have all of them.
 */
export function isChain(deliveries: readonly Delivery[], prevId: string): boolean {
  let last: string | undefined = prevId;
  for (const { item } of deliveries) {
    if (last === undefined || item.prevId !== last) return false;
    last = item.id;
  }
  return true;
}

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
  }: Pick<ReplayDeps, 'reader'> & {
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
