/** The replay of what clients have missed: what serves holds and sessions from a history, and writes it as they take it. */
import { CauseLog, type Position } from '@holdfast/control-api';
import type { Delivery } from '../channels/delivery.js';
import type { SubscriberKind } from '../channels/subscriber.js';
import type { Config } from '../config/config.js';
import type { ChannelPositions } from '../delivery/item-delivery.js';
import type { Route } from '../routes/route.js';
import type { RouteTable } from '../routes/route-table.js';
import { InitialItems } from './initial.js';
import { HistoryReader, type HistoryReaderOptions } from './reader.js';
import { ResumeTokens, resumeKey } from './tokens.js';

/** Counts what is replayed from the history; implemented by the metrics. */
export interface ReplayEvents {
  /** An item was written to a client that had missed it. */
  itemReplayed(kind: SubscriberKind): void;
  /** A client has missed something: all of it is replayed, or it was found that history does not have it. */
  replayEnded(kind: SubscriberKind, complete: boolean): void;
}

/** Given to every hold and session where there is a history; the same for all. */
export interface ReplayDeps {
  readonly reader: HistoryReader;
  readonly initial: InitialItems;
  readonly tokens: ResumeTokens;
  readonly events: ReplayEvents;
  /** Whether holds of a route are served. Sessions go by `Route.resume`. */
  readonly isOn: (route: Route) => boolean;
  /** A client came with a token of which nothing could be made: one of another key, or none at all. Left out: nothing is logged. */
  readonly tokenIgnored?: ((isOfOtherKey: boolean) => void) | undefined;
  /** Up to where all items of a channel have been given out on this node, as far as any has come. */
  readonly latest: (channel: string) => Position | undefined;
}

/** What it is made from. */
interface ReplayMaking extends HistoryReaderOptions {
  readonly positions: Pick<ChannelPositions, 'latest' | 'newest'>;
  readonly events: ReplayEvents;
}

const OTHER_KEY =
  'it was signed with another key: give all nodes the same resume_key (or sig_key), and keep it over restarts';

/** Joins them, for one process. */
export function makeReplay(
  config: Pick<Config, 'historyReplay' | 'resumeKey' | 'sigKey'>,
  making: ReplayMaking,
): ReplayDeps {
  const { positions, events } = making;
  const ignored = new CauseLog(making.log, making.clock);
  const reader = new HistoryReader(making);
  return {
    reader,
    initial: new InitialItems({ reader, clock: making.clock, arrived: (channel) => positions.newest(channel) }),
    tokens: new ResumeTokens(resumeKey(config.resumeKey, config.sigKey)),
    events,
    isOn: (route) => route.history ?? config.historyReplay,
    tokenIgnored: (isOfOtherKey) => {
      const why = isOfOtherKey ? OTHER_KEY : 'it is no token of Holdfast, or not a whole one';
      ignored.warn(why, {}, `resume token ignored, so its client does not get what it missed: ${why}`);
    },
    latest: (channel) => positions.latest(channel),
  };
}

/** Whether any route is served from the history, so that one has to be kept. Cheap: a table is looked through once. */
export function wantsHistory(config: Pick<Config, 'historyReplay'>, table: () => RouteTable): () => boolean {
  let known: RouteTable | undefined;
  let wanted = false;
  return () => {
    const current = table();
    if (current !== known) {
      known = current;
      wanted = current.routes.some(({ history, resume }) => resume || (history ?? config.historyReplay));
    }
    return wanted;
  };
}

/** Where it is written to. The methods are called synchronously, one after the other. */
interface ReplayTarget {
  /** Writes one item, at once or after its filters. */
  write(delivery: Delivery): void;
  /** Whether the client cannot take more: `resume` follows. */
  isFull(): boolean;
  /** Calls `then` when all that was written has been through its filters: now, if none has to wait. */
  whenIdle(then: () => void): void;
  /** All is written. Not called after `stop`. */
  done(): void;
}

/** One run through what was missed. */
export class ReplayWriter {
  readonly #deliveries: readonly Delivery[];
  readonly #target: ReplayTarget;
  #next = 0;
  #waits = false;
  #over = false;

  /** Nothing is written before `resume`. */
  constructor(deliveries: readonly Delivery[], target: ReplayTarget) {
    this.#deliveries = deliveries;
    this.#target = target;
  }

  /** Goes on, as far as the client takes it. */
  resume(): void {
    while (!this.#over && !this.#waits && !this.#target.isFull()) {
      const delivery = this.#deliveries[this.#next++];
      if (delivery === undefined) {
        this.#over = true;
        this.#target.done();
        return;
      }
      this.#target.write(delivery);
      this.#waits = true;
      let now = true;
      this.#target.whenIdle(() => {
        this.#waits = false;
        if (!now) this.resume();
      });
      now = false;
    }
  }

  /** Writes no more. */
  stop(): void {
    this.#over = true;
  }
}
