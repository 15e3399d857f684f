/** An example as its page in docs/recipes starts it: its origin as a child process, and nodes with the example's own configuration. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Test } from 'tap';
import { type Child, root, startChild } from '../../kit/child.js';
import { type Holdfast, startHoldfast } from '../../kit/holdfast.js';
import { freePort } from '../../kit/ports.js';
import { startRedis } from '../../kit/redis.js';
import { until } from '../../kit/until.js';
import { view } from '../../kit/views-fixture.js';

/** What the nodes sign requests with, and the origin verifies. */
const SIG_KEY = 'a secret of the nodes';

export interface RecipeOptions {
  /** For the origin. */
  readonly env?: Readonly<Record<string, string>>;
  /** How many nodes; more than one share a Redis. The origin publishes to the first. */
  readonly nodes?: number;
}

/** An example that runs. */
export class Recipe {
  readonly nodes: readonly Holdfast[];
  /** Base URL of the origin, past the nodes. */
  readonly origin: string;
  readonly #start: () => Promise<Child>;
  #child: Child;

  private constructor(nodes: readonly Holdfast[], origin: string, start: () => Promise<Child>, child: Child) {
    this.nodes = nodes;
    this.origin = origin;
    this.#start = start;
    this.#child = child;
  }

  /** Starts `examples/<name>/server.mjs` and the nodes, which end with the test. */
  static async start(t: Test, name: string, { env = {}, nodes = 1 }: RecipeOptions = {}): Promise<Recipe> {
    const folder = join(root, 'examples', name);
    const [port, control] = [await freePort(), await freePort()];
    const gripUrl = `http://127.0.0.1:${control}/?verify-key=${encodeURIComponent(SIG_KEY)}`;
    const start = async () => {
      const args = [join(folder, 'server.mjs')];
      const child = startChild(t, {
        command: process.execPath,
        args,
        env: { ...env, PORT: `${port}`, GRIP_URL: gripUrl },
      });
      await child.line(/listening on http:\/\/\S+\n/);
      return child;
    };
    const child = await start();
    const redis = nodes > 1 ? await startRedis(t) : undefined;
    const started: Holdfast[] = [];
    for (let i = 0; i < nodes; i++) {
      const lines = [
        readFileSync(join(folder, 'holdfast.yaml'), 'utf8')
          .replaceAll('127.0.0.1:7999', '127.0.0.1:0')
          .replaceAll('127.0.0.1:5580', `127.0.0.1:${await freePort()}`)
          .replaceAll('127.0.0.1:3000', `127.0.0.1:${port}`),
        `push_in_http_port: ${i === 0 ? control : 0}`,
        `sig_key: ${SIG_KEY}`,
        ...(redis === undefined ? [] : [`redis_url: ${redis.url}`]),
      ];
      started.push(await startHoldfast(t, { config: `${lines.join('\n')}\n` }));
    }
    return new Recipe(started, `http://127.0.0.1:${port}`, start, child);
  }

  /** The first node, or another by its number. */
  node(number = 0): Holdfast {
    return this.nodes[number] as Holdfast;
  }

  /** Waits until so many sessions of all nodes are subscribed to a channel: nobody is told when that is done. */
  async subscribed(t: Test, channel: string, count: number): Promise<void> {
    const path = `/channels/${encodeURIComponent(channel)}`;
    await until(`${count} sessions on ${channel}`, async () => {
      const { body } = await view(t, this.node(), path);
      return (body.subscribers as { ws: number }).ws === count;
    });
  }

  /** Ends the origin as an operator would; resolves when it has gone. */
  async stop(): Promise<void> {
    await this.#child.stop();
  }

  async restart(): Promise<void> {
    this.#child = await this.#start();
  }
}
