/**
 * What is known of one channel.
 *
 * Owns: its form, in answers of nodes and of processes, and adding them up. Does not own: counting (the proxy).
 */
import type { Position } from '../backplane/backplane.js';

/** Connections that are subscribed to a channel, by kind. */
export interface SubscriberCounts {
  /** Long polls. */
  readonly response: number;
  readonly stream: number;
  /** Sessions: WebSocket and SockJS. */
  readonly ws: number;
}

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
  const subscribers = { response: 0, stream: 0, ws: 0 };
  let position: Position | undefined;
  const epochs = new Set<string>();
  for (const view of views) {
    subscribers.response += view.subscribers.response;
    subscribers.stream += view.subscribers.stream;
    subscribers.ws += view.subscribers.ws;
    if (view.position === undefined) continue;
    epochs.add(view.position.epoch);
    if (position === undefined || view.position.offset > position.offset) position = view.position;
  }
  return { subscribers, ...(position !== undefined && epochs.size === 1 && { position }) };
}

/** Reads what a node or process answered; undefined when it is no view, as of a version that has another form. */
export function readChannelView(answer: unknown): ChannelView | undefined {
  const { subscribers, position } = (answer ?? {}) as { subscribers?: unknown; position?: unknown };
  const { response, stream, ws } = (subscribers ?? {}) as Record<string, unknown>;
  if (!isCount(response) || !isCount(stream) || !isCount(ws)) return undefined;
  const known = readPosition(position);
  return { subscribers: { response, stream, ws }, ...(known !== undefined && { position: known }) };
}

function readPosition(value: unknown): Position | undefined {
  const { epoch, offset } = (value ?? {}) as Record<string, unknown>;
  return typeof epoch === 'string' && isCount(offset) ? { epoch, offset } : undefined;
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}
