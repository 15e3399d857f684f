/** The real `holdfast` command in a process with little memory, watched: its life, its log, its metrics, its size. */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';

export type EdgeName = 'node' | 'uws';

const command = new URL('../../bin/holdfast.js', import.meta.url).pathname;
/** Old-space of the process in MiB: what leaks shows soon. */
export const HEAP_MIB = 256;
const START_LIMIT_MS = 20_000;
/**
 * What uWebSockets.js says of each WebSocket that is opened outside of a cork. It is: at the end of a cork the library looks into
 * memory that the upgrade has freed.
 */
const HANDSHAKE_WARNING = /uWS\.HttpResponse/;
const LINES_KEPT = 60;
/** Characters of a log line that nothing sent by a client or publisher may exceed: a log is not a place to keep input. */
const LINE_MAX = 100_000;

/** How to start. */
export interface NodeOptions {
  readonly edge: EdgeName;
  readonly routes: readonly string[];
  /** Values as YAML takes them, once they are JSON. */
  readonly settings: Readonly<Record<string, string | number | boolean>>;
  /** Open files that the process may have; as many as this one otherwise. */
  readonly openFiles?: number;
  /** Routes are in a file, not on the command line. */
  readonly routesInFile?: boolean;
  /** Writes further files into the node's directory, and a text of settings to be taken as it is. */
  readonly files?: (directory: string, text: string) => void;
}

/** What every node of these tests has, beside its listeners. */
const SETTINGS = {
  http_port: '127.0.0.1:0',
  push_in_http_port: 0,
  admin_port: '127.0.0.1:0',
  log_level: 'info',
  log_format: 'json',
};

/** A node that runs, or has ended. */
export class NodeUnderTest {
  readonly #child: ChildProcess;
  readonly directory: string;
  readonly #lines: string[] = [];
  readonly #complaints: string[] = [];
  readonly #listeners = new Map<string, number>();
  #partial = '';
  #stopping = false;
  #ended: string | undefined;
  readonly #exited: Promise<void>;

