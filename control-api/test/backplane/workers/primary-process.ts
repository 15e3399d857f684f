/** A primary in a process of its own: a hub, and links to as many workers as the process that started it speaks for. */

import { BackplaneHub, LocalBackplane, MessageEncoder, silentLog, WorkerLink } from '../../../dist/index.js';
import { rememberedIds } from '../../items.js';

const hub = new BackplaneHub({ inner: new LocalBackplane(silentLog, rememberedIds()), log: silentLog });
const encoder = new MessageEncoder();
const clock = {
  monotonic: () => Math.trunc(performance.now()),
  wall: Date.now,
  after: (ms: number, run: () => void) => setTimeout(run, ms).unref(),
  clear: (timer: unknown) => clearTimeout(timer as NodeJS.Timeout),
};
const listeners = new Map<number, (message: unknown) => void>();

process.on('message', ([worker, message]: [number, unknown]) => {
  if (!listeners.has(worker)) {
    const port = {
      post: (messages: unknown) => void process.send?.([worker, messages]),
      listen: (listener: (messages: unknown) => void) => void listeners.set(worker, listener),
    };
    new WorkerLink({ share: hub.share(), port, encoder, clock });
  }
  listeners.get(worker)?.(message);
});
process.on('disconnect', () => process.exit());
