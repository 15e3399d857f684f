/** How work grows with what it is given. */

/** Runs of each size: the best of them has met the least of what else the machine does. */
const RUNS = 5;

/** So often a growth that is too much is measured again: what is quadratic is so each time. */
const TRIES = 4;

/** How many times as much the second size is. */
const FACTOR = 16;

/** Processor time in microseconds below which work is as good as none: it cannot be distinguished from the measuring. */
const LEAST = 100;

/**
 * Above this, work on sixteen times as much is no longer linear: quadratic work takes 256 times as long. Between them is
 * room for what the collection of much memory costs, of which a little needs none.
 */
export const LINEAR_MAX = 128;

/**
 * How many times as much processor time work on `16 * size` takes as on `size`, the best of several runs each. `prepare`
 * makes the work for a size, and is not measured. More than {@link LINEAR_MAX} is what came of all tries.
 */
export async function growth(size: number, prepare: (size: number) => () => unknown): Promise<number> {
  let least = Number.POSITIVE_INFINITY;
  for (let tries = 0; tries < TRIES && least > LINEAR_MAX; tries++)
    least = Math.min(least, await measure(size, prepare));
  return least;
}

async function measure(size: number, prepare: (size: number) => () => unknown): Promise<number> {
  const best = async (of: number) => {
    let least = Number.POSITIVE_INFINITY;
    for (let run = 0; run < RUNS; run++) {
      const work = prepare(of);
      // Of this process alone: other work on the machine does not count.
      const since = process.cpuUsage();
      await work();
      const { user, system } = process.cpuUsage(since);
      least = Math.min(least, user + system);
    }
    return least;
  };
  const small = Math.max(LEAST, await best(size));
  return (await best(FACTOR * size)) / small;
}
