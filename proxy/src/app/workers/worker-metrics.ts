/**
 * Owns: the series of a node that several processes make up. Does not own: counting (`metrics`), asking the workers.
 */
import type { Exposition } from '../../admin/server.js';
import { addSnapshots, exposeSnapshots, type Metrics, type MetricsSnapshot } from '../../telemetry/metrics.js';

/** Grow only: what a process has counted stays true when it has gone. */
const CUMULATIVE: ReadonlySet<string> = new Set(['counter', 'histogram']);

/**
 * Adds the series of the primary and of all workers up. What a worker had counted when it was last asked stays in the sum
 * after its end, so that no counter falls; what it counted since is lost.
 */
export class WorkerMetrics implements Exposition {
  readonly #own: Metrics;
  readonly #ask: () => Promise<ReadonlyMap<number, MetricsSnapshot>>;
  readonly #last = new Map<number, MetricsSnapshot>();
  /** Numbers of workers that have ended, and whose last series are in the sum. */
  readonly #retired = new Set<number>();
  #ended: MetricsSnapshot = [];

  /** `ask` resolves with the series of those workers that answer, by their number. */
  constructor(own: Metrics, ask: () => Promise<ReadonlyMap<number, MetricsSnapshot>>) {
    this.#own = own;
    this.#ask = ask;
  }

  get contentType(): string {
    return this.#own.contentType;
  }

  async expose(): Promise<string> {
    const [own, answers] = await Promise.all([this.#own.snapshot(), this.#ask()]);
    for (const [worker, snapshot] of answers) if (!this.#retired.has(worker)) this.#last.set(worker, snapshot);
    return exposeSnapshots([own, this.#ended, ...this.#last.values()]);
  }

  /** A worker has ended. */
  async retire(worker: number): Promise<void> {
    this.#retired.add(worker);
    const last = this.#last.get(worker);
    this.#last.delete(worker);
    if (last !== undefined) {
      const counted = last.filter(({ type }) => CUMULATIVE.has(type));
      this.#ended = await addSnapshots([this.#ended, counted]);
    }
  }
}
