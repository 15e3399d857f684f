/** How long items take: to be published, and from their arrival here to the write to the last client. */
import type { ControlResult } from '@holdfast/control-api';
import { FLUSHED_SOON } from '../../runtime/flush-queue.js';
import type { Series } from './series.js';
import { FAST_BUCKETS, Timings } from './timings.js';

/** Plain numbers. */
export class ItemTimes {
  readonly #delivery = new Timings(FAST_BUCKETS);
  readonly #publish = new Map<ControlResult, Timings>();
  /** When the items of this turn have come, in ms, and to how many clients they go. */
  #arrivals: number[] = [];
  #receivers = 0;

  constructor(series: Series) {
    this.#publishOf('ok');
    series.histogram(
      'delivery_seconds',
      "Time from an item's arrival to the write to the last of its clients; once for each item and process.",
      undefined,
      () => [['', this.#delivery]],
    );
    series.histogram(
      'publish_seconds',
      'Time from a publish that was read to its acceptance or refusal, by result.',
      'result',
      () => this.#publish,
    );
  }

  published(result: ControlResult, ms: number): void {
    this.#publishOf(result).observe(ms);
  }

  /**
   * An item that came at `since`, by `performance.now`, was given to so many connections. They write by a `FlushQueue`: in a
   * microtask that is already queued where they are few, else at the end of the turn, as this looks at the time then.
   */
  delivered(receivers: number, since: number): void {
    this.#receivers += receivers;
    if (this.#arrivals.push(since) === 1) queueMicrotask(this.#decide);
  }

  readonly #decide = (): void => {
    const arrivals = this.#arrivals;
    const isLater = this.#receivers > FLUSHED_SOON;
    this.#arrivals = [];
    this.#receivers = 0;
    if (isLater) setImmediate(this.#observe, arrivals);
    else this.#observe(arrivals);
  };

  readonly #observe = (arrivals: readonly number[]): void => {
    const now = performance.now();
    for (const since of arrivals) this.#delivery.observe(now - since);
  };

  #publishOf(result: ControlResult): Timings {
    const known = this.#publish.get(result);
    if (known !== undefined) return known;
    const timings = new Timings(FAST_BUCKETS);
    this.#publish.set(result, timings);
    return timings;
  }
}
