/**
 * Has the kernel detect clients of the uws edge that have vanished (TCP keep-alive).
 *
 * The library sets no such option, and gives no descriptor. But connections inherit the options of the listening socket, which
 * appears among the descriptors of the process while the library opens it. Node sets the option only on sockets of its own:
 * a short-lived node process gets the listening socket as one of its own, which is the same socket in the kernel.
 */
import { spawn } from 'node:child_process';
import { readdirSync, readlinkSync } from 'node:fs';

/**
 * How long a connection is silent before the first probe, in ms; ten more follow, a second apart. As on the node edge.
 *
 * @limit {s} of silence before the kernel probes a client, ten times a second apart; also on the node edge
 * @over connection broken: the client counts as gone
 */
const SILENCE_MS = 30_000;

/**
 * How long the other process may take, in ms.
 *
 * @limit {s} for the process that sets this on a listener
 * @over clients are not probed, logged
 */
const SETTING_MS = 10_000;

const FIRST_FD = 3;

/** Run by node with the number of descriptors; the first is `FIRST_FD`. */
const SCRIPT = `const { Socket } = require('node:net');
for (let i = 0; i < Number(process.argv[1]); i++)
  new Socket({ fd: ${FIRST_FD} + i, readable: false, writable: false }).setKeepAlive(true, ${SILENCE_MS});
process.exit();`;

/** What became of `act`, and the descriptors of the sockets that it has opened: none where the system does not list them. */
export function openedBy<T>(act: () => T): { readonly value: T; readonly sockets: readonly number[] } {
  const before = socketsOfProcess();
  const value = act();
  const sockets = [...socketsOfProcess()].flatMap(([name, fd]) => (before.has(name) ? [] : [fd]));
  return { value, sockets };
}

/**
 * Has connections that come in on these listening sockets probed once they are silent. Resolves with the reason when that
 * cannot be had; never rejects.
 */
export function probeConnections(sockets: readonly number[]): Promise<string | undefined> {
  if (sockets.length === 0) return Promise.resolve('the descriptor of the listener was not found in /proc/self/fd');
  return new Promise((resolve) => {
    try {
      // Without our environment, which may ask every node process for something, such as a debugger's port.
      const child = spawn(process.execPath, ['-e', SCRIPT, String(sockets.length)], {
        env: {},
        stdio: ['ignore', 'ignore', 'ignore', ...sockets],
        timeout: SETTING_MS,
      });
      child.once('error', (error) => resolve(error.message));
      child.once('exit', (code, signal) => resolve(code === 0 ? undefined : `node ended with ${signal ?? code}`));
    } catch (error) {
      resolve((error as Error).message);
    }
  });
}

/** The kernel's name of each socket that is open in this process, with its descriptor. */
function socketsOfProcess(): ReadonlyMap<string, number> {
  const sockets = new Map<string, number>();
  let names: string[] = [];
  try {
    names = readdirSync('/proc/self/fd');
  } catch {
    // No Linux.
  }
  for (const name of names) {
    try {
      const target = readlinkSync(`/proc/self/fd/${name}`);
      if (target.startsWith('socket:')) sockets.set(target, Number(name));
    } catch {
      // Closed since it was listed, as the descriptor of the list is.
    }
  }
  return sockets;
}
