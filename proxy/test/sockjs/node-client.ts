/** The real `sockjs-client` in this process, with one transport, keeping all it gets. */
import SockJS from 'sockjs-client';
import type { Test } from 'tap';
import { until } from '../kit/until.js';

/** Those of the library's transports that work in Node. */
export const nodeTransports = ['websocket', 'xhr-streaming', 'eventsource', 'xhr-polling'] as const;

export type NodeTransport = (typeof nodeTransports)[number];

/** The part of the library that is used; its types want those of a browser. */
interface Socket {
  onopen: () => void;
  onmessage: (event: { readonly data: string }) => void;
  onclose: (event: { readonly code: number; readonly reason: string }) => void;
  send(data: string): void;
  close(code?: number, reason?: string): void;
}

type SocketClass = new (url: string, reserved: null, options: object) => Socket;

/** A client that has opened. */
export class NodeClient {
  readonly messages: string[] = [];
  /** `CODE reason`. */
  closed: string | undefined;
  readonly #socket: Socket;

  constructor(socket: Socket) {
    this.#socket = socket;
    socket.onmessage = ({ data }) => this.messages.push(data);
    socket.onclose = ({ code, reason }) => {
      this.closed = `${code} ${reason}`;
    };
  }

  /** Opens a session at a service; it is closed when the test ends. */
  static async open(t: Test, url: string, transport: NodeTransport): Promise<NodeClient> {
    const socket = new (SockJS as unknown as SocketClass)(url, null, { transports: transport, timeout: 30_000 });
    const client = new NodeClient(socket);
    let opened = false;
    socket.onopen = () => {
      opened = true;
    };
    t.teardown(() => client.closed === undefined && socket.close());
    await until(`${transport} to open`, () => opened || client.closed);
    if (client.closed !== undefined) throw new Error(`${transport} did not open: ${client.closed}`);
    return client;
  }

  send(text: string): void {
    this.#socket.send(text);
  }

  /** Waits for so many messages in all. */
  async got(count: number): Promise<readonly string[]> {
    await until(
      `${count} messages`,
      () => this.messages.length >= count,
      () => `got ${this.messages.length}, closed ${this.closed}`,
    );
    return this.messages;
  }

  /** Closes, and does not wait. */
  close(code?: number, reason?: string): void {
    this.#socket.close(code, reason);
  }

  /** Waits until the other side has closed. */
  end(): Promise<string> {
    return until('the end', () => this.closed);
  }
}
