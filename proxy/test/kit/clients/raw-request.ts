/** Owns: one request as raw bytes on a connection that closes after its answer, and all that comes back. */
import { connect } from 'node:net';
import type { Test } from 'tap';

/** Longest time that anything here takes on a loaded machine, in ms: only what hangs comes to it. */
const LIMIT_MS = 30_000;

/** A request head that asks for a WebSocket. */
export const UPGRADE = [
  'Connection: Upgrade',
  'Upgrade: websocket',
  'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==',
  'Sec-WebSocket-Version: 13',
];

/** The bytes of a request without a body. */
export function requestBytes(target: string, host: string, fields: readonly string[], method = 'GET'): string {
  return [`${method} ${target} HTTP/1.1`, `Host: ${host}`, ...fields, '', ''].join('\r\n');
}

/**
 * Sends bytes, one to a character, and resolves with what came back, likewise, when the connection has ended, or with `enough` of
 * it. An answer that does not come within half a minute fails the test.
 */
export function exchange(
  t: Test,
  base: string,
  bytes: string,
  enough: (received: string) => boolean = () => false,
): Promise<string> {
  const { hostname, port } = new URL(base);
  return new Promise((resolve, reject) => {
    let received = '';
    const socket = connect(Number(port), hostname);
    const timer = setTimeout(() => {
      socket.destroy();
      reject(new Error(`no end of the answer to ${JSON.stringify(bytes.slice(0, 200))}: ${JSON.stringify(received)}`));
    }, LIMIT_MS);
    const done = () => {
      clearTimeout(timer);
      socket.destroy();
      resolve(received);
    };
    t.teardown(() => socket.destroy());
    socket.setEncoding('latin1').on('data', (text: string) => {
      received += text;
      if (enough(received)) done();
    });
    socket.on('error', () => {});
    socket.on('close', done);
    socket.write(bytes, 'latin1');
  });
}
