/** The example Express origin as a child process, and Holdfast in front of it. */
import { join } from 'node:path';
import type { Test } from 'tap';
import { root, startChild } from '../../kit/child.js';
import { type Holdfast, startHoldfast } from '../../kit/holdfast.js';
import { freePort } from '../../kit/ports.js';

/** Starts the example as it is, and Holdfast in front of it; `condition` is that of its route. */
export async function startExample(t: Test, { condition = '*' } = {}): Promise<Holdfast> {
  const control = await freePort();
  const example = startChild(t, {
    command: process.execPath,
    args: [join(root, 'examples', 'express-origin', 'server.mjs')],
    env: { PORT: '0', GRIP_URL: `http://127.0.0.1:${control}/` },
  });
  const [, target] = await example.line(/listening on http:\/\/(\S+)\n/);
  return startHoldfast(t, { routes: [`${condition} ${target}`], settings: { push_in_http_port: control } });
}
