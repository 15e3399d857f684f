/**
 * Owns: the operator's listener: `/metrics`, `/livez`, `/readyz`. Does not own: what is counted, or what readiness means.
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { ListenerConnections, PageGuard, uncontained } from '@holdfast/control-api';
import { EdgeError } from '../edge/errors.js';

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

/**
 * Connections at a time to one admin listener. One more takes the place of the one that has been idle longest.
 *
 * @limit {} connections on each admin listener
 * @over as on the control port
 */
export const MAX_CONNECTIONS = 256;

/** Serves operators and probes. It has no authentication: bind it where only they reach it. Pages of other sites are refused. */
export class AdminServer {
  readonly #server: Server;
  readonly #metrics: Exposition;
  readonly #readiness: () => Readiness;
  readonly #hosts: readonly string[];
  readonly #connections: ListenerConnections;
  #guard: PageGuard | undefined;

  /**
   * `readiness` is asked at every probe; `hosts` are further names under which it is reached, see `PageGuard`. Of more than
   * `maxConnections` at a time some are closed. `faults`: left out, nothing is contained.
   */
  constructor(
    metrics: Exposition,
    readiness: () => Readiness,
    hosts: readonly string[],
    maxConnections = MAX_CONNECTIONS,
    faults = uncontained,
  ) {
    this.#metrics = metrics;
    this.#readiness = readiness;
    this.#hosts = hosts;
    this.#connections = new ListenerConnections({
      max: Math.min(MAX_CONNECTIONS, maxConnections),
      maxBytes: Number.POSITIVE_INFINITY,
      end: (socket) => socket.destroy(),
    });
    this.#server = createServer((request, response) => {
      faults.run('admin', () => this.#serve(request, response), { fault: () => void response.destroy() });
    });
    // None may be left out unseen: the guard looks at them. Their bytes are limited by Node.
    this.#server.maxHeadersCount = 0;
    this.#server.on('connection', (socket: Socket) => {
      if (!this.#connections.open(socket)) socket.destroy();
    });
  }

  #serve(request: IncomingMessage, response: ServerResponse): void {
    const { socket } = request;
    this.#connections.enter(socket, 'working');
    response.on('finish', () => this.#connections.enter(socket, 'idle'));
    const refusal = this.#guard?.check(request.headers);
    const path = request.url?.split('?', 1)[0];
    if (refusal !== undefined) answer(response, refusal.status, refusal.message);
    else if (request.method !== 'GET' && request.method !== 'HEAD')
      answer(response, 405, `Method not allowed: ${request.method}.`);
    else if (path === '/livez') answer(response, 200, 'ok');
    else if (path === '/readyz') {
      const state = this.#readiness();
      answer(response, state.ready ? 200 : 503, textOf(state));
    } else if (path === '/metrics') {
      const { contentType } = this.#metrics;
      this.#metrics.expose().then(
        (text) => {
          response.writeHead(200, { 'Content-Type': contentType }).end(text);
          if (!response.writableFinished) this.#connections.enter(socket, 'sending');
        },
        (error: Error) => answer(response, 500, error.message),
      );
    } else answer(response, 404, 'Not Found');
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
    this.#guard = new PageGuard(address.address, this.#hosts, host);
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
