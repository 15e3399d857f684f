// How fast something happened.

/**
 * The most that happened within any span of so many ms, wherever it begins.
 *
 * @param {readonly number[]} times  in order
 * @param {number} [span]
 */
export function most(times, span = 1_000) {
  let peak = 0;
  let first = 0;
  for (const [index, time] of times.entries()) {
    while (time - /** @type {number} */ (times[first]) >= span) first++;
    peak = Math.max(peak, index - first + 1);
  }
  return peak;
}
