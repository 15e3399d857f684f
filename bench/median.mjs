// The median of the figures of one run, for works and comparisons that take many; table.mjs has that of whole runs.

/** The upper one of the two in the middle where their number is even; NaN of none. @param {readonly number[]} values */
export function median(values) {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
}
