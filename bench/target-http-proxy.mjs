// The npm package http-proxy as a target.
import { createRequire } from 'node:module';
import path from 'node:path';
import { root } from '../scripts/setup.mjs';
import { freePort, start, waitForPorts } from './process.mjs';
import { RunningTarget } from './target.mjs';

function missing() {
  try {
    createRequire(import.meta.url).resolve('http-proxy');
    return undefined;
  } catch {
    return 'npm package http-proxy';
  }
}

/** @type {import('./target.mjs').Target} */
export const httpProxy = {
  name: 'http-proxy',
  title: 'http-proxy (Node)',
  roles: ['pass'],
  asksOrigin: true,
  isGrip: false,
  missing,
  async start({ originPort }) {
    const port = await freePort();
    const started = start(process.execPath, [
      path.join(root, 'bench/http-proxy-server.mjs'),
      String(port),
      String(originPort),
    ]);
    await waitForPorts(started, [port]);
    return new RunningTarget([started], { client: port, control: port }, () => ({}));
  },
};
