/**
 * The real `holdfast` command as a child process: its configuration, its listeners, its log, its end. Nothing of the
 * proxy is imported: it is seen as its users see it.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Test } from 'tap';
import { type Child, commandFile, root, startChild } from './child.js';
import { until } from './until.js';

const command = commandFile('holdfast');
const builtCommand = join(root, 'proxy', 'bin', 'holdfast.js');

/** How to start. Listeners are on free ports of 127.0.0.1, the admin one included, unless settings say otherwise. */
export interface HoldfastOptions {
  /** Lines of the routes, as flags. */
  readonly routes?: readonly string[];
  /** Options in Holdfast YAML. */
  readonly settings?: Readonly<Record<string, string | number | boolean>>;
  /** The text of a configuration file; replaces `settings`. */
  readonly config?: string;
  readonly args?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** Working directory and place of the configuration; a new one otherwise. */
  readonly directory?: string;
  /** Runs the files that tsc has written, where a module of them is loaded before the command and is to be the one that it uses. */
  readonly asBuilt?: boolean;
  /** Raises the soft limit of open files to the hard one. */
  readonly manyFiles?: boolean;
  /** What the process may write to standard error, where it writes nothing otherwise. */
  readonly complaints?: RegExp;
}

/** One line of the log in its JSON form. */
export type LogRecord = Readonly<Record<string, unknown>>;

/** What the control API says of one published item. */
export interface Receipt {
  readonly id: string;
  readonly channel: string;
  readonly subscribers: number;
}

/** An item for streams and one for long polls, as publishers write them. */
export const streamItem = (channel: string, content: string) => ({
  channel,
  formats: { 'http-stream': { content } },
});
export const responseItem = (channel: string, body: string) => ({ channel, formats: { 'http-response': { body } } });

/** A Holdfast that has said `started`. */
export class Holdfast {
  readonly child: Child;
  readonly directory: string;
  readonly #records: LogRecord[] = [];
  /** Characters of the output that are in them. */
  #parsed = 0;

  constructor(child: Child, directory: string) {
    this.child = child;
    this.directory = directory;
  }

  /** Base URL of the first listener of a kind, without a slash at its end. */
  url(kind: 'clients' | 'control' | 'admin', scheme: 'http' | 'https' = 'http'): string {
    const found = new RegExp(`listening on (${scheme}://\\S+) \\(${kind}\\)`).exec(this.child.stdout);
    if (found === null) throw new Error(`no ${scheme} listener for ${kind}\n${this.child.stdout}`);
    return found[1] as string;
  }

  get clients(): string {
    return this.url('clients');
  }

  get control(): string {
    return this.url('control');
  }

