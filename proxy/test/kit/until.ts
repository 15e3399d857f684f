/** Waits for what nothing announces: a condition that comes true, and a counter that stops moving. */
import { AsyncLocalStorage } from 'node:async_hooks';
import { setTimeout as delay, setImmediate as turn } from 'node:timers/promises';

/** After this long what is waited for does not come; everything here takes milliseconds, on a slow and loaded machine half a minute. */
const LIMIT_MS = 90_000;

/** Between two looks at what others do, in ms: at first, and after a second. Each look takes them CPU that they need. */
const PAUSE_MS = 5;
const LONG_PAUSE_MS = 50;

/** The pause after so many ms: a twentieth of the time so far, which is as late as a wait may end. */
const pauseAfter = (ms: number) => Math.min(LONG_PAUSE_MS, Math.max(PAUSE_MS, ms / 20));

type Nothing = undefined | null | false;
type Look<T> = () => T | Nothing | Promise<T | Nothing>;

/** Present in everything that may be given up before it is through. */
const givenUp = new AsyncLocalStorage<AbortSignal>();

/** Runs what may be given up: by the signal, its waits here reject. */
export function untilGivenUp<T>(signal: AbortSignal, run: () => T): T {
  return givenUp.run(signal, run);
}

/**
 * Calls `look` once in each turn of the event loop until its result is truthy, and resolves with it: for what this process does.
 * @throws Error after a minute and a half
 */
export function until<T>(look: Look<T>): Promise<T>;
/**
 * The same every few milliseconds, for what other processes and timers do. The error names `what`, and `state` is asked for what to
 * add.
 */
export function until<T>(what: string, look: Look<T>, state?: () => string): Promise<T>;
export async function until<T>(what: string | Look<T>, named?: Look<T>, state = () => ''): Promise<T> {
  const look = named ?? (what as Look<T>);
  const since = Date.now();
  for (;;) {
    givenUp.getStore()?.throwIfAborted();
    const result = await look();
    if (result) return result;
    const waited = Date.now() - since;
    if (waited > LIMIT_MS) {
      throw new Error(`${what}: not within ${LIMIT_MS / 1_000} s\n${state()}`.trimEnd());
    }
    await (named === undefined ? turn() : delay(pauseAfter(waited)));
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