  private constructor({ edge, routes, settings, files, openFiles, routesInFile = false }: NodeOptions) {
    this.directory = mkdtempSync(join(tmpdir(), 'holdfast-hardening-'));
    const file = join(this.directory, 'holdfast.yaml');
    const written = files === undefined ? (value: unknown) => JSON.stringify(value) : String;
    const fixed = Object.entries({ ...SETTINGS, edge }).filter(([name]) => !(name in settings));
    const text = Object.entries(settings).map(([name, value]) => `${name}: ${written(value)}\n`);
    writeFileSync(file, [...fixed.map(([name, value]) => `${name}: ${JSON.stringify(value)}\n`), ...text].join(''));
    files?.(this.directory, text.join(''));
    const inherited = Object.entries(process.env).filter(([name]) => !name.startsWith('HOLDFAST_'));
    if (routesInFile) writeFileSync(this.routesFile, routes.join('\n'));
    const routing = routesInFile ? ['--routesfile', this.routesFile] : routes.flatMap((line) => ['--route', line]);
    const whole = [process.execPath, command, '--config', file, ...routing];
    const limited = openFiles === undefined ? whole : ['sh', '-c', `ulimit -n ${openFiles}; exec "$0" "$@"`, ...whole];
    this.#child = spawn(limited[0] as string, limited.slice(1), {
      cwd: this.directory,
      env: { ...Object.fromEntries(inherited), NODE_OPTIONS: `--max-old-space-size=${HEAP_MIB}` },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    running.add(this.#child);
    this.#child.stdout?.setEncoding('utf8').on('data', (text: string) => this.#hear(text));
    this.#child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      const told = text.split('\n').filter((line) => line !== '' && !HANDSHAKE_WARNING.test(line));
      if (told.length > 0) this.#complain(`stderr: ${told.join('\n').slice(0, 2_000)}`);
    });
    this.#exited = new Promise((resolve) => {
      this.#child.once('close', (code, signal) => {
        running.delete(this.#child);
        this.#ended = `exit ${code ?? signal}`;
        if (!this.#stopping) this.#complaints.push(`the process has ended: ${this.#ended}`);
        resolve();
      });
    });
  }

  /** Starts a node and waits until it serves. */
  static async start(options: NodeOptions): Promise<NodeUnderTest> {
    const node = new NodeUnderTest(options);
    for (const deadline = Date.now() + START_LIMIT_MS; !node.#lines.some((line) => line.endsWith(' started"}')); ) {
      if (node.#ended !== undefined || Date.now() > deadline) {
        await node.stop();
        throw new Error(`the node does not start: ${node.log()}`);
      }
      await delay(10);
    }
    return node;
  }

  get pid(): number {
    return this.#child.pid as number;
  }

  get alive(): boolean {
    return this.#ended === undefined;
  }

  port(kind: 'clients' | 'control' | 'admin', scheme: 'http' | 'https' = 'http'): number {
    return this.#listeners.get(`${scheme} ${kind}`) as number;
  }

  /** Where its routes are, if they are in a file. */
  get routesFile(): string {
    return join(this.directory, 'routes');
  }

  signal(name: NodeJS.Signals): void {
    this.#child.kill(name);
  }

  /** The last lines of its output. */
  log(): string {
    return this.#lines.slice(-12).join('\n');
  }

  /** What it has said or done that it must not, since the last look. */
  takeComplaints(): string[] {
    return this.#complaints.splice(0);
  }

  /** The resident size in bytes; 0 when it has ended. */
  residentBytes(): number {
    try {
      return Number(/^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${this.pid}/status`, 'utf8'))?.[1] ?? 0) * 1_024;
    } catch {
      return 0;
    }
  }

  /** All series of `/metrics`. */
  async metrics(): Promise<ReadonlyMap<string, number>> {
    const url = `http://127.0.0.1:${this.port('admin')}/metrics`;
    const response = await fetch(url, { headers: { connection: 'close' }, signal: AbortSignal.timeout(10_000) });
    const series = new Map<string, number>();
    for (const line of (await response.text()).split('\n')) {
      const space = line.lastIndexOf(' ');
      if (space > 0 && !line.startsWith('#')) series.set(line.slice(0, space), Number(line.slice(space + 1)));
    }
    return series;
  }

  /** Posts to the control API; the status and text of its answer. */
  async post(path: string, body: string | Buffer): Promise<{ status: number; text: string }> {
    const url = `http://127.0.0.1:${this.port('control')}${path}`;
    const headers = { accept: 'application/json', 'content-type': 'application/json' };
    const response = await fetch(url, { method: 'POST', headers, body, signal: AbortSignal.timeout(10_000) });
    return { status: response.status, text: await response.text() };
  }

  /** Ends it by SIGTERM, by SIGKILL when that takes too long. */
  async stop(patience = 3_000): Promise<void> {
    this.#stopping = true;
    if (this.alive) this.#child.kill('SIGTERM');
    const timer = setTimeout(() => this.#child.kill('SIGKILL'), patience);
    await this.#exited;
    clearTimeout(timer);
    rmSync(this.directory, { recursive: true, force: true });
  }

  #hear(text: string): void {
    const lines = (this.#partial + text).split('\n');
    this.#partial = lines.pop() as string;
    for (const line of lines) this.#line(line);
  }

  #line(line: string): void {
    if (line.length > LINE_MAX) {
      this.#complain(`a line of ${line.length} characters in the log: ${line.slice(0, 300)}`);
      return;
    }
    this.#lines.push(line.slice(0, 2_000));
    if (this.#lines.length > LINES_KEPT) this.#lines.shift();
    const listener = /"listening on (https?):\/\/\S+:(\d+) \((\w+)\)"\}$/.exec(line);
    if (listener !== null) this.#listeners.set(`${listener[1]} ${listener[3]}`, Number(listener[2]));
    const level = levelOf(line);
    if (level === undefined) this.#complain(`output that is no log line: ${line.slice(0, 500)}`);
    else if (level === 'error') this.#complain(`error in the log: ${line.slice(0, 2_000)}`);
  }

  #complain(text: string): void {
    if (this.#complaints.length < 20) this.#complaints.push(text);
  }
}

function levelOf(line: string): string | undefined {
  try {
    return (JSON.parse(line) as { level?: string }).level;
  } catch {
    return undefined;
  }
}

const running = new Set<ChildProcess>();
process.once('exit', () => {
  for (const child of running) child.kill('SIGKILL');
});
