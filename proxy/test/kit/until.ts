/**
 * Waiting for something to become true that nothing announces: repeated looks, with a limit that only a failing test
 * ever reaches.
 */
import { setTimeout as delay } from 'node:timers/promises';

/** After this long what is waited for does not come; everything here takes milliseconds, on a loaded machine seconds. */
const LIMIT_MS = 30_000;

type Nothing = undefined | null | false;

/**
 * Calls `look` every few milliseconds until its result is truthy, and resolves with it.
 * @throws Error that names `what`, after half a minute; `state` is asked for what to add
 */
export async function until<T>(
  what: string,
  look: () => T | Nothing | Promise<T | Nothing>,
  state: () => string = () => '',
): Promise<T> {
  const deadline = Date.now() + LIMIT_MS;
  for (;;) {
    const result = await look();
    if (result) return result;
    if (Date.now() > deadline) throw new Error(`${what}: not within ${LIMIT_MS / 1_000} s\n${state()}`.trimEnd());
    await delay(5);
  }
}
