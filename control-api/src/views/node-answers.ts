/** What nodes and processes answer about a channel or a connection: reading such answers, and making one of several. */
import { type SubscriberKind, subscriberKinds, zeroCounts } from '@holdfast/grip';
import type { Position } from '../backplane/backplane.js';
import type { Question } from '../cluster/cluster.js';

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
 * because the later one is then unknown.
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

/** A hold or session as an operator sees it. */
export interface ConnectionView {
  /** Of its request, as in the logs. */
  readonly id: string;
  /** Connection-Id of a session; left out for holds. */
  readonly session?: string;
  readonly kind: SubscriberKind;
  /** Explicit id of its route; left out if it has none. */
  readonly route?: string;
  /** Textual IP address at the other end of the connection; empty on a unix socket. */
  readonly client: string;
  /** When it was held or opened: ISO 8601, UTC. */
  readonly since: string;
  /** Full names. */
  readonly channels: readonly string[];
  /** Items that were sent to it. */
  readonly items: number;
  /** Bytes that it has not taken yet. */
  readonly waiting: number;
}

/**
 * Reads what a node or process answered; undefined when it has no such connection. Only what distinguishes the two
 * is looked at: the rest is shown as it came, with whatever a newer node adds.
 */
export function readConnectionView(answer: unknown): ConnectionView | undefined {
  const { id, kind } = (answer ?? {}) as Record<string, unknown>;
  return typeof id === 'string' && typeof kind === 'string' ? (answer as ConnectionView) : undefined;
}

/**
 * The answer of a node whose processes gave these: subscribers are added up, of connections the first that was found counts.
 * Answers that cannot be read count as none. Called by the process that answers for the others.
 */
export function mergeAnswers(question: Question, answers: readonly unknown[]): unknown {
  switch (question.about) {
    case 'channel':
      return sumChannelViews(answers.map(readChannelView).filter((view) => view !== undefined));
    case 'connection':
      return answers.find((answer) => readConnectionView(answer) !== undefined) ?? null;
    case 'disconnect':
      return answers.includes(true);
  }
}
