/** What processes and nodes answer to questions about connections: reading it, and several answers in one. */
import { type SubscriberKind, subscriberKinds, zeroCounts } from '@holdfast/grip';
import type { ConnectionQuestion } from '../cluster/connection-questions.js';
import { mergePages, type Page, type RowKind, readPage } from './pages.js';

/** A hold or session as an operator sees it. */
export interface ConnectionView {
  /** Of its request, as in the logs. */
  readonly id: string;
  /** Connection-Id of a session; left out for holds. */
  readonly session?: string;
  readonly kind: SubscriberKind;
  /** Explicit id of its route; left out if it has none. */
  readonly route?: string;
  /** The meta `user` that its origin has set; left out if there is none, or it is longer than `USER_NAME_BYTES`. */
  readonly user?: string;
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
  /** When its time is over, as its origin has said: ISO 8601, UTC; left out if it has not. */
  readonly expires?: string;
}

/**
 * Reads what a node or process answered; undefined when it has no such connection. Only what distinguishes the two
 * is looked at: the rest is shown as it came, with whatever a newer node adds.
 */
export function readConnectionView(answer: unknown): ConnectionView | undefined {
  const { id, kind } = (answer ?? {}) as Record<string, unknown>;
  return typeof id === 'string' && typeof kind === 'string' ? (answer as ConnectionView) : undefined;
}

/** Connections by kind: `response` are long polls, `ws` are sessions of WebSocket and SockJS. */
export type KindCounts = Readonly<Record<SubscriberKind, number>>;

/** A channel in a list. */
export interface ChannelRow {
  readonly channel: string;
  readonly subscribers: KindCounts;
}

/**
 * What is known of a connection or user. `ended`: it was there, and is not any more; only the last ones are remembered.
 */
export type Known = 'here' | 'ended' | 'never';

/** What became of an order to end connections, or to give them an item. */
export interface OrderResult {
  readonly known: Known;
  /** Connections that it was for. */
  readonly connections: number;
  /** Those of them that took it: an item has to have a format that fits. */
  readonly taken: KindCounts;
}

/**
 * What became of an order to subscribe. `unfit`: it is a long poll, which ends with its first item; `full`: it would have too many
 * channels. Nothing has changed then.
 */
export interface SubscribeResult {
  readonly known: Known;
  readonly refused?: 'unfit' | 'full';
  /** The channels that it is on now, by their full names; left out where nothing was done. */
  readonly channels?: readonly string[];
}

/** As rows of a list. An id is of one process: of two views with one id, which cannot be, one is shown. */
export const connectionRows: RowKind<ConnectionView> = { keyOf: ({ id }) => id, join: (one) => one };

/** As rows of a list: the subscribers of several processes are added up. */
export const channelRows: RowKind<ChannelRow> = {
  keyOf: ({ channel }) => channel,
  join: ({ channel, subscribers: one }, { subscribers: other }) => ({ channel, subscribers: addCounts([one, other]) }),
};

/** Reads a page of connections; undefined where it is none. */
export function readConnectionPage(answer: unknown): Page<ConnectionView> | undefined {
  return readPage(answer, readConnectionView);
}

/** Reads a page of channels; undefined where it is none. */
export function readChannelPage(answer: unknown): Page<ChannelRow> | undefined {
  return readPage(answer, (row) => {
    const { channel, subscribers } = (row ?? {}) as Record<string, unknown>;
    const counts = readCounts(subscribers);
    return typeof channel === 'string' && counts !== undefined ? { channel, subscribers: counts } : undefined;
  });
}

/** Reads the result of an order; undefined where it is none. */
export function readOrderResult(answer: unknown): OrderResult | undefined {
  const { known, connections, taken } = (answer ?? {}) as Record<string, unknown>;
  const counts = readCounts(taken);
  return isKnown(known) && isCount(connections) && counts !== undefined
    ? { known, connections, taken: counts }
    : undefined;
}

/** Reads the result of an order to subscribe; undefined where it is none. */
export function readSubscribeResult(answer: unknown): SubscribeResult | undefined {
  const { known, refused, channels } = (answer ?? {}) as Record<string, unknown>;
  if (!isKnown(known)) return undefined;
  if (refused === 'unfit' || refused === 'full') return { known, refused };
  const areNames = Array.isArray(channels) && channels.every((channel) => typeof channel === 'string');
  return areNames ? { known, channels: channels as readonly string[] } : { known };
}

/** Several results of one order: the best that is known, and the sums. */
export function sumOrderResults(results: readonly OrderResult[]): OrderResult {
  return {
    known: bestKnown(results),
    connections: results.reduce((sum, { connections }) => sum + connections, 0),
    taken: addCounts(results.map(({ taken }) => taken)),
  };
}

/** `here`, where any says so; else `ended`, where any does. */
export function bestKnown(results: readonly { readonly known: Known }[]): Known {
  const known = new Set(results.map((result) => result.known));
  return (['here', 'ended'] as const).find((one) => known.has(one)) ?? 'never';
}

/**
 * The answer of a node whose processes gave these, to a question about connections. Answers that cannot be read count as none.
 */
export function mergeConnectionAnswers(question: ConnectionQuestion, answers: readonly unknown[]): unknown {
  const all = <Value>(read: (answer: unknown) => Value | undefined): Value[] =>
    answers.map(read).filter((value) => value !== undefined);
  switch (question.about) {
    case 'connections':
      return mergePages(all(readConnectionPage), question.limit, connectionRows);
    case 'channels':
      return mergePages(all(readChannelPage), question.limit, channelRows);
    case 'disconnect-user':
    case 'deliver':
      return sumOrderResults(all(readOrderResult));
    case 'subscribe': {
      const results = all(readSubscribeResult);
      const known = bestKnown(results);
      return results.find((result) => result.known === known) ?? { known };
    }
  }
}

function addCounts(all: readonly KindCounts[]): KindCounts {
  const sum = zeroCounts();
  for (const counts of all) for (const kind of subscriberKinds) sum[kind] += counts[kind];
  return sum;
}

/** Reads counts by kind; undefined where one is missing or is none. */
export function readCounts(value: unknown): KindCounts | undefined {
  const given = (value ?? {}) as Record<string, unknown>;
  const counts = zeroCounts();
  // A node of an earlier version has no count of a kind that it does not know.
  const counted = subscriberKinds.filter((kind) => given[kind] !== undefined);
  if (counted.length === 0) return undefined;
  for (const kind of counted) {
    const count = given[kind];
    if (!isCount(count)) return undefined;
    counts[kind] = count;
  }
  return counts;
}

function isKnown(value: unknown): value is Known {
  return value === 'here' || value === 'ended' || value === 'never';
}

/** Whether a value is a number of things. */
export function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}
