/** A WebSocket client of the `ws` package that keeps all it gets. */
import type { Test } from 'tap';
import WebSocket, { type ClientOptions } from 'ws';
import { until } from '../until.js';

/** One message as it came. */
export interface Message {
  readonly data: Buffer;
  readonly isBinary: boolean;
}

/** How a connection ended: as in RFC 6455 §7.1.5, 1005 without a code and 1006 without a Close frame. */
export interface Closed {
  readonly code: number;
  readonly reason: string;
}

/** What goes with a handshake. */
export interface WsOptions extends ClientOptions {
  readonly protocols?: readonly string[];
  /** Of TLS; the types of `ws` lack it. */
  readonly servername?: string;
}

/** A client whose handshake has succeeded. */
export class WsClient {
  readonly socket: WebSocket;
  readonly pings: string[] = [];
  readonly pongs: string[] = [];
  closed: Closed | undefined;
  readonly #messages: Message[] = [];
  #taken = 0;

  constructor(socket: WebSocket) {
    this.socket = socket;
    socket.on('message', (data, isBinary) => this.#messages.push({ data: data as Buffer, isBinary }));
    socket.on('ping', (data) => this.pings.push(data.toString()));
    socket.on('pong', (data) => this.pongs.push(data.toString()));
    socket.on('error', () => {});
    socket.on('close', (code, reason) => {
      this.closed = { code, reason: reason.toString() };
    });
  }

  send(data: string | Buffer): void {
    this.socket.send(data);
  }

  /** The next message that nobody has taken yet. Fails when the connection ends without it. */
  async next(): Promise<Message> {
    const index = this.#taken++;
    const found = await until('a message', () => this.#messages[index] ?? (this.closed && 'closed'));
    if (found === 'closed') throw new Error(`closed instead of a message: ${JSON.stringify(this.closed)}`);
    return found;
  }

  /** The text of the next message; fails when it is binary. */
  async text(): Promise<string> {
    const { data, isBinary } = await this.next();
    if (isBinary) throw new Error(`a binary message of ${data.length} bytes instead of text`);
    return data.toString();
  }

  /** How many messages have come that nobody has taken. */
  get untaken(): number {
    return this.#messages.length - this.#taken;
  }

  /** Pings and waits for the pong with the same payload. Over a hop that keeps the order, all sent before has arrived. */
  async ping(payload: string): Promise<void> {
    this.socket.ping(payload);
    await until(
      `pong ${payload}`,
      () => this.pongs.includes(payload),
      () => JSON.stringify(this.closed ?? this.pongs),
    );
  }

  /** Waits for the end of the connection. */
  end(): Promise<Closed> {
    return until('the end of the WebSocket', () => this.closed);
  }

  /** Closes with a closing handshake, and waits for its end. */
  close(code?: number, reason?: string): Promise<Closed> {
    this.socket.close(code, reason);
    return this.end();
  }

  /** Goes away without a Close frame. */
  vanish(): void {
    this.socket.terminate();
  }
}

/** The address of a path for WebSockets, given a base URL for HTTP. */
export const wsUrl = (base: string, path = '/'): string => new URL(path, base).href.replace(/^http/, 'ws');

/**
 * Opens a WebSocket; it is cut when the test ends.
 * @throws Error when the handshake fails
 */
export function openWs(t: Test, url: string, { protocols = [], ...options }: WsOptions = {}): Promise<WsClient> {
  const socket = new WebSocket(url, [...protocols], { perMessageDeflate: false, ...options });
  t.teardown(() => socket.terminate());
  const client = new WsClient(socket);
  return new Promise((resolve, reject) => {
    socket.once('open', () => resolve(client));
    socket.once('error', reject);
  });
}
