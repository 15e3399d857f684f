// Adding up the histograms that the load prints, their quantiles, and their drawing as text.

/** @typedef {ReadonlyArray<readonly [number, number]>} Histogram  [µs, how many], rising */

/** @param {readonly Histogram[]} parts @returns {Histogram} */
export function addUp(parts) {
  const counts = new Map();
  for (const part of parts) for (const [us, count] of part) counts.set(us, (counts.get(us) ?? 0) + count);
  return [...counts].sort(([a], [b]) => a - b);
}

/** @param {Histogram} histogram */
export function countOf(histogram) {
  return histogram.reduce((sum, [, count]) => sum + count, 0);
}

/**
 * @param {Histogram} histogram
 * @param {number} share  0 to 1; 1 is the greatest value
 * @returns {number | undefined} µs, undefined of an empty one
 */
export function quantile(histogram, share) {
  const wanted = countOf(histogram) * share;
  let seen = 0;
  for (const [us, count] of histogram) {
    seen += count;
    if (seen >= wanted) return us;
  }
  return undefined;
}

/**
 * Lines of text, one for each of at most `rows` steps of equal width between the least and the greatest value.
 *
 * @param {Histogram} histogram
 * @param {number} [rows]
 */
export function draw(histogram, rows = 20) {
  const least = histogram[0]?.[0] ?? 0;
  const step = Math.max(((quantile(histogram, 1) ?? 0) - least) / rows, 1);
  const counts = new Array(rows).fill(0);
  for (const [us, count] of histogram) counts[Math.min(Math.floor((us - least) / step), rows - 1)] += count;
  const most = Math.max(...counts, 1);
  return counts.map((count, row) => {
    const ms = ((least + row * step) / 1000).toFixed(1).padStart(9);
    return `${ms} ms ${String(count).padStart(7)} ${'█'.repeat(Math.ceil((count / most) * 60))}`;
  });
}
