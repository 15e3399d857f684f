/** An origin with a path of its own for each test: the answers it gives there, one after the other. */
import type { ServerResponse } from 'node:http';
import type { Test } from 'tap';
import { until } from '../until.js';
import { type Origin, type Seen, startOrigin } from './origin.js';

/** One answer of the origin. */
export interface ScriptedAnswer {
  readonly status?: number;
  readonly reason?: string;
  readonly headers?: Readonly<Record<string, string | readonly string[]>>;
  /** Sent whole with a Content-Length, or by a function that must end the response. */
  readonly body?: string | Buffer | ((response: ServerResponse) => void);
}

/** An origin whose answers are given beforehand. */
export class ScriptedOrigin {
  readonly #origin: Origin;
  readonly #scripts: Map<string, ScriptedAnswer[]>;

  private constructor(origin: Origin, scripts: Map<string, ScriptedAnswer[]>) {
    this.#origin = origin;
    this.#scripts = scripts;
  }

  /** Starts one; it ends with the test. */
  static async start(t: Test): Promise<ScriptedOrigin> {
    const scripts = new Map<string, ScriptedAnswer[]>();
    const origin = await startOrigin(t, (request, response) => {
      const script = scripts.get(request.url ?? '');
      const answer = script === undefined ? { status: 404 } : script.length > 1 ? script.shift() : script[0];
      // Bodies are taken whole first, as applications do.
      request.on('end', () => give(response, answer ?? {}));
    });
    return new ScriptedOrigin(origin, scripts);
  }

  /** `127.0.0.1:port`. */
  get target(): string {
    return this.#origin.target;
  }

  /** A new path that gets these answers, the last one again and again. */
  script(...answers: readonly ScriptedAnswer[]): string {
    const path = `/script-${this.#scripts.size + 1}`;
    this.#scripts.set(path, [...answers]);
    return path;
  }

  /** The requests for a path so far. */
  seen(path: string): readonly Seen[] {
    return this.#origin.seen.filter(({ url }) => url === path);
  }

  /** Waits until so many requests for a path have come whole. */
  async requests(path: string, count: number): Promise<readonly Seen[]> {
    await until(
      `${count} requests for ${path}`,
      () => this.seen(path).filter(({ complete }) => complete).length >= count,
    );
    return this.seen(path);
  }
}

function give(response: ServerResponse, { status = 200, reason, headers = {}, body = '' }: ScriptedAnswer): void {
  for (const [name, value] of Object.entries(headers)) {
    response.setHeader(name, typeof value === 'string' ? value : [...value]);
  }
  if (typeof body !== 'function') response.setHeader('Content-Length', Buffer.byteLength(body));
  if (reason === undefined) response.writeHead(status);
  else response.writeHead(status, reason);
  if (typeof body === 'function') body(response);
  else response.end(body);
}
