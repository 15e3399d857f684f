/** The server behind callbacks: confirms them, checks signatures, notes what comes, and answers as a test wants. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { Webhook } from 'standardwebhooks';
import type { Test } from 'tap';

/** A request that was taken, or refused. */
export interface Arrival {
  /** `webhook-id`; undefined for a challenge. */
  readonly id: string | undefined;
  readonly method: string;
  /** Path and query. */
  readonly url: string;
  readonly headers: IncomingMessage['headers'];
  readonly body: string;
  /** What it was answered; 0: it was hung up on. */
  readonly status: number;
  /** When it had come whole, by `performance.now`. */
  readonly at: number;
}

/** What to answer: a status with fields, or `hang-up` after the request was read whole. */
export type Reply =
  | number
  | { readonly status: number; readonly headers: Readonly<Record<string, string>> }
  | 'hang-up';

/** Listens on a port of 127.0.0.1 that stays the same. */
export class CallbackServer {
  readonly arrivals: Arrival[] = [];
  /** Signatures that were wrong. */
  readonly refused: string[] = [];
  /** Asked for each item. */
  reply: (arrival: Omit<Arrival, 'status' | 'at'>) => Reply | Promise<Reply> = () => 204;
  /** Asked for each challenge; the text has to come back. */
  confirm: (text: string) => Reply | string = (text) => text;
  /** Most requests that were under way at a time. */
  most = 0;
  #underWay = 0;
  readonly #webhook: Webhook;
  readonly #sockets = new Set<Socket>();
  #server: Server;
  #port = 0;

  private constructor(secret: string) {
    this.#webhook = new Webhook(secret);
    this.#server = this.#make();
  }

  /** Starts one; it ends with the test. */
  static async start(t: Test, secret: string): Promise<CallbackServer> {
    const server = new CallbackServer(secret);
    await server.comeBack();
    t.teardown(() => server.goAway());
    return server;
  }

  get url(): string {
    return `http://127.0.0.1:${this.#port}/hook`;
  }

  /** Items that were taken, by the order in which they came. */
  get taken(): readonly Arrival[] {
    return this.arrivals.filter(({ id, status }) => id !== undefined && status >= 200 && status < 300);
  }

  get challenges(): readonly Arrival[] {
    return this.arrivals.filter(({ id }) => id === undefined);
  }

  /** Hangs up on everybody, and listens no more: as a process that is killed. */
  async goAway(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  async comeBack(): Promise<void> {
    this.#server = this.#make();
    await new Promise<void>((resolve) => this.#server.listen(this.#port, '127.0.0.1', resolve));
    this.#port = (this.#server.address() as AddressInfo).port;
  }

  #make(): Server {
    const server = createServer((request, response) => void this.#take(request, response).catch(() => {}));
    server.on('connection', (socket) => {
      this.#sockets.add(socket);
      socket.on('close', () => this.#sockets.delete(socket));
      socket.on('error', () => {});
    });
    return server;
  }

  async #take(request: IncomingMessage, response: ServerResponse): Promise<void> {
    this.most = Math.max(this.most, ++this.#underWay);
    response.on('close', () => this.#underWay--);
    let body = '';
    for await (const chunk of request.setEncoding('utf8')) body += chunk;
    const { method = '', url = '', headers } = request;
    const id = headers['webhook-id'] as string | undefined;
    const at = performance.now();
    const text = new URL(url, 'http://callback').searchParams.get('hub.challenge');
    if (id === undefined && text !== null) {
      const reply = this.confirm(text);
      this.arrivals.push({ id, method, url, headers, body, status: typeof reply === 'number' ? reply : 200, at });
      if (typeof reply === 'string') response.end(reply);
      else this.#answer(response, reply);
      return;
    }
    // By the library of Standard Webhooks, whose own check takes nothing but JSON.
    const seconds = Number(headers['webhook-timestamp']);
    const right = this.#webhook.sign(String(id), new Date(seconds * 1_000), body);
    if (!String(headers['webhook-signature']).split(' ').includes(right)) this.refused.push(String(id));
    const arrival = { id, method, url, headers, body };
    const reply = await this.reply(arrival);
    const status = reply === 'hang-up' ? 0 : typeof reply === 'number' ? reply : reply.status;
    this.arrivals.push({ ...arrival, status, at });
    this.#answer(response, reply);
  }

  #answer(response: ServerResponse, reply: Reply): void {
    if (reply === 'hang-up') response.socket?.destroy();
    else if (typeof reply === 'number') response.writeHead(reply).end();
    else response.writeHead(reply.status, reply.headers).end();
  }
}
