/**
 * The series of one process, of which the other files of this folder make theirs, and their exposition for Prometheus. The only
 * importer of prom-client.
 */
import { AggregatorRegistry, Counter, collectDefaultMetrics, Gauge, type Metric, Registry } from 'prom-client';
import { EventLoopLag } from './event-loop-lag.js';
import type { Timings } from './timings.js';

/** The series of one process, or of several together, at one moment: plain data. */
export type MetricsSnapshot = readonly { readonly name: string; readonly type: string }[];

/** Adds series of the same name and labels up, each as is right for it. */
export function addSnapshots(snapshots: readonly MetricsSnapshot[]): Promise<MetricsSnapshot> {
  return AggregatorRegistry.aggregate(
    snapshots as object[],
  ).getMetricsAsJSON() as Promise<unknown> as Promise<MetricsSnapshot>;
}

/** The sum of snapshots in Prometheus's text format. */
export function exposeSnapshots(snapshots: readonly MetricsSnapshot[]): Promise<string> {
  return AggregatorRegistry.aggregate(snapshots as object[]).metrics();
}

/** What several processes make of one gauge. */
export type Together = 'sum' | 'average' | 'min' | 'max';

/** Values by labels. */
export type Rows = Iterable<readonly [labels: Readonly<Record<string, string>>, value: number]>;

/** The longest time of a timer, in ms: 25 days. */
const RARELY_MS = 2 ** 31 - 1;

/** Makes series; names are given without the prefix, and no two may be the same. */
export class Series {
  readonly #registry = new Registry();
  readonly #prefix: string;

  /** `prefix` goes before every name. */
  constructor(prefix: string) {
    this.#prefix = prefix;
  }

  /** Adds those of node itself. */
  addDefaults(): void {
    // Its measurement of the event loop cannot be left out: it is made as rare as can be, and another takes its place.
    collectDefaultMetrics({ register: this.#registry, prefix: this.#prefix, eventLoopMonitoringPrecision: RARELY_MS });
    const lag = new EventLoopLag();
    for (const [at, { name, help, aggregator, read }] of lag.series.entries()) {
      const full = `nodejs_eventloop_lag_${name}seconds`;
      this.#registry.removeSingleMetric(`${this.#prefix}${full}`);
      const isLast = at === lag.series.length - 1;
      this.gauge(
        full,
        help,
        async () => {
          const value = await read();
          if (isLast) lag.startOver();
          return value;
        },
        aggregator,
      );
    }
  }

  /** A counter that counts by itself: for what is not frequent. */
  counter<L extends string>(name: string, help: string, ...labelNames: L[]): Counter<L> {
    return new Counter({ name: `${this.#prefix}${name}`, help, labelNames, registers: [this.#registry] });
  }

  /** A counter of a hot path: plain numbers, by label value, that prom-client is given only when it is scraped. */
  tally(name: string, help: string, label: string | undefined, counts: Readonly<Record<string, number>>): void {
    const labelsOf = (value: string) => (label === undefined ? {} : { [label]: value });
    this.collected(name, help, label === undefined ? [] : [label], () =>
      Object.entries(counts).map(([value, count]) => [labelsOf(value), count]),
    );
  }

  /** A counter whose values are asked for when it is scraped. */
  collected(name: string, help: string, labelNames: string[], rows: () => Rows): void {
    new Counter({
      name: `${this.#prefix}${name}`,
      help,
      labelNames,
      registers: [this.#registry],
      collect() {
        this.reset();
        for (const [labels, count] of rows()) this.inc(labels, count);
      },
    });
  }

  /** A gauge without labels that is asked for when it is scraped. */
  gauge(name: string, help: string, read: () => number | Promise<number>, aggregator: Together = 'sum'): void {
    new Gauge({
      name: `${this.#prefix}${name}`,
      help,
      registers: [this.#registry],
      aggregator,
      async collect() {
        this.set(await read());
      },
    });
  }

  /** A gauge with labels that is asked for when it is scraped. */
  gauges(
    name: string,
    help: string,
    labelNames: string[],
    aggregator: Together,
    rows: () => Rows | Promise<Rows>,
  ): void {
    new Gauge({
      name: `${this.#prefix}${name}`,
      help,
      labelNames,
      registers: [this.#registry],
      aggregator,
      async collect() {
        const values = await rows();
        this.reset();
        for (const [labels, value] of values) this.set(labels, value);
      },
    });
  }

  /** A histogram of what was timed, by the values of one label; without a label there is one row, of the empty text. */
  histogram(
    name: string,
    help: string,
    label: string | undefined,
    rows: () => Iterable<readonly [value: string, timings: Timings]>,
  ): void {
    const full = `${this.#prefix}${name}`;
    const about = { name: full, help, type: 'histogram', aggregator: 'sum' };
    const get = async () => {
      const values: { metricName: string; labels: Readonly<Record<string, string | number>>; value: number }[] = [];
      for (const [value, { bounds, counts, sum }] of rows()) {
        const own = label === undefined ? {} : { [label]: value };
        let count = 0;
        for (const [at, bucket] of counts.entries()) {
          count += bucket;
          values.push({ metricName: `${full}_bucket`, labels: { le: bounds[at] ?? '+Inf', ...own }, value: count });
        }
        values.push({ metricName: `${full}_sum`, labels: own, value: sum });
        values.push({ metricName: `${full}_count`, labels: own, value: count });
      }
      return { ...about, values };
    };
    this.#registry.registerMetric({ ...about, get, reset() {} } as unknown as Metric);
  }

  /** All series as data, for another process. */
  snapshot(): Promise<MetricsSnapshot> {
    return this.#registry.getMetricsAsJSON() as Promise<unknown> as Promise<MetricsSnapshot>;
  }

  /** All series in Prometheus's text format. */
  expose(): Promise<string> {
    return this.#registry.metrics();
  }

  /** The media type of `expose`. */
  get contentType(): string {
    return this.#registry.contentType;
  }
}
