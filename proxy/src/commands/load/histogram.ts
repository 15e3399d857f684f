/** Durations as counts in steps of 1.6 %: recorded, added up over processes and machines, their quantiles, and their drawing as text. */

/** [µs, how many], rising. The bench's load generator prints the same. */
export type Histogram = readonly (readonly [us: number, count: number])[];

/** 64 steps to each power of two; below 64 µs each value has its own. */
const STEP_BITS = 6;
const STEPS = 2 ** STEP_BITS;
/** What Math.clz32 can take; over an hour. */
const LONGEST_US = 2 ** 32 - 1;
const BUCKETS = STEPS * (33 - STEP_BITS);

function bucketOf(us: number): number {
  const exponent = us < STEPS ? 0 : 31 - Math.clz32(us) - STEP_BITS;
  return exponent * STEPS + Math.floor(us / 2 ** exponent);
}

/** The middle of a bucket in µs. */
function middleOf(bucket: number): number {
  const exponent = bucket < 2 * STEPS ? 0 : Math.floor(bucket / STEPS) - 1;
  return (bucket - exponent * STEPS) * 2 ** exponent + (2 ** exponent - 1) / 2;
}

/** Counts durations as they come; its size does not depend on how many. */
export class Recorder {
  readonly #counts = new Float64Array(BUCKETS);
  #count = 0;

  /** A duration of more than an hour counts as an hour, one below 0 (clocks of two machines) as 0. */
  add(ms: number): void {
    const us = Math.min(Math.max(Math.round(ms * 1_000), 0), LONGEST_US);
    const bucket = bucketOf(us);
    this.#counts[bucket] = (this.#counts[bucket] as number) + 1;
    this.#count++;
  }

  get count(): number {
    return this.#count;
  }

  read(): Histogram {
    const pairs: [number, number][] = [];
    this.#counts.forEach((count, bucket) => {
      if (count > 0) pairs.push([middleOf(bucket), count]);
    });
    return pairs;
  }

  /** As {@link quantile}. */
  quantile(share: number): number | undefined {
    const wanted = this.#count * share;
    let seen = 0;
    for (let bucket = 0; this.#count > 0 && bucket < BUCKETS; bucket++) {
      const count = this.#counts[bucket] as number;
      seen += count;
      if (count > 0 && seen >= wanted) return middleOf(bucket);
    }
    return undefined;
  }

  clear(): void {
    this.#counts.fill(0);
    this.#count = 0;
  }
}

/** The histogram of everything together. */
export function addUp(parts: readonly Histogram[]): Histogram {
  const counts = new Map<number, number>();
  for (const part of parts) for (const [us, count] of part) counts.set(us, (counts.get(us) ?? 0) + count);
  return [...counts].sort(([a], [b]) => a - b);
}

/** How many durations it has. */
export function countOf(histogram: Histogram): number {
  return histogram.reduce((sum, [, count]) => sum + count, 0);
}

/** In µs; undefined of an empty one. `share` is 0 to 1, and 1 the greatest value. */
export function quantile(histogram: Histogram, share: number): number | undefined {
  const wanted = countOf(histogram) * share;
  let seen = 0;
  for (const [us, count] of histogram) {
    seen += count;
    if (seen >= wanted) return us;
  }
  return undefined;
}

/** Lines of text, one for each of `rows` steps of equal width between the least and the greatest value. */
export function draw(histogram: Histogram, rows = 20): string[] {
  const least = histogram[0]?.[0] ?? 0;
  const step = Math.max(((quantile(histogram, 1) ?? 0) - least) / rows, 1);
  const counts: number[] = new Array(rows).fill(0);
  for (const [us, count] of histogram) {
    const row = Math.min(Math.floor((us - least) / step), rows - 1);
    counts[row] = (counts[row] ?? 0) + count;
  }
  const most = Math.max(...counts, 1);
  return counts.map((count, row) => {
    const ms = ((least + row * step) / 1000).toFixed(1).padStart(9);
    return `${ms} ms ${String(count).padStart(7)} ${'█'.repeat(Math.ceil((count / most) * 60))}`;
  });
}
