/** One request as raw bytes on a connection that closes after its answer, and all that comes back. */
import type { Test } from 'tap';
import { until } from '../until.js';
import { connectTo } from './raw-client.js';

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
 * it. An answer that does not come fails the test, as `until` does.
 */
export async function exchange(
  t: Test,
  base: string,
  bytes: string,
  enough: (received: string) => boolean = () => false,
): Promise<string> {
  const client = await connectTo(t, base);
  void client.write(bytes);
  await until(
    `the end of the answer to ${JSON.stringify(bytes.slice(0, 200))}`,
    () => client.isClosed || (client.receivedBytes > 0 && enough(client.text)),
    () => `so far: ${JSON.stringify(client.text)}`,
  );
  client.socket.destroy();
  return client.text;
}
