/** A client that sends exactly the given bytes, and reads answers by their Content-Length. */
import { connect, type Socket } from 'node:net';
import type { Test } from 'tap';

/** One answer as it was on the wire. Header names in lower case. */
export interface RawAnswer {
  readonly status: number;
  readonly reason: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

export class RawClient {
  readonly #socket: Socket;
  #received = Buffer.alloc(0);
  #ended = false;
  #wake = () => {};
  /** Resolves when the connection is gone, by FIN or by reset. */
  readonly closed: Promise<void>;

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.on('data', (chunk) => {
      this.#received = Buffer.concat([this.#received, chunk]);
      this.#wake();
    });
    socket.on('error', () => {});
    this.closed = new Promise((resolve) => {
      const over = () => {
        this.#ended = true;
        this.#wake();
        resolve();
      };
      socket.on('end', over);
      socket.on('close', over);
    });
  }

  /** Connects, and closes at the end of the test. */
  static async to(t: Test, port: number): Promise<RawClient> {
    const socket = connect({ host: '127.0.0.1', port, noDelay: true });
    const client = new RawClient(socket);
    t.teardown(() => socket.destroy());
    await new Promise<void>((resolve, reject) => socket.once('connect', resolve).once('error', reject));
    return client;
  }

  /** Resolves when the bytes are with the kernel. */
  write(data: string | Buffer): Promise<void> {
    return new Promise((resolve) => this.#socket.write(data, () => resolve()));
  }

  /** Sends FIN. */
  end(): void {
    this.#socket.end();
  }

  destroy(): void {
    this.#socket.destroy();
  }

  /** Reads nothing for now. */
  pause(): void {
    this.#socket.pause();
  }

  resume(): void {
    this.#socket.resume();
  }

  /** The next answer; `undefined` if the connection ends before it is complete. For HEAD say so. */
  async answer(head = false): Promise<RawAnswer | undefined> {
    for (;;) {
      const answer = this.#take(head);
      if (answer) return answer;
      if (this.#ended) return undefined;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }

  #take(head: boolean): RawAnswer | undefined {
    const end = this.#received.indexOf('\r\n\r\n');
    if (end < 0) return undefined;
    const [statusLine = '', ...fields] = this.#received.subarray(0, end).toString('latin1').split('\r\n');
    const headers: Record<string, string> = {};
    for (const field of fields) {
      const colon = field.indexOf(':');
      headers[field.slice(0, colon).toLowerCase()] = field.slice(colon + 1).trim();
    }
    const status = Number(statusLine.slice(9, 12));
    const length = head || status < 200 ? 0 : Number(headers['content-length'] ?? Number.NaN);
    const start = end + 4;
    if (Number.isNaN(length) || this.#received.length < start + length) return undefined;
    const body = this.#received.subarray(start, start + length).toString();
    this.#received = this.#received.subarray(start + length);
    return { status, reason: statusLine.slice(13), headers, body };
  }
}

/** A request with Content-Length. */
export function requestBytes(method: string, path: string, headers: Record<string, string> = {}, body = ''): string {
  const fields = { Host: 'localhost', 'Content-Length': String(Buffer.byteLength(body)), ...headers };
  const lines = Object.entries(fields).map(([name, value]) => `${name}: ${value}\r\n`);
  return `${method} ${path} HTTP/1.1\r\n${lines.join('')}\r\n${body}`;
}
