/** `npm run demo` as users run it, on free ports, with all processes that it starts. */
import { readdirSync, readFileSync } from 'node:fs';
import type { Test } from 'tap';
import { realProcesses } from '../../../dist/runtime/launcher.js';
import { type Child, startChild } from '../../kit/child.js';

/** The demo under way. */
export interface Demo {
  readonly npm: Child;
  /** Where clients are served. */
  readonly clients: string;
  /** npm, a shell, the demo itself, the application, Holdfast. Empty where processes of others are not seen. */
  readonly pids: readonly number[];
}

/** Starts it, and waits until it has said all; nothing of it outlives the test. */
export async function startDemo(t: Test): Promise<Demo> {
  const npm = startChild(t, { command: 'npm', args: ['run', 'demo', '--', '--free-ports'] });
  const [, clients = ''] = await npm.line(/curl -sN (http:\S+)\/stream\n/);
  await npm.line(/Ctrl-C ends it all/);
  const pids = process.platform === 'linux' ? tree(npm.pid) : [];
  t.teardown(() => {
    for (const pid of pids.filter(isThere)) process.kill(pid, 'SIGKILL');
  });
  return { npm, clients, pids };
}

/** The ids of a process and of all that it has started, and these in their turn. */
function tree(pid: number): number[] {
  const parents = readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map((name) => [Number(name), realProcesses.look(Number(name))?.parent] as const);
  const below = (pid: number): number[] => [
    pid,
    ...parents.flatMap(([child, parent]) => (parent === pid ? below(child) : [])),
  ];
  return below(pid);
}

/** Whether it runs: one that has ended may be listed until the system's first process has looked after it. */
export function isThere(pid: number): boolean {
  try {
    return !/\) [ZX] /.test(readFileSync(`/proc/${pid}/stat`, 'latin1'));
  } catch {
    return false;
  }
}
