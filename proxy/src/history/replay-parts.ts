/** What holds and sessions need to be served from the history, and what they report. */
import type { Position } from '@holdfast/control-api';
import type { SubscriberKind } from '../channels/subscriber.js';
import type { Route } from '../routes/route.js';
import type { HistoryReader } from './reader.js';
import type { ResumeTokens } from './tokens.js';

/** Counts what is replayed from the history; implemented by the metrics. */
export interface ReplayEvents {
  /** An item was written to a client that had missed it. */
  itemReplayed(kind: SubscriberKind): void;
  /** A client has missed something: all of it is replayed, or it was found that history does not have it. */
  replayEnded(kind: SubscriberKind, complete: boolean): void;
}

/** Given to every hold and session where there is a history; the same for all. */
export interface ReplayParts {
  readonly reader: HistoryReader;
  readonly tokens: ResumeTokens;
  readonly events: ReplayEvents;
  /** Whether holds of a route are served. Sessions go by `Route.resume`. */
  readonly isOn: (route: Route) => boolean;
  /** A client came with a token of which nothing could be made: one of another key, or none at all. Left out: nothing is logged. */
  readonly tokenIgnored?: ((isOfOtherKey: boolean) => void) | undefined;
  /** Up to where all items of a channel have been given out on this node, as far as any has come. */
  readonly latest: (channel: string) => Position | undefined;
}
