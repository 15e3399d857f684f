// The processes that a run starts: their output, their descendants and memory, whether they listen, and their end.
import { spawn } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';

/** Time for a process to listen; all of them need well under a second on an idle machine. */
const START_LIMIT_MS = 20_000;
/** Time to leave by itself after SIGTERM before it is killed. */
const STOP_LIMIT_MS = 4_000;
/** Characters of output that are kept, for the message when a process fails. */
const OUTPUT_MAX = 8_000;

/** Of the kernel's accounts, in µs. */
const TICK_US = 10_000;

/** @typedef {{ child: import('node:child_process').ChildProcess, output: () => string, ended: () => boolean }} Started */

/** @type {Set<Started>} */
const running = new Set();

/** The environment without settings meant for another Holdfast on this machine. */
function ownEnvironment() {
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('HOLDFAST_')));
}

/**
 * Starts a process in a group of its own, so that Ctrl-C reaches the bench alone, which then stops them in order.
 *
 * @param {string} command
 * @param {string[]} args
 * @param {{ cwd?: string, stdin?: boolean, ipc?: boolean }} [options]
 * @returns {Started}
 */
export function start(command, args, { cwd, stdin = false, ipc = false } = {}) {
  const child = spawn(command, args, {
    ...(cwd !== undefined && { cwd }),
    env: ownEnvironment(),
    stdio: [stdin ? 'pipe' : 'ignore', 'pipe', 'pipe', ...(ipc ? ['ipc'] : [])],
    detached: true,
  });
  let output = '';
  let ended = false;
  const take = (/** @type {string} */ text) => {
    output = (output + text).slice(-OUTPUT_MAX);
  };
  child.stdout?.setEncoding('utf8').on('data', take);
  child.stderr?.setEncoding('utf8').on('data', take);
  child.on('error', (error) => {
    take(error.message);
    ended = true;
  });
  const started = { child, output: () => output, ended: () => ended };
  running.add(started);
  child.on('exit', () => {
    ended = true;
    running.delete(started);
  });
  return started;
}

/** @returns {Promise<number>} a TCP port of 127.0.0.1 that was free a moment ago */
export function freePort() {
  return new Promise((resolve, reject) => {
    const probe = createServer().once('error', reject);
    probe.listen(0, '127.0.0.1', () => {
      const { port } = /** @type {import('node:net').AddressInfo} */ (probe.address());
      probe.close(() => resolve(port));
    });
  });
}

/** @param {number} port @returns {Promise<boolean>} */
function listens(port) {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    socket.once('connect', () => socket.destroy()).once('error', () => resolve(false));
    socket.once('close', () => resolve(true));
  });
}

/**
 * @param {Started} started
 * @param {number[]} ports  of 127.0.0.1, which it is to listen on
 * @throws {Error} with what it said, when it ends or does not listen in time
 */
export async function waitForPorts(started, ports) {
  const deadline = Date.now() + START_LIMIT_MS;
  for (const port of ports) {
    while (!(await listens(port))) {
      if (started.ended()) throw new Error(lastLines(started.output()));
      if (Date.now() > deadline) throw new Error(`does not listen on port ${port}: ${lastLines(started.output())}`);
      await delay(25);
    }
  }
}

/** @param {string} output */
function lastLines(output) {
  return output.trim().split('\n').slice(-3).join(' / ') || 'it ended without a word';
}

/** All processes that descend from one, itself first. @param {number} pid @returns {number[]} */
export function treeOf(pid) {
  const parents = new Map();
  for (const name of readdirSync('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    try {
      const stat = readFileSync(`/proc/${name}/stat`, 'utf8');
      // The name of the program is in parentheses and may hold anything; the parent is the second field after it.
      parents.set(Number(name), Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]));
    } catch {
      // It ended while we looked.
    }
  }
  const tree = [pid];
  for (let at = 0; at < tree.length; at++) {
    for (const [child, parent] of parents) if (parent === tree[at]) tree.push(child);
  }
  return tree;
}

/** Ends a process and all that descends from it; those that stay are killed. @param {Started} started */
export async function stop(started) {
  const { child } = started;
  if (child.pid === undefined || started.ended()) return;
  const tree = treeOf(child.pid);
  child.kill('SIGTERM');
  const deadline = Date.now() + STOP_LIMIT_MS;
  while (!started.ended() && Date.now() < deadline) await delay(20);
  for (const pid of tree) {
    try {
      if (pid !== child.pid || !started.ended()) process.kill(pid, 'SIGKILL');
    } catch {
      // It has gone by itself.
    }
  }
}

/** Ends all that is still running; for an interrupted run. */
export async function stopAll() {
  await Promise.all([...running].map(stop));
}

/**
 * Resident memory in KB: of one process its RSS; of several the sum of their PSS, in which what they share counts once.
 *
 * @param {readonly number[]} pids
 */
export function memoryKb(pids) {
  const key = pids.length > 1 ? 'Pss' : 'Rss';
  return pids.reduce((sum, pid) => sum + fieldKb(`/proc/${pid}/smaps_rollup`, key), 0);
}

/** CPU time of processes, in µs; it counts by ticks. @param {readonly number[]} pids */
export function cpuUs(pids) {
  return pids.reduce((sum, pid) => {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return sum + (Number(fields[11]) + Number(fields[12])) * TICK_US;
  }, 0);
}

/** @param {string} file @param {string} key */
function fieldKb(file, key) {
  try {
    return Number(new RegExp(`^${key}:\\s+(\\d+)`, 'm').exec(readFileSync(file, 'utf8'))?.[1] ?? 0);
  } catch {
    return 0; // it has ended
  }
}
