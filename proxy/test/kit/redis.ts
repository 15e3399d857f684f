/** A real redis-server as a child process, which a test may stop and start again with what it had. */
import { Redis } from 'ioredis';
import type { Test } from 'tap';
import { type Child, startChild } from './child.js';
import { newDirectory } from './holdfast.js';
import { freePort } from './ports.js';

/** A Redis on a port of 127.0.0.1 that stays the same. */
export class RedisServer {
  readonly #t: Test;
  readonly #directory: string;
  readonly port: number;
  #child: Child | undefined;
  #client: Redis | undefined;

  constructor(t: Test, directory: string, port: number) {
    this.#t = t;
    this.#directory = directory;
    this.port = port;
    t.teardown(() => this.#client?.disconnect());
  }

  /** For `redis_url`. */
  get url(): string {
    return `redis://127.0.0.1:${this.port}`;
  }

  /** Starts it; resolves when it takes commands. Every write is on the disk before it is answered. */
  async start(): Promise<void> {
    const options = { port: this.port, bind: '127.0.0.1', dir: this.#directory, save: '' };
    const durable = { appendonly: 'yes', appendfsync: 'always' };
    const args = Object.entries({ ...options, ...durable }).flatMap(([name, value]) => [`--${name}`, String(value)]);
    this.#child = startChild(this.#t, { command: 'redis-server', args });
    await this.#child.line(/Ready to accept connections/);
    this.#client = new Redis({ port: this.port, host: '127.0.0.1', retryStrategy: () => null });
    this.#client.on('error', () => {});
  }

  /** Ends it as a crash would. */
  async kill(): Promise<void> {
    this.#client?.disconnect();
    this.#child?.signal('SIGKILL');
    await this.#child?.exited;
  }

  /** Runs a command. */
  async call(command: string, ...args: readonly string[]): Promise<unknown> {
    return this.#client?.call(command, ...args);
  }

  /** Ids of the connections that are subscribed to anything. */
  async subscribers(): Promise<string[]> {
    const list = String(await this.call('CLIENT', 'LIST', 'TYPE', 'pubsub'));
    return [...list.matchAll(/^id=(\d+)/gm)].map(([, id]) => id as string);
  }
}

/** Starts a Redis that ends with the test. */
export async function startRedis(t: Test): Promise<RedisServer> {
  const server = new RedisServer(t, newDirectory(t), await freePort());
  await server.start();
  return server;
}
