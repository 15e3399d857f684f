/** A child process of a test: its output by lines, its end, and that it does not outlive the test. */
import { type ChildProcess, spawn } from 'node:child_process';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { until } from './until.js';

/** The root of the checkout: four levels above this compiled file. */
export const root = new URL('../../../', import.meta.url).pathname;

/** Where the package of the commands is: as it is published in a run of the test runner, as it is built for a file that runs by itself. */
const { TEST_PACKAGE: commands = join(root, 'proxy') } = process.env;

/** The file of a command, for node. */
export const commandFile = (name: 'holdfast' | 'pushpin' | 'pushpin-publish') => join(commands, 'bin', `${name}.js`);

/** tap ends a file after 30 s. These start dozens of processes; what hangs is found by `until`. */
t.setTimeout(540_000);

/** Teardowns do not run when tap gives a file up; no process is left behind all the same. */
const running = new Set<Child>();
process.once('exit', () => {
  for (const child of running) child.signal('SIGKILL');
});

/** How a process ended. */
export interface Exit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** What to start, and where. */
export interface Program {
  readonly command: string;
  readonly args: readonly string[];
  readonly cwd?: string;
  /** Added to the environment, from which settings for another Holdfast have been taken out. */
  readonly env?: Readonly<Record<string, string>>;
}

/** A process under way; in the process group of the test, so that the runner's time limit ends it too. */
export class Child {
  readonly #process: ChildProcess;
  readonly #output = { stdout: '', stderr: '' };
  /** Resolves when the process has ended and all of its output has been read. */
  readonly exited: Promise<Exit>;

  constructor({ command, args, cwd = root, env = {} }: Program) {
    const inherited = Object.entries(process.env).filter(([name]) => !name.startsWith('HOLDFAST_'));
    this.#process = spawn(command, args, {
      cwd,
      env: { ...Object.fromEntries(inherited), ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    for (const name of ['stdout', 'stderr'] as const) {
      this.#process[name]?.setEncoding('utf8').on('data', (text: string) => {
        this.#output[name] += text;
      });
    }
    this.exited = new Promise((resolve, reject) => {
      this.#process.once('error', reject);
      this.#process.once('close', (code, signal) => resolve({ code, signal }));
    });
    running.add(this);
    this.#process.once('close', () => running.delete(this));
  }

  get pid(): number {
    return this.#process.pid as number;
  }

  get stdout(): string {
    return this.#output.stdout;
  }

  get stderr(): string {
    return this.#output.stderr;
  }

  /** Whether it still runs. */
  get running(): boolean {
    return this.#process.exitCode === null && this.#process.signalCode === null;
  }

  /** Waits for output that matches; fails when the process ends without it. */
  async line(pattern: RegExp): Promise<RegExpExecArray> {
    const found = await until(
      `output ${pattern}`,
      () => pattern.exec(this.stdout) ?? (this.running ? undefined : 'ended'),
      () => this.stdout + this.stderr,
    );
    if (found === 'ended') throw new Error(`ended without ${pattern}\n${this.stdout}${this.stderr}`);
    return found;
  }

  /** Closes the reading end of its standard output. */
  stopReading(): void {
    this.#process.stdout?.destroy();
  }

  /** Sends a signal to this process, by its id. */
  signal(name: NodeJS.Signals): void {
    this.#process.kill(name);
  }

  /** Ends it by SIGTERM, by SIGKILL when it takes longer than `patience` ms. Harmless when it has ended. */
  async stop(patience = 10_000): Promise<Exit> {
    if (this.running) this.signal('SIGTERM');
    const timer = setTimeout(() => this.signal('SIGKILL'), patience);
    try {
      return await this.exited;
    } finally {
      clearTimeout(timer);
    }
  }
}

/** Starts a process that ends with the test. */
export function startChild(t: Test, program: Program): Child {
  const child = new Child(program);
  t.teardown(() => child.stop());
  return child;
}
