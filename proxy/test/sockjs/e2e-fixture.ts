/** An echo origin of a kind behind a Holdfast that serves SockJS for it at `/echo`. */
import type { Test } from 'tap';
import { type Answer, ask, open } from '../kit/clients/http-client.js';
import { type EchoWitness, startEcho } from '../kit/echo-fixture.js';
import { type Holdfast, type HoldfastOptions, startHoldfast } from '../kit/holdfast.js';
import { type Kind, kinds } from '../kit/origins/echo-origin.js';

/** How the fixture differs from the usual. */
export interface E2eOptions extends HoldfastOptions {
  /** Further properties of the route. */
  readonly route?: string;
}

/** Both, and a client without any library. */
export class E2eFixture {
  readonly origin: EchoWitness;
  readonly holdfast: Holdfast;
  readonly #t: Test;

  private constructor(t: Test, origin: EchoWitness, holdfast: Holdfast) {
    this.#t = t;
    this.origin = origin;
    this.holdfast = holdfast;
  }

  /** Starts both; they end with the test. Clients that leave are noticed at once. */
  static async start(t: Test, kind: Kind, { route = '', ...options }: E2eOptions = {}): Promise<E2eFixture> {
    const origin = await startEcho(t, kind);
    const line = `*,sockjs=/echo${route === '' ? '' : `,${route}`} ${origin.target}${kinds[kind]}`;
    const settings = { client_half_close_grace: 0, ...options.settings };
    const routes = [line, ...(options.routes ?? [])];
    return new E2eFixture(t, origin, await startHoldfast(t, { ...options, settings, routes }));
  }

  /** The service. */
  get url(): string {
    return `${this.holdfast.clients}/echo`;
  }

  /** A whole answer. */
  get(path: string, headers: Readonly<Record<string, string>> = {}): Promise<Answer> {
    return ask(this.#t, this.url + path, { headers });
  }

  /** A whole answer. */
  post(path: string, body = '', headers: Readonly<Record<string, string>> = {}): Promise<Answer> {
    return ask(this.#t, this.url + path, { method: 'POST', body, headers });
  }

  /** An answer that goes on. */
  stream(path: string, method = 'POST'): Promise<Answer> {
    return open(this.#t, this.url + path, { method });
  }

  /** Polls until the messages that have come are so many; other frames fail. */
  async messages(session: string, count: number): Promise<string[]> {
    const all: string[] = [];
    while (all.length < count) {
      const { text } = await this.post(`/000/${session}/xhr`);
      if (!text.startsWith('a')) throw new Error(`not messages: ${text}`);
      all.push(...(JSON.parse(text.slice(1)) as string[]));
    }
    return all;
  }
}
