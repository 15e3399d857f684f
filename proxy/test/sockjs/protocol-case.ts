/** What cases of the SockJS protocol are made of, and checks that they share. */
import { deepEqual, equal, match, ok } from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { WebSocket } from 'ws';
import { ProtocolClient, type RawAnswer } from './protocol-client.js';

/** A server with the four services that the protocol's own suite wants, and a case's way to it. */
export class ProtocolCase extends ProtocolClient {
  /** Where the services are: `echo`, `close`, `disabled_websocket_echo`, `cookie_needed_echo`. */
  readonly #top: string;
  readonly #sockets: WebSocket[] = [];

  constructor(top: string) {
    super();
    this.#top = top;
  }

  url(path = '', service = 'echo'): string {
    return `${this.#top}/${service}${path}`;
  }

  /** The URL of a session that is new. */
  session(service = 'echo'): string {
    return this.url(`/000/${randomUUID()}`, service);
  }

  /** A WebSocket that keeps what it gets. */
  async webSocket(url: string): Promise<RecordingClient> {
    const socket = new WebSocket(url.replace('http', 'ws'));
    this.#sockets.push(socket);
    const client = new RecordingClient(socket);
    await client.opened;
    return client;
  }

  override end(): void {
    super.end();
    for (const socket of this.#sockets) socket.terminate();
  }
}

/** Texts of a WebSocket in order; undefined for its end. */
export class RecordingClient {
  readonly opened: Promise<void>;
  readonly #socket: WebSocket;
  readonly #received: (string | undefined)[] = [];
  reason = '';
  #wake = () => {};

  constructor(socket: WebSocket) {
    this.#socket = socket;
    socket.on('message', (data) => this.#hear(data.toString()));
    socket.on('close', (_code, reason) => {
      this.reason = reason.toString();
      this.#hear(undefined);
    });
    this.opened = new Promise((resolve, reject) => socket.on('open', resolve).on('error', reject));
  }

  send(text: string): void {
    this.#socket.send(text);
  }

  async expect(text: string | undefined): Promise<void> {
    const late = delay(3_000, 'late', { ref: false });
    while (this.#received.length === 0) {
      const next = new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
      ok((await Promise.race([next, late])) !== 'late', `nothing came instead of ${text}`);
    }
    equal(this.#received.shift(), text);
  }

  close(): void {
    this.#socket.close();
  }

  #hear(text: string | undefined): void {
    this.#received.push(text);
    this.#wake();
  }
}

/** A case by its name: fails by throwing. */
export type ProtocolCases = Readonly<Record<string, (it: ProtocolCase) => Promise<void>>>;

export const FORM = { 'Content-Type': 'application/x-www-form-urlencoded' };
export const SCRIPT = 'application/javascript;charset=UTF-8';
export const TEXT = 'text/plain;charset=UTF-8';

export function isCors(answer: RawAnswer, origin: string): void {
  equal(answer.header('access-control-allow-origin'), origin);
  equal(answer.header('access-control-allow-credentials'), 'true');
}

export function isNotCached(answer: RawAnswer): void {
  equal(answer.header('cache-control'), 'no-store, no-cache, no-transform, must-revalidate, max-age=0');
  deepEqual([answer.header('expires'), answer.header('last-modified')], [undefined, undefined]);
}

export function isCached(answer: RawAnswer): void {
  match(answer.header('cache-control') ?? '', /public.*max-age=[1-9]\d{6}/);
  ok(answer.header('expires'));
}

/** A preflight, for pages with an origin and without. */
export async function hasOptions(it: ProtocolCase, path: string, methods: readonly string[]): Promise<void> {
  for (const origin of ['test', 'null']) {
    const headers = { Origin: origin, 'Access-Control-Request-Method': methods.join(', ') };
    const { answer, text } = await it.ask('OPTIONS', it.url(path), { headers });
    ok(answer.status === 204 || answer.status === 200);
    equal(text, '');
    isCached(answer);
    ok(Number(answer.header('access-control-max-age')) > 1_000_000);
    for (const method of methods) match(answer.header('access-control-allow-methods') ?? '', new RegExp(method));
    isCors(answer, origin);
  }
}

/** Sends messages over HTTP. */
export const sends = (it: ProtocolCase, url: string, body: string) =>
  it.expect('POST', `${url}/xhr_send`, { body }, 204, '');

/** Polls, and checks what comes. */
export const polls = (it: ProtocolCase, url: string, text: string) => it.expect('POST', `${url}/xhr`, {}, 200, text);
