/** Owns: a client that sends exactly the bytes it is told to, and can stop reading, half-close and reset. */
import { connect, type Socket } from 'node:net';
import { type ConnectionOptions, connect as connectTls } from 'node:tls';
import type { Test } from 'tap';
import { type RawAnswer, takeAnswer } from './raw-answer.js';

/** Where to connect: a TCP port of 127.0.0.1 or a unix socket. */
export type Address = { readonly port: number; readonly tls?: ConnectionOptions } | { readonly path: string };

/** One connection to the edge. */
export class RawClient {
  readonly socket: Socket;
  /** The connection itself, below TLS. */
  readonly #transport: Socket;
  /** How many bytes have been received in all. */
  receivedBytes = 0;
  #end: 'fin' | 'reset' | undefined;
  #wakers: (() => void)[] = [];
  /** Grows by doubling: long answers come in many pieces. */
  #store = Buffer.allocUnsafe(65_536);
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

  /** Connects, and closes at the end of the test. */
  static async to(t: Test, address: Address): Promise<RawClient> {
    const transport = connect(
      'path' in address
        ? { path: address.path, allowHalfOpen: true }
        : { host: '127.0.0.1', port: address.port, noDelay: true, allowHalfOpen: true },
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

  /** All bytes received so far that no `answer` has taken. */
  get received(): Buffer {
    return this.#store.subarray(this.#from, this.#to);
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
