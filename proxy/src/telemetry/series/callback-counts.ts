/** What is counted of callbacks, by the process that sends to them. */
import type { CallbackDrop, CallbackEnd, CallbackState } from '@holdfast/control-api';
import type { Series } from './series.js';

/** Takes the counts. */
export interface CallbackCounts {
  asked(kind: 'item' | 'challenge', result: 'taken' | 'refused' | 'failed'): void;
  dropped(reason: CallbackDrop, count: number): void;
  parked(): void;
  ended(reason: CallbackEnd): void;
  /** Says where the gauges read; called by the process that has them. */
  observe(callbacks: () => Readonly<Record<CallbackState, number>>, underWay: () => number): void;
}

/** Makes the series. */
export function callbackCounts(series: Series): CallbackCounts {
  const items = { taken: 0, refused: 0, failed: 0 };
  const challenges = { taken: 0, refused: 0, failed: 0 };
  const dropped: Record<CallbackDrop, number> = { backlog: 0, unreadable: 0, 'filter-failed': 0 };
  const over: Record<CallbackEnd | 'parked', number> = { parked: 0, gone: 0, expired: 0, closed: 0 };
  let countsOf = (): Readonly<Record<CallbackState, number>> => ({ pending: 0, active: 0, parked: 0 });
  let requests = () => 0;
  series.tally('callback_requests_total', 'Items sent to callbacks, by how it ended.', 'result', items);
  series.tally(
    'callback_challenges_total',
    'Requests that ask servers whether they want a callback, by how they ended.',
    'result',
    challenges,
  );
  series.tally('callback_items_dropped_total', 'Items that callbacks never get, by reason.', 'reason', dropped);
  series.tally(
    'callbacks_over_total',
    'Callbacks that were parked, or have ended by themselves, by reason.',
    'reason',
    over,
  );
  series.gauges('callbacks', 'Callbacks that this node sees to, by state.', ['state'], 'sum', () =>
    Object.entries(countsOf()).map(([state, count]) => [{ state }, count] as const),
  );
  series.gauge('callback_requests_open', 'Requests to callbacks under way.', () => requests());
  return {
    asked: (kind, result) => {
      (kind === 'item' ? items : challenges)[result]++;
    },
    dropped: (reason, count) => {
      dropped[reason] += count;
    },
    parked: () => {
      over.parked++;
    },
    ended: (reason) => {
      over[reason]++;
    },
    observe: (callbacks, underWay) => {
      countsOf = callbacks;
      requests = underWay;
    },
  };
}
