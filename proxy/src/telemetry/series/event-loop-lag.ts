/**
 * How late the event loop of this process is: the series that prom-client has of it, but measured ten times a second. Its own way
 * wakes the process a hundred times a second, which costs an idle one more than a percent of a core.
 */
import { type IntervalHistogram, monitorEventLoopDelay } from 'node:perf_hooks';

/** Between two measurements, in ms. What blocks the loop for longer is seen by one of them at least. */
const INTERVAL_MS = 100;

const NS = 1e9;

/** One of the series, in seconds. */
export interface LagSeries {
  readonly name: string;
  readonly help: string;
  /** What several processes make of it. */
  readonly aggregator: 'average' | 'min' | 'max';
  read(): number | Promise<number>;
}

/**
 * Measures from here on, and makes the series. Except for the first, which is measured when it is read, they are about the time
 * since `startOver` was last called.
 */
export class EventLoopLag {
  readonly #delays: IntervalHistogram = monitorEventLoopDelay({ resolution: INTERVAL_MS });
  readonly series: readonly LagSeries[] = [
    { name: '', help: 'Lag of event loop in seconds.', aggregator: 'average', read: turn },
    this.#row('min', 'The minimum recorded event loop delay.', 'min', ({ min }) => min),
    this.#row('max', 'The maximum recorded event loop delay.', 'max', ({ max }) => max),
    this.#row('mean', 'The mean of the recorded event loop delays.', 'average', ({ mean }) => mean),
    {
      name: 'stddev_',
      help: 'The standard deviation of the recorded event loop delays.',
      aggregator: 'average',
      read: () => (this.#delays.count === 0 ? 0 : this.#delays.stddev / NS),
    },
    ...[50, 90, 99].map((rank) =>
      this.#row(`p${rank}`, `The ${rank}th percentile of the recorded event loop delays.`, 'average', (delays) =>
        delays.percentile(rank),
      ),
    ),
  ];

  constructor() {
    this.#delays.enable();
  }

  /** Forgets what was measured. */
  startOver(): void {
    this.#delays.reset();
  }

  /** A delay, in ns, is the time from one measurement to the next: what of it is above the interval is lag. */
  #row(
    name: string,
    help: string,
    aggregator: LagSeries['aggregator'],
    delay: (delays: IntervalHistogram) => number,
  ): LagSeries {
    const read = () => (this.#delays.count === 0 ? 0 : Math.max(0, delay(this.#delays) / NS - INTERVAL_MS / 1_000));
    return { name: `${name}_`, help, aggregator, read };
  }
}

/** The time to the next turn of the loop, in seconds. */
function turn(): Promise<number> {
  const start = performance.now();
  return new Promise((resolve) => {
    setImmediate(() => resolve((performance.now() - start) / 1_000));
  });
}
