/** Owns: a bare TCP connection, for what an HTTP client would not send or does not show. */
import { connect, type Socket } from 'node:net';
import type { Test } from 'tap';
import { until } from '../until.js';

/** One connection to a listener. */
export class Wire {
  readonly socket: Socket;
  /** All bytes so far, one character each. */
  received = '';
  closed = false;

  constructor(socket: Socket) {
    this.socket = socket;
    socket.setEncoding('latin1').on('data', (text: string) => {
      this.received += text;
    });
    socket.on('error', () => {});
    socket.on('close', () => {
      this.closed = true;
    });
  }

  /** Sends lines, each ended by CRLF: a request head is `send('GET / HTTP/1.1', 'Host: a', '')`. */
  send(...lines: readonly string[]): void {
    this.socket.write(`${lines.join('\r\n')}\r\n`, 'latin1');
  }

  /** Waits until so much of what was received matches. */
  until(part: string | RegExp): Promise<boolean> {
    const found = () => (typeof part === 'string' ? this.received.includes(part) : part.test(this.received));
    return until(`bytes with ${part}`, found, () => `so far: ${JSON.stringify(this.received)}`);
  }

  /** Waits until the connection is closed by the other side. */
  end(): Promise<boolean> {
    return until(
      'end of the connection',
      () => this.closed,
      () => `so far: ${JSON.stringify(this.received)}`,
    );
  }
}

/** Connects to the host and port of a URL; the connection goes with the test. */
export async function connectTo(t: Test, url: string): Promise<Wire> {
  const { hostname, port } = new URL(url);
  const socket = connect(Number(port), hostname);
  t.teardown(() => socket.destroy());
  await new Promise<void>((resolve, reject) => {
    socket.once('connect', resolve);
    socket.once('error', reject);
  });
  return new Wire(socket);
}
