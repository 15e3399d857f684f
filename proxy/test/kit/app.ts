/**
 * A whole node in the process of the test, made as the command makes it: configured by the names of options, composed by the
 * product. For tests that hold its clock, read its log as values or look at its parts; `holdfast` starts the command as a process.
 */
import type { Test } from 'tap';
import { type LogLine, RecordingLog } from '../../../control-api/dist-test/recorder.js';
import type { Assembly, Overrides } from '../../dist/app/compose/compose.js';
import { loadConfig } from '../../dist/app/load-config.js';
import { HoldfastNode } from '../../dist/app/node.js';
import type { Config } from '../../dist/config/config.js';
import type { RootLog } from '../../dist/telemetry/log.js';
import { RawClient } from './clients/raw-client.js';
import { until } from './until.js';

/** How to make one. Its parts are the product's, but for `overrides`. */
export interface AppOptions {
  /** Lines of the routes. */
  readonly routes?: readonly string[];
  /** Options by their names in a configuration file. */
  readonly settings?: Readonly<Record<string, string | number | boolean>>;
  readonly overrides?: Overrides;
}

/** Listeners on free ports of 127.0.0.1, no command's files, and nothing that outlives a test. */
const DEFAULTS = { http_port: '127.0.0.1:0', push_in_http_port: '0', shutdown_requests: '0' };

/** Keeps all lines, those that are announced with them. */
class AppLog extends RecordingLog implements RootLog {
  readonly opened = Promise.resolve();

  reopen(): void {}

  async close(): Promise<void> {}

  announce(message: string, fields: object = {}): void {
    this.info(fields, message);
  }

  record(_part: string, fields: object): void {
    this.info(fields, '');
  }

  raw(line: string): void {
    this.info({}, line);
  }
}

/** A node as the product composes it, not started yet. */
export interface MadeNode {
  readonly node: HoldfastNode;
  readonly log: AppLog;
  readonly parts: Assembly;
}

/** A node that has started. */
export class App {
  readonly log: AppLog;
  readonly parts: Assembly;
  readonly #t: Test;

  constructor(t: Test, { log, parts }: MadeNode) {
    this.#t = t;
    this.log = log;
    this.parts = parts;
  }

  /** Base URL of the first listener for clients, or of the control API. */
  url(kind: 'clients' | 'control' = 'clients'): string {
    const { address } = this.log.lines.find(({ fields }) => fields.listener === kind)?.fields ?? {};
    if (typeof address !== 'string') throw new Error(`no listener for ${kind}`);
    return address;
  }

  /** The port of its first listener for clients. */
  get port(): number {
    return Number(new URL(this.url()).port);
  }

  /** A new client, connected. */
  connect(): Promise<RawClient> {
    return RawClient.to(this.#t, { port: this.port });
  }

  /** A client that has sent this. */
  async send(bytes: string): Promise<RawClient> {
    const client = await this.connect();
    void client.write(bytes);
    return client;
  }

  /** Lines of the access log so far: requests that are answered or held, in the order of their end. */
  get requests(): readonly LogLine[] {
    return this.log.lines.filter(({ fields }) => 'method' in fields && 'status' in fields);
  }

  /** How the n-th request, counted from 1, ended, as the access log has it. */
  async end(n: number): Promise<Readonly<Record<string, unknown>>> {
    await until(`${n} requests that are over`, () => this.requests.length >= n);
    return (this.requests[n - 1] as LogLine).fields;
  }
}

/** The configuration that these give, read as the command reads it. */
export function configOf({ routes = [], settings = {} }: AppOptions): Config {
  const named = Object.entries({ ...DEFAULTS, ...settings });
  const env = Object.fromEntries(named.map(([name, value]) => [`HOLDFAST_${name.toUpperCase()}`, String(value)]));
  const argv = routes.flatMap((line) => ['--route', line]);
  const loaded = loadConfig({ argv, env, cwd: '/', version: '0.0.0', search: [] });
  if (!('config' in loaded)) throw new Error('no configuration');
  return loaded.config;
}

/** Makes one; nothing listens yet. `config` is one that was read before, for tests that make many. */
export function makeNode(options: AppOptions, config = configOf(options)): MadeNode {
  const { overrides = {} } = options;
  const log = new AppLog();
  let parts: Assembly | undefined;
  const assembled = (made: Assembly) => {
    parts = made;
    overrides.assembled?.(made);
  };
  const node = new HoldfastNode(config, log, { ...overrides, assembled });
  if (parts === undefined) throw new Error('no parts in this process');
  return { node, log, parts };
}

/** Starts one; it stops with the test. */
export async function startApp(t: Test, options: AppOptions = {}): Promise<App> {
  const made = makeNode(options);
  t.teardown(() => made.node.stop());
  await made.node.start();
  return new App(t, made);
}

/** Has each call of a part's method noted, after it was made. */
export function noteCalls<Part extends object, Name extends keyof Part>(
  part: Part,
  name: Name,
  note: Part[Name] extends (...given: infer Given) => unknown ? (...given: Given) => void : never,
): void {
  const method = part[name] as (...given: unknown[]) => unknown;
  const noting = (...given: unknown[]) => {
    const result = method.apply(part, given);
    (note as (...given: unknown[]) => void)(...given);
    return result;
  };
  Object.assign(part, { [name]: noting });
}
