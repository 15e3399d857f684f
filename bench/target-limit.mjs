// The bare epoll loop (c/limit.c) as a target, and the origin itself.
import { freePort, start, waitForPorts } from './process.mjs';
import { RunningTarget } from './target.mjs';

/** @type {import('./target.mjs').Target} */
export const limit = {
  name: 'limit',
  title: 'bare C loop (limit)',
  roles: ['hold'],
  asksOrigin: false,
  isGrip: false,
  hasWorkers: true,
  missing: () => undefined,
  async start({ programs, workers }) {
    const client = await freePort();
    const control = workers === undefined ? client : await freePort();
    const args = workers === undefined ? [client] : [client, control, workers];
    const started = start(programs.limit, args.map(String));
    await waitForPorts(started, [control, client]);
    const speech = (/** @type {import('./target.mjs').Kind} */ kind, /** @type {number} */ size) => ({
      format: 'raw',
      path: `/${kind}`,
      publish_path: `/publish/?${size}`,
    });
    return new RunningTarget([started], { client, control }, speech);
  },
};

/** For requests that are passed on, the limit is the origin with nothing in front of it. @type {import('./target.mjs').Target} */
export const direct = {
  name: 'direct',
  title: 'the origin itself (limit)',
  roles: ['pass', 'echo'],
  asksOrigin: false,
  isGrip: false,
  missing: () => undefined,
  async start({ programs }) {
    const port = await freePort();
    const started = start(programs.origin, [String(port)]);
    await waitForPorts(started, [port]);
    return new RunningTarget([started], { client: port, control: port }, () => ({}));
  },
};
