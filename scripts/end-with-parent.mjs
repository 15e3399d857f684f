// Import it, or give it to node by --import, and the process gets SIGINT when the one that has started it is gone: the demo when
// npm is killed, where a shell is between and no signal comes from there; what the demo has started when the demo is killed.
// Needs a build.
import path from 'node:path';
import { root } from './setup.mjs';

/** Milliseconds between looks. */
const LOOK_EVERY_MS = 250;

const [{ realClock }, { realProcesses, watchParent }] = await Promise.all(
  ['clock.js', 'launcher.js'].map((file) => import(path.join(root, 'proxy', 'dist', 'runtime', file))),
);
watchParent(() => process.kill(process.pid, 'SIGINT'), realClock, realProcesses, LOOK_EVERY_MS);
