/** Owns: waiting for what no event tells of. Does not own time limits: a wait that fails ends with the test's own. */
import { setTimeout as delay, setImmediate as turn } from 'node:timers/promises';

/** Resolves when the condition holds; looked at once per turn of the event loop. */
export async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await turn();
}

/** How long a value must stand still to count as settled. A slow machine can only make a test miss a fault by this. */
const SETTLED_ROUNDS = 20;

/** The value of a counter once it has stopped moving: when every buffer on its way is full. */
export async function settled(read: () => number): Promise<number> {
  let last = read();
  for (let round = 0; round < SETTLED_ROUNDS; round++) {
    await delay(10);
    const now = read();
    if (now !== last) round = 0;
    last = now;
  }
  return last;
}
