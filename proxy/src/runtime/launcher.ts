/** Notices that the npm command which started this process (`npx holdfast`, `npm start`) has gone. */
import { readFileSync } from 'node:fs';
import type { Clock, Timer } from './clock.js';

/**
 * Milliseconds between looks.
 *
 * @limit {s} between checks that the npm command that started the process still runs
 * @over the node drains
 */
export const LOOK_EVERY_MS = 1_000;

/** What npm, and those that do as it does, say of the script that they run; `npx holdfast` is one of a single word. */
const SCRIPT = 'npm_lifecycle_script';

/** Our own command comes first, behind settings for it if there are any. */
const ours = /^\s*(?:\w+=\S*\s+)*['"]?(?:\S*\/)?(?:holdfast|pushpin)['"]?(?:\s|$)/;

/** It is left running in the background on purpose. */
const detached = /(?:^|[^&>])&(?:[^&>]|$)|\b(?:nohup|setsid)\b/;

const shells = /^(?:sh|bash|dash|ash|zsh|ksh|busybox)$/;

/** Whether a script of npm is what runs in this process, and nothing that outlives npm by intention. */
export function isLaunched(env: Readonly<Record<string, string | undefined>>): boolean {
  const script = env[SCRIPT];
  return script !== undefined && ours.test(script) && !detached.test(script);
}

/** What the system says of processes. */
export interface Processes {
  readonly parent: number;
  /** The name of another process, and its parent; undefined where it is not known. */
  look(pid: number): { readonly name: string; readonly parent: number } | undefined;
}

/** Of this process. Others can be looked at on Linux only. */
export const realProcesses: Processes = {
  get parent() {
    return process.ppid;
  },
  look(pid) {
    try {
      // `pid (name) state parent …`, and a name may hold anything.
      const [, name, parent] = /^\d+ \((.*)\) \S (\d+) /s.exec(readFileSync(`/proc/${pid}/stat`, 'latin1')) ?? [];
      return name === undefined ? undefined : { name, parent: Number(parent) };
    } catch {
      return undefined;
    }
  },
};

/**
 * Calls `gone` once when the npm command that has started this process is there no more, within {@link LOOK_EVERY_MS}; never where
 * no such command did, or the process was detached on purpose. npm starts a shell, and that starts us: a SIGTERM to npm ends npm
 * and the shell, a SIGKILL only npm, and neither reaches this process, which would go on holding the ports. The result ends the
 * watch.
 */
export function watchLauncher(
  env: Readonly<Record<string, string | undefined>>,
  gone: () => void,
  clock: Pick<Clock, 'after' | 'clear'>,
  processes: Processes = realProcesses,
): () => void {
  return isLaunched(env) ? watchParent(gone, clock, processes) : () => {};
}

/**
 * Calls `gone` once when the process that has started this one is there no more, or the one before a shell between. A kernel
 * gives orphans another parent: that of this process changes, or that of the shell. It looks every `every` ms. The result ends the
 * watch.
 */
export function watchParent(
  gone: () => void,
  clock: Pick<Clock, 'after' | 'clear'>,
  processes: Processes = realProcesses,
  every = LOOK_EVERY_MS,
): () => void {
  const { parent } = processes;
  const between = processes.look(parent);
  const shell = between !== undefined && shells.test(between.name) ? between : undefined;
  const isThere = () =>
    processes.parent === parent && (shell === undefined || processes.look(parent)?.parent === shell.parent);
  let timer: Timer | undefined;
  const look = () => {
    timer = clock.after(every, () => {
      if (isThere()) look();
      else gone();
    });
  };
  look();
  return () => clock.clear(timer);
}