  /** All JSON log lines so far; each is parsed once, as those who wait for one look again and again. */
  records(): readonly LogRecord[] {
    const { stdout } = this.child;
    const end = stdout.lastIndexOf('\n') + 1;
    const lines = stdout.slice(this.#parsed, end).split('\n');
    this.#parsed = Math.max(this.#parsed, end);
    for (const line of lines) {
      if (line.startsWith('{') && line.endsWith('}')) this.#records.push(JSON.parse(line) as LogRecord);
    }
    return this.#records;
  }

  /** Waits for a log line in JSON. */
  record(what: string, matches: (record: LogRecord) => boolean): Promise<LogRecord> {
    return until(
      `log line ${what}`,
      () => this.records().find(matches),
      () => this.child.stdout,
    );
  }

  /** Publishes by the control API; resolves with its receipts. */
  async publish(...items: readonly object[]): Promise<Receipt[]> {
    const response = await fetch(`${this.control}/publish/`, {
      method: 'POST',
      headers: { accept: 'application/json' },
      body: JSON.stringify({ items }),
    });
    const answer = (await response.json()) as { message: string; items: Receipt[] };
    if (response.status !== 200) throw new Error(`publish answered ${response.status}: ${answer.message}`);
    return answer.items;
  }

  /** The text of `/metrics`. */
  async metrics(): Promise<string> {
    // A connection kept for the next question would be an open file of the process.
    return (await fetch(`${this.url('admin')}/metrics`, { headers: { connection: 'close' } })).text();
  }

  /** The value of a series, such as `holdfast_holds{kind="stream"}`; 0 when it is not there yet. */
  async metric(series: string): Promise<number> {
    const line = (await this.metrics()).split('\n').find((text) => text.startsWith(`${series} `));
    return line === undefined ? 0 : Number(line.slice(series.length + 1));
  }

  /** Waits until so many requests of a kind are held. */
  async holds(kind: 'response' | 'stream' | 'ws' | 'xmpp', count: number): Promise<void> {
    await until(`${count} ${kind} holds`, async () => (await this.metric(`holdfast_holds{kind="${kind}"}`)) === count);
  }
}

const DEFAULTS = {
  http_port: '127.0.0.1:0',
  push_in_http_port: 0,
  admin_port: '127.0.0.1:0',
};

/** A new directory that goes with the test. */
export function newDirectory(t: Test): string {
  const directory = mkdtempSync(join(tmpdir(), 'holdfast-e2e-'));
  t.teardown(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
}

/** Runs the command with any arguments, and does not wait for it to be ready. */
export function runHoldfast(t: Test, options: HoldfastOptions & { readonly directory: string }): Child {
  const { directory, args = [], env = {}, asBuilt, manyFiles } = options;
  const whole = [process.execPath, asBuilt ? builtCommand : command, ...args];
  const [first, ...others] = manyFiles
    ? ['sh', '-c', 'ulimit -n "$(ulimit -Hn)"; exec "$0" "$@"', ...whole]
    : (whole as [string, ...string[]]);
  const { TEST_EDGE: edge } = process.env;
  const edgeEnv = edge === undefined ? {} : { HOLDFAST_EDGE: edge };
  return startChild(t, { command: first as string, args: others, cwd: directory, env: { ...edgeEnv, ...env } });
}

/** What a process may say beside its log: that it cannot write it, and the warnings of node itself. */
const OWN_LINE = /^(?:holdfast: |\(node:\d+\) |\(Use `node --trace-)/;

/** What uWebSockets.js says of each WebSocket handshake over TLS, which leaves field by field (docs/adr/0034). */
const UNCORKED = /^Warning: uWS\.HttpResponse writes must be made from within a corked callback/;

/** What a process has written to standard error that is none of Holdfast's: mostly a library that complains. */
function strayOutput({ stdout, stderr }: Child, allowed = /^$/): string {
  const isSecure = /listening on https:\S+ \(clients\)/.test(stdout);
  const isKnown = (line: string) => OWN_LINE.test(line) || (isSecure && UNCORKED.test(line));
  const lines = stderr.split('\n').filter((line) => !isKnown(line));
  const stray = lines.join('\n');
  return allowed.test(stray) ? '' : stray;
}

/** Starts the command and waits for the line that ends in `started`. It ends with the test. */
export async function startHoldfast(t: Test, options: HoldfastOptions = {}): Promise<Holdfast> {
  const directory = options.directory ?? newDirectory(t);
  const { routes = [], args = [] } = options;
  const settings = Object.entries({ ...DEFAULTS, ...options.settings });
  const config = options.config ?? settings.map(([key, value]) => `${key}: ${JSON.stringify(value)}\n`).join('');
  const file = join(directory, 'holdfast.conf');
  writeFileSync(file, config);
  // Before the teardown that ends the process, and so after it.
  let stray = (): string => '';
  t.teardown(() => {
    const output = stray();
    if (output !== '') throw new Error(`output of Holdfast that is not its own:\n${output}`);
  });
  const child = runHoldfast(t, {
    ...options,
    directory,
    args: ['--config', file, ...routes.flatMap((line) => ['--route', line]), ...args],
  });
  stray = () => strayOutput(child, options.complaints);
  await child.line(/ started(?:"\})?\n/);
  return new Holdfast(child, directory);
}
