/** What an attack is, and small things that many of them do. */
import { connect, type Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import type { HostileOrigin } from '../hostile-origin.js';
import type { EdgeName, NodeUnderTest } from '../node-under-test.js';

/** What attacks are run on. */
export interface Target {
  readonly edge: EdgeName;
  readonly node: NodeUnderTest;
  readonly origin: HostileOrigin;
  readonly tlsPort: number;
  /** Replaces the routes beside the usual ones, and has them loaded. */
  reroute(lines: readonly string[]): Promise<void>;
}

/** One input that has ended processes, or taken their memory. */
export interface Attack {
  /** As what it is; the name of its test. */
  readonly name: string;
  /** What an operator is rightly told of it in the log. */
  readonly expected?: RegExp;
  run(target: Target): Promise<void>;
}

/** How long a flood goes on at most, in ms. */
export const FLOOD_MS = 4_000;

/** A connection that is open, or has failed; its errors are nobody's. */
export async function open(port: number): Promise<Socket> {
  const socket = connect({ port, host: '127.0.0.1', noDelay: true });
  socket.on('error', () => {});
  await new Promise<void>((resolve) => socket.once('connect', resolve).once('close', resolve));
  return socket;
}

/** Writes the same bytes again and again, as fast as they are taken, up to `bytes` in all or for FLOOD_MS. Ends with the connection. */
export async function flood(socket: Socket, piece: Buffer, bytes: number): Promise<void> {
  const end = Date.now() + FLOOD_MS;
  let wake = () => {};
  const onTaken = () => wake();
  socket.on('drain', onTaken).on('close', onTaken);
  for (let sent = 0; sent < bytes && Date.now() < end && !socket.destroyed; sent += piece.length) {
    if (socket.write(piece)) continue;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, end - Date.now());
      wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }
  socket.off('drain', onTaken).off('close', onTaken);
}

/** Sends a request and waits for the first bytes of its answer, 5 s at most; from then on nothing is read unless it is resumed. */
export async function begin(socket: Socket, head: string): Promise<void> {
  socket.write(head);
  await Promise.race([
    new Promise<void>((resolve) => {
      socket.once('close', resolve).once('data', () => {
        socket.pause();
        resolve();
      });
    }),
    delay(5_000, undefined, { ref: false }),
  ]);
}

/** Sends a request, waits for the first bytes of its answer, for the end or for a while, and goes. */
export async function ask(port: number, bytes: string | Buffer, patience = 1_500): Promise<string> {
  const socket = await open(port);
  let text = '';
  socket.setEncoding('latin1').on('data', (part: string) => {
    text += part;
  });
  socket.write(bytes);
  await Promise.race([new Promise((resolve) => socket.once('close', resolve)), delay(patience)]);
  socket.destroy();
  return text;
}

/** A request head that asks for a close. */
export const request = (target: string, more = '') =>
  `GET ${target} HTTP/1.1\r\nHost: test\r\nConnection: close\r\n${more}\r\n`;

/** A handshake. */
export const upgrade = (target: string) =>
  `GET ${target} HTTP/1.1\r\nHost: test\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n`;

/** Publishes to the node under attack. Refusals are its right; no answer at all is found by others. */
export async function publish({ node }: Target, items: readonly object[] | string): Promise<void> {
  const body = typeof items === 'string' ? items : JSON.stringify({ items });
  await node.post('/publish/', body).catch(() => {});
}

/** Waits, for a while, until somebody is subscribed to a channel. */
export async function subscribed({ node }: Target, channel: string): Promise<void> {
  const url = `http://127.0.0.1:${node.port('control')}/channels/${channel}`;
  for (const end = Date.now() + FLOOD_MS; Date.now() < end && node.alive; await delay(10)) {
    const view = await fetch(url).then(
      (response) => response.json(),
      () => undefined,
    );
    const { subscribers = {} } = (view ?? {}) as { subscribers?: Record<string, number> };
    if (Object.values(subscribers).some((number) => number > 0)) return;
  }
}

let count = 0;

/** A token that no other attack has. */
export const newToken = () => `attack-${++count}`;

/** An answer of an origin with a body of known length. */
export const answer = (head: string, body = '') =>
  Buffer.from(`${head}\r\nContent-Length: ${Buffer.byteLength(body, 'latin1')}\r\n\r\n${body}`, 'latin1');
