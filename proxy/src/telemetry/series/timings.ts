/** Durations counted in buckets: plain numbers, which the scrape reads. */

/** Upper bounds in seconds, for what takes from a part of a millisecond to some seconds. */
export const FAST_BUCKETS: readonly number[] = [
  0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5,
];

/** Upper bounds in seconds, for items on their way from Redis: as fast as these where all is well, and late by an outage. */
export const LAG_BUCKETS: readonly number[] = [
  0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5, 30,
];

/** Upper bounds in seconds, for requests. */
export const REQUEST_BUCKETS: readonly number[] = [
  0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30,
];

/** The observations of one series. */
export class Timings {
  readonly bounds: readonly number[];
  /** Observations above the bound before, up to this one; the last are above all bounds. */
  readonly counts: number[];
  /** Of all observations, in seconds. */
  sum = 0;

  /** `bounds` are in seconds, ascending. */
  constructor(bounds: readonly number[]) {
    this.bounds = bounds;
    this.counts = new Array<number>(bounds.length + 1).fill(0);
  }

  /** Counts a duration in ms; less than none is none. */
  observe(ms: number): void {
    const seconds = ms > 0 ? ms / 1_000 : 0;
    const { bounds, counts } = this;
    let at = 0;
    while (at < bounds.length && seconds > (bounds[at] as number)) at++;
    counts[at] = (counts[at] as number) + 1;
    this.sum += seconds;
  }
}
