/** The customer's own end of events: a server that checks what is posted to it, keeps it, and answers as a test wants. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Webhook } from 'standardwebhooks';
import type { Test } from 'tap';
import { until } from './until.js';

/** A key as `events_key` has it. */
export const EVENTS_KEY = `whsec_${Buffer.alloc(32, 1).toString('base64')}`;

/** An event as it comes. */
export type ReceivedEvent = Readonly<Record<string, unknown>> & { readonly type: string };

/** A post that was taken. */
export interface Post {
  readonly id: string;
  readonly events: readonly ReceivedEvent[];
}

/** Refuses posts that are not signed by its key, and keeps each that it takes once, by its id. */
export class EventReceiver {
  readonly posts: Post[] = [];
  /** Events so far. */
  total = 0;
  /** Posts so far, those that were not taken among them. */
  asked = 0;
  /** What is answered. */
  status = 204;
  /** Of posts whose signature was wrong. */
  readonly refused: string[] = [];
  readonly #server: Server;
  readonly #webhook: Webhook;
  readonly #port: number;

  private constructor(server: Server, key: string) {
    this.#server = server;
    this.#webhook = new Webhook(key);
    this.#port = (server.address() as AddressInfo).port;
  }

  /** Starts one; it ends with the test. */
  static async start(t: Test, key = EVENTS_KEY): Promise<EventReceiver> {
    const server = createServer((request, response) => void receiver.#take(request, response));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const receiver = new EventReceiver(server, key);
    t.teardown(() => receiver.goAway());
    return receiver;
  }

  /** For `events_url`. */
  get url(): string {
    return `http://127.0.0.1:${this.#port}/hooks`;
  }

  /** Settings that have a node send events here. */
  settings(events: string, more: Readonly<Record<string, string | number | boolean>> = {}) {
    return { events_url: this.url, events_key: EVENTS_KEY, events, events_batch_wait: '50ms', ...more };
  }

  /** All events, in the order in which they came. */
  get events(): readonly ReceivedEvent[] {
    return this.posts.flatMap(({ events }) => events);
  }

  /** Those of one type. */
  of(type: string): readonly ReceivedEvent[] {
    return this.events.filter((event) => event.type === type);
  }

  /** Waits until there are so many of a type. */
  async have(type: string, count: number): Promise<readonly ReceivedEvent[]> {
    await until(
      `${count} of ${type}`,
      () => this.of(type).length >= count,
      () => JSON.stringify(this.events.slice(-20), null, 1),
    );
    return this.of(type);
  }

  /** Nobody listens any more. */
  async goAway(): Promise<void> {
    const closed = new Promise((resolve) => this.#server.close(resolve));
    this.#server.closeAllConnections();
    await closed;
  }

  /** Listens again, at the same address. */
  async comeBack(): Promise<void> {
    await new Promise<void>((resolve) => this.#server.listen(this.#port, '127.0.0.1', resolve));
  }

  async #take(request: IncomingMessage, response: ServerResponse): Promise<void> {
    this.asked++;
    let text = '';
    for await (const chunk of request.setEncoding('utf8')) text += chunk;
    const { status } = this;
    if (status >= 200 && status < 300) {
      try {
        const { events } = this.#webhook.verify(text, request.headers as Record<string, string>) as Pick<
          Post,
          'events'
        >;
        const id = String(request.headers['webhook-id']);
        if (!this.posts.some((post) => post.id === id)) {
          this.posts.push({ id, events });
          this.total += events.length;
        }
      } catch (error) {
        this.refused.push((error as Error).message);
        response.writeHead(401).end();
        return;
      }
    }
    response.writeHead(status).end();
  }
}

/** Whether the numbers of each channel, or user, only grow. */
export function isOrdered(events: readonly ReceivedEvent[]): boolean {
  const last = new Map<unknown, number>();
  for (const { channel, user, seq } of events) {
    if (typeof seq !== 'number') continue;
    const of = channel ?? user;
    if (seq <= (last.get(of) ?? 0)) return false;
    last.set(of, seq);
  }
  return true;
}
