/** Real Redis servers on free ports of 127.0.0.1, which end with the test. */
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import t, { type Test } from 'tap';

const run = promisify(execFile);

/** tap ends a file after 30 s. These start servers and wait for their time limits; what hangs is found by `until`. */
t.setTimeout(240_000);

/** Milliseconds after which a test stops waiting for a condition: a failover and a connection that is tried in vain before it. */
const PATIENCE_MS = 30_000;

/** Resolves when a condition holds; fails after a while with its name. */
export async function until(what: string, holds: () => boolean | Promise<boolean>): Promise<void> {
  const end = Date.now() + PATIENCE_MS;
  while (!(await holds())) {
    if (Date.now() > end) throw new Error(`waited in vain: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

/** A port on which nobody listens, below those for outgoing connections, so that none takes it before a restart. */
export async function freePort(): Promise<number> {
  for (;;) {
    // The bus of a cluster is 10,000 ports above.
    const port = 10_000 + Math.floor(Math.random() * 12_000);
    const free = await new Promise<boolean>((resolve) => {
      const server = createServer();
      server.once('error', () => resolve(false));
      server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)));
    });
    if (free) return port;
  }
}

/** One server process. */
export class RedisServer {
  readonly port: number;
  /** What goes before each command of {@link cli}: credentials, certificates. */
  readonly #cliArgs: readonly string[];
  readonly #args: readonly string[];
  #process: ChildProcess | undefined;
  #output = '';

  constructor(port: number, args: readonly string[], cliArgs: readonly string[]) {
    this.port = port;
    this.#args = args;
    this.#cliArgs = cliArgs;
  }

  get url(): string {
    return `redis://127.0.0.1:${this.port}`;
  }

  /** Everything the server has written. */
  get output(): string {
    return this.#output;
  }

  /** Starts the process; resolves when it answers. */
  async start(): Promise<void> {
    const child = spawn('redis-server', [...this.#args], { stdio: ['ignore', 'pipe', 'pipe'] });
    this.#process = child;
    const keep = (chunk: Buffer) => {
      this.#output += chunk.toString();
    };
    child.stdout?.on('data', keep);
    child.stderr?.on('data', keep);
    await until('redis answers', async () => {
      if (child.exitCode !== null) throw new Error(`redis-server ended: ${this.#output}`);
      return (await this.cli('ping').catch(() => '')) === 'PONG';
    });
  }

  /** One command by redis-cli. */
  async cli(...command: string[]): Promise<string> {
    const { stdout } = await run('redis-cli', ['-p', String(this.port), ...this.#cliArgs, ...command]);
    return stdout.trim();
  }

  signal(name: NodeJS.Signals): void {
    this.#process?.kill(name);
  }

  /** Kills the process at once; resolves when it is gone. */
  async kill(): Promise<void> {
    const child = this.#process;
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    const gone = new Promise((resolve) => child.once('exit', resolve));
    child.kill('SIGKILL');
    await gone;
  }
}

/** A folder that is removed with the test. */
export function tempFolder(t: Test): string {
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-redis-'));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** How a server differs from an ordinary one. */
export interface ServerOptions {
  /** Further arguments of redis-server. */
  readonly args?: readonly string[];
  /** Arguments that redis-cli needs. */
  readonly cliArgs?: readonly string[];
  /** Listen with TLS only. */
  readonly tls?: boolean;
}

/** Starts a server that keeps nothing on disk unless asked to. */
export async function startRedis(
  t: Test,
  { args = [], cliArgs = [], tls = false }: ServerOptions = {},
): Promise<RedisServer> {
  const folder = tempFolder(t);
  const port = await freePort();
  const listen = tls ? ['--port', '0', '--tls-port', String(port)] : ['--port', String(port)];
  const common = ['--bind', '127.0.0.1', '--dir', folder, '--save', '', '--daemonize', 'no'];
  const server = new RedisServer(port, [...listen, ...common, ...args], cliArgs);
  t.teardown(() => server.kill());
  await server.start();
  return server;
}

/** Starts a cluster of three masters without replicas. */
export async function startCluster(t: Test): Promise<readonly RedisServer[]> {
  const options = {
    args: ['--cluster-enabled', 'yes', '--cluster-node-timeout', '2000', '--cluster-require-full-coverage', 'no'],
  };
  const servers = [await startRedis(t, options), await startRedis(t, options), await startRedis(t, options)];
  const addresses = servers.map(({ port }) => `127.0.0.1:${port}`);
  await run('redis-cli', ['--cluster', 'create', ...addresses, '--cluster-yes']);
  for (const server of servers) {
    await until('the cluster is complete', async () => {
      const info = await server.cli('cluster', 'info');
      return info.includes('cluster_state:ok') && info.includes('cluster_known_nodes:3');
    });
  }
  return servers;
}

/** The URL of a cluster. */
export function clusterUrl(servers: readonly RedisServer[]): string {
  return `redis+cluster://${servers.map(({ port }) => `127.0.0.1:${port}`).join(',')}`;
}

/** A master with one replica, subscription by three sentinels that agree on a failover within about a second. */
export interface Sentinels {
  readonly master: RedisServer;
  readonly replica: RedisServer;
  /** In the order of the URL. */
  readonly sentinels: readonly RedisServer[];
  readonly url: string;
}

/** Starts master, replica and sentinels. */
export async function startSentinels(t: Test): Promise<Sentinels> {
  const master = await startRedis(t);
  const replica = await startRedis(t, {
    args: ['--replicaof', '127.0.0.1', String(master.port), '--repl-diskless-sync-delay', '0'],
  });
  await until('the replica follows', async () =>
    (await replica.cli('info', 'replication')).includes('master_link_status:up'),
  );
  const sentinels: RedisServer[] = [];
  for (let i = 0; i < 3; i += 1) {
    const port = await freePort();
    const file = join(tempFolder(t), 'sentinel.conf');
    writeFileSync(
      file,
      [
        `port ${port}`,
        'bind 127.0.0.1',
        `sentinel monitor main 127.0.0.1 ${master.port} 2`,
        'sentinel down-after-milliseconds main 1000',
        // After twice that an attempt that found no replica to promote is followed by another.
        'sentinel failover-timeout main 2000',
      ].join('\n'),
    );
    const sentinel = new RedisServer(port, [file, '--sentinel'], []);
    t.teardown(() => sentinel.kill());
    await sentinel.start();
    sentinels.push(sentinel);
  }
  for (const sentinel of sentinels) {
    await until('the sentinel knows everybody', async () => {
      const known = (await sentinel.cli('sentinel', 'master', 'main')).split('\n');
      const numberOf = (name: string) => known[known.indexOf(name) + 1];
      return numberOf('num-slaves') === '1' && numberOf('num-other-sentinels') === '2';
    });
  }
  return {
    master,
    replica,
    sentinels,
    url: `redis+sentinel://${sentinels.map(({ port }) => `127.0.0.1:${port}`).join(',')}/main`,
  };
}
