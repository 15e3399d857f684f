// Starts and ends the two processes of the demo: the example origin and Holdfast.
import { spawn } from 'node:child_process';
import { createServer } from 'node:net';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { root } from './setup.mjs';

/** Time for a process to say that it listens; both need well under a second, many workers on a busy machine longer. */
const START_LIMIT_MS = 60_000;
/** Time to leave by itself after SIGINT before it is killed. */
const STOP_LIMIT_MS = 5_000;

/** For node: the process ends when this one is killed. */
export const endsWithDemo = ['--import', new URL('end-with-parent.mjs', import.meta.url).href];

/** @type {Set<import('node:child_process').ChildProcess>} */
const children = new Set();

/** @returns {Promise<number>} a TCP port that was free a moment ago */
export function freePort() {
  return new Promise((resolve, reject) => {
    const probe = createServer().once('error', reject);
    probe.listen(0, '127.0.0.1', () => {
      const { port } = /** @type {import('node:net').AddressInfo} */ (probe.address());
      probe.close(() => resolve(port));
    });
  });
}

/** The environment without settings meant for another Holdfast on this machine. */
function ownEnvironment() {
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('HOLDFAST_')));
}

/**
 * What is wrong in a line of Holdfast's log; undefined for all that goes well.
 *
 * @param {string} line
 */
function troubleIn(line) {
  try {
    const { level, part, msg } = JSON.parse(line);
    return ['warn', 'error', 'fatal'].includes(level) ? `${level} ${part}: ${msg}` : undefined;
  } catch {
    return line === '' ? undefined : line;
  }
}

/**
 * Starts a program of Node and waits for the line that says it is ready. What goes wrong later is shown.
 *
 * @param {{ name: string, args: string[], env: Record<string, string>, ready: RegExp, onExit: (what: string) => void }} spec
 *   `ready` is matched against each line of stdout; `onExit` is called when it ends without being asked to
 * @returns {Promise<RegExpExecArray>} the match
 * @throws {Error} with the output of the process, when it ends or stays silent instead
 */
function startProcess({ name, args, env, ready, onExit }) {
  // Ctrl-C came while the last one started: nothing more is started, and the demo ends as nothing is waited for.
  if (stopping) return new Promise(() => {});
  const child = spawn(process.execPath, [...endsWithDemo, ...args], {
    cwd: root,
    env: { ...ownEnvironment(), ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
    // Out of the terminal's process group: Ctrl-C reaches the demo alone, which then stops them in order.
    detached: true,
  });
  children.add(child);
  return new Promise((resolve, reject) => {
    let output = '';
    let settled = false;
    const fail = (/** @type {string} */ what) => {
      clearTimeout(timer);
      if (settled) onExit(`${name} ${what}`);
      else reject(new Error(`${name} ${what}\n${output}`.trimEnd()));
      settled = true;
    };
    const timer = setTimeout(() => fail(`did not get ready within ${START_LIMIT_MS / 1000} s`), START_LIMIT_MS);
    const show = (/** @type {string} */ line) => {
      const trouble = troubleIn(line);
      if (trouble !== undefined) console.error(`[${name}] ${trouble}`);
    };
    createInterface(child.stderr).on('line', (line) => {
      if (settled) show(line);
      else output += `${line}\n`;
    });
    createInterface(child.stdout).on('line', (line) => {
      if (settled) return show(line);
      output += `${line}\n`;
      const match = ready.exec(line);
      if (!match) return;
      clearTimeout(timer);
      settled = true;
      resolve(match);
    });
    child.on('error', (error) => fail(`could not be started: ${error.message}`));
    child.on('exit', (code, signal) => {
      children.delete(child);
      clearTimeout(timer);
      if (!stopping) fail(`ended (${signal ?? `exit code ${code}`})`);
    });
  });
}

/**
 * The example origin, on a free port.
 *
 * @param {number} controlPort  where its GRIP library publishes
 * @param {(what: string) => void} onExit
 * @returns {Promise<string>} `host:port`, as a route wants it
 */
export async function startOrigin(controlPort, onExit) {
  const [, address] = await startProcess({
    name: 'the example origin',
    args: [path.join('examples', 'express-origin', 'server.mjs')],
    env: { PORT: '0', GRIP_URL: `http://127.0.0.1:${controlPort}/` },
    ready: /listening on http:\/\/(\S+)$/,
    onExit,
  });
  return /** @type {string} */ (address);
}

/** Origins of the live page. @param {number} port */
const pagesOf = (port) => ['127.0.0.1', 'localhost'].map((host) => `http://${host}:${port}`);

/**
 * Holdfast, by the command as users run it, with its in-process backplane.
 *
 * @param {{ client: number, control: number, admin: number }} ports
 * @param {string} origin  `host:port`
 * @param {(what: string) => void} onExit
 * @param {readonly string[]} [more]  options
 */
export async function startHoldfast(ports, origin, onExit, more = []) {
  await startProcess({
    name: 'holdfast',
    // The file is named so that none of this machine, /etc/pushpin/pushpin.conf for one, is found instead.
    args: [
      path.join('proxy', 'bin', 'holdfast.js'),
      ...['--config', path.join('examples', 'express-origin', 'holdfast.yaml')],
      // Pages of the live page's own address may read what clients get, so that it can be one.
      ...['--route', `*,aco,aco_origins=${pagesOf(ports.admin).join('|')} ${origin},over_http`],
      ...['--port', `127.0.0.1:${ports.client}`],
      ...['--control-port', `${ports.control}`],
      ...['--log-format', 'json'],
      ...more,
    ],
    env: { HOLDFAST_ADMIN_PORT: `127.0.0.1:${ports.admin}`, HOLDFAST_ADMIN_UI: 'true' },
    ready: /started"\}$/,
    onExit,
  });
}

let stopping = false;

/** Ends what was started, by process id, and waits until it is gone. */
export async function stopServers() {
  stopping = true;
  await Promise.all(
    [...children].map((child) => {
      const gone = new Promise((resolve) => child.once('exit', resolve));
      // Holdfast takes no time for its clients then, as it does on SIGTERM.
      child.kill('SIGINT');
      const timer = setTimeout(() => child.kill('SIGKILL'), STOP_LIMIT_MS);
      return gone.then(() => clearTimeout(timer));
    }),
  );
}
