/** Owns: how work grows with what it is given. Does not own: the work. */

/** Runs of each size: the best of them has met the least of what else the machine does. */
const RUNS = 5;

/** Above this, work on four times as much is no longer linear: quadratic work takes sixteen times as long. */
export const LINEAR_MAX = 10;

/**
 * How many times as long work on `4 * size` takes as on `size`, the best of several runs each. `prepare` makes the work
 * for a size, and is not measured.
 */
export async function growth(size: number, prepare: (size: number) => () => unknown): Promise<number> {
  const best = async (of: number) => {
    let least = Number.POSITIVE_INFINITY;
    for (let run = 0; run < RUNS; run++) {
      const work = prepare(of);
      // Of this process alone: other work on the machine does not count.
      const since = process.cpuUsage();
      await work();
      const { user, system } = process.cpuUsage(since);
      least = Math.min(least, Math.max(1, user + system));
    }
    return least;
  };
  const small = await best(size);
  return (await best(4 * size)) / small;
}
