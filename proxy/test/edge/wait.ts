/** Owns: waiting for what no event tells of. Does not own time limits: a wait that fails ends with the test's own. */
import { AsyncLocalStorage } from 'node:async_hooks';
import { setTimeout as delay, setImmediate as turn } from 'node:timers/promises';

/** Present in everything that may be given up before it is through. */
const givenUp = new AsyncLocalStorage<AbortSignal>();

/** Runs what may be given up: by the signal, its waits here reject. */
export function untilGivenUp<T>(signal: AbortSignal, run: () => T): T {
  return givenUp.run(signal, run);
}

/** Resolves when the condition holds; looked at once per turn of the event loop. */
export async function until(condition: () => boolean): Promise<void> {
  while (!condition()) {
    givenUp.getStore()?.throwIfAborted();
    await turn();
  }
}

/** How long a value must stand still to count as settled. A slow machine can only make a test miss a fault by this. */
const SETTLED_ROUNDS = 20;

/** The value of a counter once it has stopped moving: when every buffer on its way is full. */
export async function settled(read: () => number): Promise<number> {
  let last = read();
  for (let round = 0; round < SETTLED_ROUNDS; round++) {
    givenUp.getStore()?.throwIfAborted();
    await delay(10);
    const now = read();
    if (now !== last) round = 0;
    last = now;
  }
  return last;
}
