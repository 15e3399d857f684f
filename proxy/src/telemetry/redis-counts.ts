/** The counters of the Redis backplane. */
import type { RedisEvents } from '@holdfast/control-api';

/** A counter, of which one is added, or so many. */
interface Count {
  inc(labels?: Readonly<Record<string, string>> | number): void;
}

/** Makes the counters; `make` takes a name, a help text and names of labels. */
export function redisCounts(make: (name: string, help: string, ...labels: string[]) => Count): RedisEvents {
  const reconnects = make('redis_reconnects_total', 'Lost connections to Redis that came back.', 'kind');
  const recovered = make(
    'redis_items_recovered_total',
    'Items that did not come by themselves and were found in the history.',
  );
  const reads = make('redis_history_reads_total', 'Parts of histories read from Redis.');
  const retried = make(
    'redis_publishes_retried_total',
    'Messages sent to Redis once more, since it was not known whether they had arrived.',
  );
  const unreadable = make(
    'redis_unreadable_total',
    'Messages in Redis that could not be understood, and count as lost.',
  );
  return {
    reconnected: (kind) => reconnects.inc({ kind }),
    // Counted where it is acted upon: see `Metrics.itemsLost`.
    gap() {},
    holeFilled: (messages) => recovered.inc(messages),
    historyRead: () => reads.inc(),
    publishRetried: () => retried.inc(),
    unreadable: () => unreadable.inc(),
  };
}
