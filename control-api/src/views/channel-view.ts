/** One channel as nodes and processes answer it, and the sum of such answers. */
import { type SubscriberKind, subscriberKinds, zeroCounts } from '@holdfast/grip';
import type { Position } from '../backplane/backplane.js';

/**
 * Connections that are subscribed to a channel, by kind: `response` are long polls, `ws` are sessions of WebSocket and SockJS.
 */
export type SubscriberCounts = Readonly<Record<SubscriberKind, number>>;

/** A channel as one process, one node or all of them see it. */
export interface ChannelView {
  readonly subscribers: SubscriberCounts;
  /** Of the last item that was seen; left out where none was since the first subscriber, and where items are not counted. */
  readonly position?: Position;
}

/**
 * Several views in one: subscribers are added up. The position is the furthest; left out if the views differ in the epoch,
 * for then it cannot be told which is the later.
 */
export function sumChannelViews(views: readonly ChannelView[]): ChannelView {
  const subscribers = zeroCounts();
  let position: Position | undefined;
  const epochs = new Set<string>();
  for (const view of views) {
    for (const kind of subscriberKinds) subscribers[kind] += view.subscribers[kind];
    if (view.position === undefined) continue;
    epochs.add(view.position.epoch);
    if (position === undefined || view.position.offset > position.offset) position = view.position;
  }
  return { subscribers, ...(position !== undefined && epochs.size === 1 && { position }) };
}

/** Reads what a node or process answered; undefined when it is no view, as of a version that has another form. */
export function readChannelView(answer: unknown): ChannelView | undefined {
  const { subscribers, position } = (answer ?? {}) as { subscribers?: unknown; position?: unknown };
  const given = (subscribers ?? {}) as Record<string, unknown>;
  const counts = zeroCounts();
  for (const kind of subscriberKinds) {
    const count = given[kind];
    if (!isCount(count)) return undefined;
    counts[kind] = count;
  }
  const known = readPosition(position);
  return { subscribers: counts, ...(known !== undefined && { position: known }) };
}

function readPosition(value: unknown): Position | undefined {
  const { epoch, offset } = (value ?? {}) as Record<string, unknown>;
  return typeof epoch === 'string' && isCount(offset) ? { epoch, offset } : undefined;
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}
