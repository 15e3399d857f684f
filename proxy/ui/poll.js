/** What is asked again and again. */
import { Refused } from './api.js';
import { el } from './dom.js';

/**
 * Takes a step every so often until `signal` aborts. One that fails is said, and the next is tried all the same, unless it is not for this
 * user at all.
 *
 * @param {number} ms
 * @param {HTMLElement} main  where a failure is said
 * @param {AbortSignal} signal
 * @param {() => Promise<void>} step
 */
export async function every(ms, main, signal, step) {
  const said = el('p', { class: 'bad', role: 'status' });
  while (!signal.aborted) {
    try {
      await step();
      said.remove();
    } catch (error) {
      if (signal.aborted || (error instanceof Refused && error.status < 500)) throw error;
      said.textContent = `${/** @type {Error} */ (error).message}: tried again soon.`;
      main.prepend(said);
    }
    await pause(ms, signal);
  }
}

/** @param {number} ms @param {AbortSignal} signal */
export function pause(ms, signal) {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, ms);
    signal.addEventListener('abort', () => {
      clearTimeout(timer);
      resolve(undefined);
    });
  });
}
