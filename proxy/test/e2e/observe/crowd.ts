/** Clients and publishers that go on until they are stopped: held ones that come back when they are cut, and plain requests. */
import { setTimeout as delay } from 'node:timers/promises';
import type { Test } from 'tap';
import { type Answer, ask, open } from '../../kit/clients/http-client.js';
import { openWs, type WsClient, wsUrl } from '../../kit/clients/ws-client.js';
import { until } from '../../kit/until.js';
import type { System } from './system.js';

/** How many there are, and what they do in a second. */
export interface CrowdSize {
  readonly streams: number;
  readonly polls: number;
  readonly sessions: number;
  readonly channels: number;
  /** Publishes, and plain requests, a second; a wave of a minute and a half takes them up and down by a half. */
  readonly publishes: number;
  readonly requests: number;
}

/** How long a client waits before it comes back, in ms. */
const BACK = 50;

/** Those who use a system. */
export class Crowd {
  readonly #t: Test;
  readonly #system: System;
  readonly #size: CrowdSize;
  readonly #streams = new Set<Answer>();
  readonly #sessions = new Set<WsClient>();
  #isOver = false;
  #numbers = 0;

  private constructor(t: Test, system: System, size: CrowdSize) {
    this.#t = t;
    this.#system = system;
    this.#size = size;
  }

  /** Lets them come; resolves when all streams and sessions are held. They go with the test. */
  static async start(t: Test, system: System, size: CrowdSize): Promise<Crowd> {
    const crowd = new Crowd(t, system, size);
    t.teardown(() => {
      crowd.#isOver = true;
    });
    for (let n = 0; n < size.streams; n++) crowd.#go(() => crowd.#stream(n));
    for (let n = 0; n < size.sessions; n++) crowd.#go(() => crowd.#session(n));
    for (let n = 0; n < size.polls; n++) crowd.#go(() => crowd.#poll(n));
    crowd.#go(() => crowd.#paced(size.publishes, () => crowd.#publish()));
    crowd.#go(() => crowd.#paced(size.requests, () => crowd.#request()));
    await until('all clients', () => crowd.#streams.size === size.streams && crowd.#sessions.size === size.sessions);
    return crowd;
  }

  /** Cuts some of the streams and sessions; they come back. */
  cut(count: number): void {
    for (const stream of [...this.#streams].slice(0, count)) stream.drop();
    for (const session of [...this.#sessions].slice(0, count)) session.vanish();
  }

  /** One that fails, since a node is away, comes again. */
  #go(once: () => Promise<void>): void {
    void (async () => {
      while (!this.#isOver) {
        await once().catch(() => {});
        await delay(BACK);
      }
    })();
  }

  #channel(n: number): string {
    return `news-${n % this.#size.channels}`;
  }

  readonly #lastIds = new Map<number, string>();

  async #stream(n: number): Promise<void> {
    const last = this.#lastIds.get(n);
    const headers: Record<string, string> = last === undefined ? {} : { 'Last-Event-ID': last };
    const stream = await open(this.#t, `${this.#system.any.clients}/stream/${this.#channel(n)}`, { headers });
    if (stream.status !== 200) throw new Error('refused');
    this.#streams.add(stream);
    await stream.end();
    this.#streams.delete(stream);
    const id = [...stream.text.matchAll(/^id: (.+)$/gm)].at(-1)?.[1];
    if (id !== undefined) this.#lastIds.set(n, id);
  }

  async #session(n: number): Promise<void> {
    const session = await openWs(this.#t, wsUrl(this.#system.any.clients, `/ws/${this.#channel(n)}`));
    this.#sessions.add(session);
    session.send('hello');
    const closed = new Promise<void>((resolve) => session.socket.once('close', () => resolve()));
    while (session.closed === undefined && !this.#isOver) {
      await Promise.race([closed, delay(1_000 + 1_000 * Math.random())]);
      if (session.closed === undefined) session.send(`I read ${n}`);
    }
    this.#sessions.delete(session);
  }

  async #poll(n: number): Promise<void> {
    await ask(this.#t, `${this.#system.any.clients}/poll/${this.#channel(n)}`);
  }

  async #request(): Promise<void> {
    await ask(this.#t, `${this.#system.any.clients}/articles/${this.#numbers}`);
  }

  async #publish(): Promise<void> {
    const n = this.#numbers++;
    const text = `item ${n} ${'.'.repeat(50 + Math.floor(Math.random() * 400))}`;
    await this.#system.any.publish({
      channel: this.#channel(n),
      formats: {
        'http-stream': { content: `data: ${text}\n\n` },
        'http-response': { body: text },
        'ws-message': { content: text },
      },
    });
  }

  /** Begins something so many times a second, on average, whether or not what was begun before is over. */
  async #paced(rate: number, act: () => Promise<void>): Promise<void> {
    while (!this.#isOver) {
      const wave = 1 + 0.5 * Math.sin(Date.now() / 15_000);
      await delay((2 * Math.random() * 1_000) / (rate * wave));
      act().catch(() => {});
    }
  }
}
