/**
 * Owns: the operator's listener: `/metrics`, `/livez`, `/readyz`. Does not own: what is counted, or what readiness means.
 */
import { createServer, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { EdgeError } from './edge/errors.js';

/** Whether the node should be given traffic, with the reason when not, or what else is to be known. */
export type Readiness =
  | { readonly ready: true; readonly degraded?: string }
  | { readonly ready: false; readonly reason: string };

/** What `/metrics` shows. */
export interface Exposition {
  /** All series in the text format of `contentType`. */
  expose(): Promise<string>;
  readonly contentType: string;
}

/** Serves operators and probes. It has no authentication: bind it where only they reach it. */
export class AdminServer {
  readonly #server: Server;

  /** `readiness` is asked at every probe. Over `maxConnections` at a time, more are closed. */
  constructor(metrics: Exposition, readiness: () => Readiness, maxConnections: number) {
    this.#server = createServer((request, response) => {
      const path = request.url?.split('?', 1)[0];
      if (request.method !== 'GET' && request.method !== 'HEAD')
        answer(response, 405, `Method not allowed: ${request.method}.`);
      else if (path === '/livez') answer(response, 200, 'ok');
      else if (path === '/readyz') {
        const state = readiness();
        answer(response, state.ready ? 200 : 503, textOf(state));
      } else if (path === '/metrics') {
        metrics.expose().then(
          (text) => response.writeHead(200, { 'Content-Type': metrics.contentType }).end(text),
          (error: Error) => answer(response, 500, error.message),
        );
      } else answer(response, 404, 'Not Found');
    });
    this.#server.maxConnections = maxConnections;
  }

  /** Binds; rejects with an `EdgeError` when the port is taken. Resolves with the address for the log. */
  async listen(host: string, port: number): Promise<string> {
    await new Promise<void>((resolve, reject) => {
      this.#server.once('error', (cause: NodeJS.ErrnoException) => {
        const code = cause.code === 'EADDRINUSE' ? 'ERR_EDGE_PORT_IN_USE' : 'ERR_EDGE_LISTEN';
        const why = cause.code === 'EADDRINUSE' ? 'it is in use' : cause.message;
        reject(new EdgeError(code, `cannot listen on ${host}:${port} (admin): ${why}`, { cause }));
      });
      this.#server.listen(port, host, resolve);
    });
    const address = this.#server.address() as AddressInfo;
    return `http://${address.family === 'IPv6' ? `[${address.address}]` : address.address}:${address.port}`;
  }

  async close(): Promise<void> {
    const closed = new Promise<void>((resolve) => void this.#server.close(() => resolve()));
    this.#server.closeAllConnections();
    await closed;
  }
}

function textOf(state: Readiness): string {
  if (!state.ready) return state.reason;
  return state.degraded === undefined ? 'ok' : `degraded: ${state.degraded}`;
}

function answer(response: ServerResponse, status: number, text: string): void {
  response
    .writeHead(status, { 'Content-Type': 'text/plain', ...(status === 405 ? { Allow: 'GET' } : {}) })
    .end(`${text}\n`);
}
