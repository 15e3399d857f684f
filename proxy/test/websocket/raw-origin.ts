/** A server that takes WebSocket handshakes apart by hand and leaves the answer to the test. */
import { createHash } from 'node:crypto';
import { createServer, type Server, type Socket } from 'node:net';
import { createServer as createTlsServer, type TlsOptions } from 'node:tls';
import type { Test } from 'tap';
import { RawSocket } from '../kit/clients/raw-socket.js';

/** A handshake that waits for its answer. */
export class RawHandshake {
  readonly socket: Socket;
  /** The request line. */
  readonly line: string;
  /** Header pairs, flat, in original case and order. */
  readonly fields: readonly string[];

  constructor(socket: Socket, head: string) {
    const [line = '', ...lines] = head.split('\r\n');
    this.socket = socket;
    this.line = line;
    this.fields = lines.flatMap((text) => [text.slice(0, text.indexOf(':')), text.slice(text.indexOf(':') + 1).trim()]);
  }

  /** All values of a field, by any case. */
  values(name: string): string[] {
    return this.fields.filter((_, i) => i % 2 === 1 && this.fields[i - 1]?.toLowerCase() === name.toLowerCase());
  }

  /** Answers 101 with these header lines too; `early` is sent in the same write. */
  accept(lines: readonly string[] = [], early: Buffer = Buffer.alloc(0)): RawSocket {
    const key = this.values('sec-websocket-key')[0] ?? '';
    const accept = createHash('sha1').update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest('base64');
    const head = [
      'HTTP/1.1 101 Switching Protocols',
      'Upgrade: websocket',
      'Connection: Upgrade',
      `Sec-WebSocket-Accept: ${accept}`,
      ...lines,
      '',
      '',
    ];
    this.socket.write(Buffer.concat([Buffer.from(head.join('\r\n'), 'latin1'), early]));
    return new RawSocket(this.socket, { masks: false });
  }

  /** Answers with exactly these bytes, and closes unless told otherwise. */
  answer(text: string, { close = true } = {}): void {
    if (close) this.socket.end(text, 'latin1');
    else this.socket.write(text, 'latin1');
  }
}

/** Listens on a port of its own of 127.0.0.1. */
export class RawOrigin {
  readonly server: Server;
  readonly port: number;
  /** How many connections have come in all. */
  connections = 0;
  readonly #waiting: RawHandshake[] = [];
  #wakers: (() => void)[] = [];

  private constructor(server: Server, event: string) {
    this.server = server;
    this.port = (server.address() as { port: number }).port;
    server.on(event, (socket: Socket) => this.#connected(socket));
  }

  /** Listens until the end of the test. */
  static async listen(t: Test, tls?: TlsOptions): Promise<RawOrigin> {
    const server =
      tls === undefined ? createServer({ allowHalfOpen: true, noDelay: true }) : createTlsServer({ ...tls });
    server.on('tlsClientError', () => {});
    const sockets = new Set<Socket>();
    server.on('connection', (socket: Socket) => sockets.add(socket));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    t.teardown(() => {
      for (const socket of sockets) socket.destroy();
      server.close();
    });
    return new RawOrigin(server, tls === undefined ? 'connection' : 'secureConnection');
  }

  /** The next handshake. */
  async next(): Promise<RawHandshake> {
    while (this.#waiting.length === 0) await new Promise<void>((resolve) => this.#wakers.push(resolve));
    return this.#waiting.shift() as RawHandshake;
  }

  #connected(socket: Socket): void {
    this.connections++;
    let received = Buffer.alloc(0);
    socket.on('error', () => {});
    const onData = (chunk: Buffer) => {
      received = Buffer.concat([received, chunk]);
      const end = received.indexOf('\r\n\r\n');
      if (end < 0) return;
      socket.pause().off('data', onData);
      const rest = received.subarray(end + 4);
      if (rest.length > 0) socket.unshift(rest);
      this.#waiting.push(new RawHandshake(socket, received.toString('latin1', 0, end)));
      const wakers = this.#wakers;
      this.#wakers = [];
      for (const wake of wakers) wake();
    };
    socket.on('data', onData);
  }
}
