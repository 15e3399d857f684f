/** An origin that speaks WebSocket-over-HTTP, on node:http: it keeps every request and answers by a script. */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { encodeWsEvents, parseWsEvents, type RawHeaders, type WsEvent } from '@holdfast/grip';
import type { Test } from 'tap';
import { until } from '../../kit/until.js';

/** Media type of events. */
export const EVENTS = 'application/websocket-events';

/** One request as it came. */
export interface SeenRequest {
  readonly method: string;
  readonly url: string;
  /** Names in lower case; repeated fields joined. */
  readonly headers: Readonly<Record<string, string>>;
  readonly rawHeaders: readonly string[];
  readonly body: Buffer;
  readonly events: readonly WsEvent[];
  /** Events in short: `TEXT hello`, `OPEN`. */
  readonly short: readonly string[];
}

/** An answer: events with the right head unless it says otherwise. */
export interface Reply {
  readonly status?: number;
  readonly headers?: RawHeaders;
  readonly events?: readonly WsEvent[];
  /** Instead of events. */
  readonly body?: string | Buffer;
}

/** Answers the request of that number, from 0; undefined leaves it unanswered. */
export type Script = (seen: SeenRequest, index: number) => Reply | 'reset' | undefined | Promise<Reply | undefined>;

/** An event with text for content. */
export function event(type: WsEvent['type'], content?: string | Buffer): WsEvent {
  return content === undefined ? { type } : { type, content: Buffer.from(content) };
}

/** A reply that accepts the session, then these events. */
export function accept(events: readonly WsEvent[] = [], headers: RawHeaders = []): Reply {
  return { events: [event('OPEN'), ...events], headers };
}

/** A reply with these events. */
export function reply(events: readonly WsEvent[] = [], headers: RawHeaders = []): Reply {
  return { events, headers };
}

/** A server; it ends with the test. */
export class EventsServer {
  readonly seen: SeenRequest[] = [];
  /** Most requests that were ever under way at once. */
  mostAtOnce = 0;
  /** Requests that the other side broke off. */
  abandoned = 0;
  readonly #server;
  #port = 0;
  #underWay = 0;

  private constructor(script: Script) {
    this.#server = createServer(
      { maxHeaderSize: 100_000 },
      (request, response) => void this.#take(request, response, script),
    );
    this.#server.keepAliveTimeout = 60_000;
  }

  /** Starts one on a free port. */
  static async start(t: Test, script: Script): Promise<EventsServer> {
    const server = new EventsServer(script);
    await server.listen();
    t.teardown(() => server.stop());
    return server;
  }

  /** Listens, after `stop` on the same port again. */
  async listen(): Promise<void> {
    await new Promise<void>((resolve) => this.#server.listen(this.#port, '127.0.0.1', resolve));
    this.#port = (this.#server.address() as AddressInfo).port;
  }

  /** Dies: connections are cut, and new ones refused. */
  stop(): void {
    this.#server.closeAllConnections();
    this.#server.close();
  }

  /** Where it listens, of 127.0.0.1. */
  get port(): number {
    return this.#port;
  }

  /** Waits for so many requests, and gives all. */
  async requests(count: number): Promise<readonly SeenRequest[]> {
    await until(
      `${count} requests`,
      () => this.seen.length >= count,
      () => `seen ${JSON.stringify(this.seen.map(({ short }) => short))}`,
    );
    return this.seen;
  }

  async #take(request: IncomingMessage, response: ServerResponse, script: Script): Promise<void> {
    this.mostAtOnce = Math.max(this.mostAtOnce, ++this.#underWay);
    response.on('close', () => {
      this.#underWay--;
      if (!response.writableFinished) this.abandoned++;
    });
    const chunks: Buffer[] = [];
    try {
      for await (const chunk of request) chunks.push(chunk as Buffer);
    } catch {
      return;
    }
    const body = Buffer.concat(chunks);
    const events = parseWsEvents(body);
    const short = events.map(({ type, content }) => (content === undefined ? type : `${type} ${content}`));
    const { method = '', url = '', rawHeaders } = request;
    const seen = { method, url, headers: request.headers as Record<string, string>, rawHeaders, body, events, short };
    const index = this.seen.push(seen) - 1;
    const answer = await script(seen, index);
    if (answer === 'reset') request.socket.destroy();
    else if (answer !== undefined) give(response, answer);
  }
}

function give(response: ServerResponse, { status = 200, headers = [], events = [], body }: Reply): void {
  const content = body === undefined ? encodeWsEvents(events) : Buffer.from(body);
  const fields = [...headers];
  if (body === undefined && !has(headers, 'content-type')) fields.push('Content-Type', EVENTS);
  fields.push('Content-Length', String(content.length));
  response.writeHead(status, fields);
  response.end(content);
}

function has(headers: RawHeaders, name: string): boolean {
  return headers.some((field, i) => i % 2 === 0 && field.toLowerCase() === name);
}
