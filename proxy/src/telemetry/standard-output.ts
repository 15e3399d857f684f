/**
 * Keeps standard output for the log alone where a library writes to it too.
 *
 * uWebSockets.js prints two lines for each certificate, from C++, to file descriptor 1. So the log gets another descriptor of
 * the same output, and 1 becomes /dev/null.
 */
import { spawn } from 'node:child_process';
import { closeSync, constants, fstatSync, openSync, readFileSync } from 'node:fs';
import type { Config } from '../config/config.js';

const OUTPUT = 1;
const ERROR = 2;

/** Where workers find standard output when their own goes nowhere: behind the channel and the pipe to their primary. */
const WORKER_OUTPUT = 5;

/** How long another process may take to hand a socket back, in ms; then standard output stays as it is. */
const RETURN_MS = 5_000;

/** Gives back what it is given: a handle that has been to another process has a new descriptor. */
const RETURN = "process.once('message', (_, handle) => process.send(0, handle, () => process.disconnect()));";

/** As Linux writes the flags of an open file: in octal. */
const FLAGS = /^flags:\s*([0-7]+)$/m;

/** A handle of node's own: of a pipe or socket. */
interface Handle {
  readonly fd: number;
  unref(): void;
}

/** What decides about the library's lines. */
type Printing = Pick<Config, 'edge' | 'httpsPorts'>;

const prints = ({ edge, httpsPorts }: Printing): boolean => edge === 'uws' && httpsPorts.length > 0;

/**
 * The descriptor by which the log of a process with these clients reaches standard output. To be called once, before anything is
 * served. It is 1 as ever, with nothing changed, where nothing prints and where there is no other way: on a file that is not
 * written at its end, and which standard error does not share.
 */
export async function outputFor(clients: Printing): Promise<number> {
  if (!prints(clients)) return OUTPUT;
  const kept = await anotherOutput();
  if (kept === undefined) return OUTPUT;
  closeSync(OUTPUT);
  // The lowest free number is taken; 0 too may be free.
  while (openSync('/dev/null', constants.O_RDWR) < OUTPUT);
  return kept;
}

/** The same for a worker that was started with `workerStdio`. */
export function workerOutputFor(clients: Printing): number {
  return prints(clients) ? WORKER_OUTPUT : OUTPUT;
}

/**
 * What a worker is started with: its log reaches standard output, a channel of node's own is open to its primary, and behind that a
 * pipe.
 */
export function workerStdio(clients: Printing): ('inherit' | 'ignore' | 'ipc' | 'pipe' | number)[] {
  const toPrimary = ['ipc', 'pipe'] as const;
  return prints(clients)
    ? ['inherit', 'ignore', 'inherit', ...toPrimary, OUTPUT]
    : ['inherit', 'inherit', 'inherit', ...toPrimary];
}

/** Another descriptor of standard output: node has no way to duplicate one. */
async function anotherOutput(): Promise<number | undefined> {
  try {
    const output = fstatSync(OUTPUT);
    const error = fstatSync(ERROR);
    if (output.ino === error.ino && output.dev === error.dev) return ERROR;
    // A socket cannot be opened by its path.
    if (output.isSocket()) return await returned();
    // A file that is open twice has two positions, of which one would overwrite what is behind the other.
    if (output.isFile() && !appends()) return undefined;
    return openSync(`/proc/self/fd/${OUTPUT}`, constants.O_WRONLY | constants.O_APPEND);
  } catch {
    return undefined;
  }
}

function appends(): boolean {
  const flags = FLAGS.exec(readFileSync(`/proc/self/fdinfo/${OUTPUT}`, 'utf8'))?.[1];
  return flags !== undefined && (Number.parseInt(flags, 8) & constants.O_APPEND) !== 0;
}

/** Kept for ever: the descriptor is closed with it. */
let keptHandle: Handle | undefined;

/** Sends standard output to another process and back. */
function returned(): Promise<number | undefined> {
  const { _handle: handle } = process.stdout as unknown as { readonly _handle: never };
  const child = spawn(process.execPath, ['-e', RETURN], { stdio: ['ignore', 'ignore', 'ignore', 'ipc'] });
  return new Promise((resolve) => {
    const timer = setTimeout(() => child.kill(), RETURN_MS);
    child.once('message', (_: unknown, back: unknown) => {
      keptHandle = back as Handle;
      keptHandle.unref();
    });
    child.once('error', () => resolve(undefined));
    child.once('close', () => {
      clearTimeout(timer);
      resolve(keptHandle?.fd);
    });
    child.send(0, handle);
  });
}
