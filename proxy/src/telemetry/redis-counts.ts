/** What is counted of the Redis backplane, by the process that has it. */
import type { RedisEvents } from '@holdfast/control-api';
import type { Series } from './series/series.js';
import { LAG_BUCKETS, Timings } from './series/timings.js';

/** Makes the series. */
export function redisCounts(series: Series): RedisEvents {
  const lag = new Timings(LAG_BUCKETS);
  series.histogram(
    'backplane_lag_seconds',
    'Time from the acceptance of an item by Redis to its arrival on this node, by the clock of Redis.',
    undefined,
    () => [['', lag]],
  );
  const reconnects = series.counter('redis_reconnects_total', 'Lost connections to Redis that came back.', 'kind');
  const recovered = series.counter(
    'redis_items_recovered_total',
    'Items that did not come by themselves and were found in the history.',
  );
  const reads = series.counter('redis_history_reads_total', 'Parts of histories read from Redis.');
  const retried = series.counter(
    'redis_publishes_retried_total',
    'Messages sent to Redis once more, since it was not known whether they had arrived.',
  );
  const unreadable = series.counter(
    'redis_unreadable_total',
    'Messages in Redis that could not be understood, and count as lost.',
  );
  return {
    itemCame: (lagMs) => lag.observe(lagMs),
    reconnected: (kind) => reconnects.inc({ kind }),
    // Counted where it is acted upon: see `Metrics.itemsLost`.
    gap() {},
    holeFilled: (messages) => recovered.inc(messages),
    historyRead: () => reads.inc(),
    publishRetried: () => retried.inc(),
    unreadable: () => unreadable.inc(),
  };
}
