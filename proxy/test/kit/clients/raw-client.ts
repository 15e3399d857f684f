/**
 * A client that sends exactly the bytes that it is given, shows those that it gets, and can stop reading, half-close and
 * reset: for what an HTTP client would not send or does not show.
 */
import { connect, type Socket } from 'node:net';
import { type ConnectionOptions, connect as connectTls } from 'node:tls';
import type { Test } from 'tap';
import { until } from '../until.js';
import { type RawAnswer, takeAnswer } from './raw-answer.js';

/** Where to connect: a TCP port, of 127.0.0.1 if no host is named, or a unix socket. */
export type Address =
  | { readonly port: number; readonly host?: string; readonly tls?: ConnectionOptions }
  | { readonly path: string };

/** Bytes that are stored at first: many connections may wait for little. */
const FIRST_STORE = 4_096;

/** One connection to a listener. */
export class RawClient {
  readonly socket: Socket;
  /** The connection itself, below TLS. */
  readonly #transport: Socket;
  /** How many bytes have been received in all. */
  receivedBytes = 0;
  #end: 'fin' | 'reset' | undefined;
  #wakers: (() => void)[] = [];
  /** Grows by doubling: long answers come in many pieces. */
  #store = Buffer.allocUnsafe(FIRST_STORE);
  #from = 0;
  #to = 0;

  private constructor(socket: Socket, transport: Socket) {
    this.socket = socket;
    this.#transport = transport;
    socket.on('data', (chunk) => {
      this.#append(chunk);
      this.receivedBytes += chunk.length;
      this.#wake();
    });
    socket.on('error', (error: NodeJS.ErrnoException) => this.#over(error.code === 'ECONNRESET' ? 'reset' : 'fin'));
    socket.on('end', () => this.#over('fin'));
    socket.on('close', () => this.#over('fin'));
  }

  /** Connects, and closes at the end of the test. Stays open for writing when the other side ends, if `allowHalfOpen`. */
  static async to(t: Test, address: Address, allowHalfOpen = true): Promise<RawClient> {
    const transport = connect(
      'path' in address
        ? { path: address.path, allowHalfOpen }
        : { host: address.host ?? '127.0.0.1', port: address.port, noDelay: true, allowHalfOpen },
    );
    t.teardown(() => transport.destroy());
    const tls = 'tls' in address ? address.tls : undefined;
    const socket = tls === undefined ? transport : connectTls({ ...tls, socket: transport });
    await new Promise<void>((resolve, reject) => {
      socket.once(tls === undefined ? 'connect' : 'secureConnect', resolve).once('error', reject);
    });
    return new RawClient(socket, transport);
  }

  /** Resolves when the bytes are with the kernel; also when the connection is lost. */
  write(data: string | Buffer): Promise<void> {
    return new Promise((resolve) => this.socket.write(data, 'latin1', () => resolve()));
  }

  /** Sends lines, each ended by CRLF: a request head is `send('GET / HTTP/1.1', 'Host: a', '')`. */
  send(...lines: readonly string[]): void {
    void this.write(`${lines.join('\r\n')}\r\n`);
  }

  /** All bytes received so far that no `answer` has taken. */
  get received(): Buffer {
    return this.#store.subarray(this.#from, this.#to);
  }

  /** The same, one character each. */
  get text(): string {
    return this.received.toString('latin1');
  }

  /** Whether the other side has ended the connection. */
  get isClosed(): boolean {
    return this.#end !== undefined;
  }

  /** Waits, as long as `until` does, until this is among what was received and not taken. */
  async until(part: string | RegExp): Promise<void> {
    const found = () => (typeof part === 'string' ? this.received.includes(part, 0, 'latin1') : part.test(this.text));
    await until(`bytes with ${part}`, found, () => `so far: ${JSON.stringify(this.text)}`);
  }

  /** Sends FIN and goes on reading. */
  end(): void {
    this.socket.end();
  }

  /** Sends RST. */
  reset(): void {
    this.#transport.resetAndDestroy();
  }

  /** Stops reading: the server is held back once the buffers between are full. */
  pause(): void {
    this.socket.pause();
  }

  resume(): void {
    this.socket.resume();
  }

  /** How the connection ended, once it has. */
  async closed(): Promise<'fin' | 'reset'> {
    await this.#until(() => this.#end !== undefined);
    return this.#end as 'fin' | 'reset';
  }

  /** Resolves when these bytes are among those received and not yet taken. */
  async receives(text: string): Promise<void> {
    await this.#until(() => this.received.includes(text, 0, 'latin1') || this.#end !== undefined);
    if (!this.received.includes(text, 0, 'latin1')) {
      throw new Error(`connection ended without ${JSON.stringify(text)}: ${JSON.stringify(this.received.toString())}`);
    }
  }

  /** The next answer. With a connection that ends before its head is complete: rejects. */
  async answer(method = 'GET'): Promise<RawAnswer> {
    for (;;) {
      const taken = takeAnswer(this.received, this.#end !== undefined, method === 'HEAD');
      if (taken !== undefined) {
        this.#from = this.#to - taken.rest.length;
        return taken.answer;
      }
      if (this.#end !== undefined) {
        throw new Error(
          `connection ended (${this.#end}) without an answer: ${JSON.stringify(this.received.toString())}`,
        );
      }
      await this.#event();
    }
  }

  #append(chunk: Buffer): void {
    if (this.#to + chunk.length > this.#store.length) {
      const grown = Buffer.allocUnsafe(2 * (this.received.length + chunk.length));
      this.#to = this.received.copy(grown);
      this.#from = 0;
      this.#store = grown;
    }
    this.#to += chunk.copy(this.#store, this.#to);
  }

  async #until(done: () => boolean): Promise<void> {
    while (!done()) await this.#event();
  }

  #event(): Promise<void> {
    return new Promise((resolve) => this.#wakers.push(resolve));
  }

  #over(how: 'fin' | 'reset'): void {
    this.#end ??= how;
    this.#wake();
  }

  #wake(): void {
    const wakers = this.#wakers;
    this.#wakers = [];
    for (const wake of wakers) wake();
  }
}

/** A request head, with `Host: test` unless the lines name one. */
export function head(method: string, target: string, lines: readonly string[] = [], version = '1.1'): string {
  const host = lines.some((line) => /^host:/i.test(line)) ? [] : ['Host: test'];
  return `${[`${method} ${target} HTTP/${version}`, ...host, ...lines].join('\r\n')}\r\n\r\n`;
}

/** Connects to the host and port of a URL, as clients usually do: it ends its own side when the other one does. */
export function connectTo(t: Test, url: string): Promise<RawClient> {
  const { hostname, port } = new URL(url);
  return RawClient.to(t, { host: hostname, port: Number(port) }, false);
}
