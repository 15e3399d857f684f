/**
 * Primaries in a process of their own, one for each group of workers: a hub, and links to as many workers as the process that
 * started it speaks for.
 */

import { BackplaneHub, LocalBackplane, MessageEncoder, silentLog, WorkerLink } from '../../../dist/index.js';
import { rememberedIds } from '../../items.js';

const encoder = new MessageEncoder();
const clock = {
  monotonic: () => Math.trunc(performance.now()),
  wall: Date.now,
  after: (ms: number, run: () => void) => setTimeout(run, ms).unref(),
  clear: (timer: unknown) => clearTimeout(timer as NodeJS.Timeout),
};

/** Nothing goes from one group to another: their hubs do not know of each other. */
function startGroup(group: number): (worker: number, message: unknown) => void {
  const hub = new BackplaneHub({ inner: new LocalBackplane(silentLog, rememberedIds()), log: silentLog });
  const listeners = new Map<number, (message: unknown) => void>();
  return (worker, message) => {
    if (!listeners.has(worker)) {
      const port = {
        post: (messages: unknown) => void process.send?.([group, worker, messages]),
        listen: (listener: (messages: unknown) => void) => void listeners.set(worker, listener),
      };
      new WorkerLink({ share: hub.share(), port, encoder, clock });
    }
    listeners.get(worker)?.(message);
  };
}

const groups = new Map<number, (worker: number, message: unknown) => void>();

process.on('message', ([group, worker, message]: [number, number, unknown]) => {
  const take = groups.get(group) ?? startGroup(group);
  groups.set(group, take);
  take(worker, message);
});
process.on('disconnect', () => process.exit());
