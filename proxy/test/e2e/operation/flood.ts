/** Sending to a Holdfast without end, and what that costs it in memory. */
import { readFileSync, writeFileSync } from 'node:fs';
import { connect, createServer, type Server, type Socket } from 'node:net';
import type { Test } from 'tap';
import { type Holdfast, startHoldfast } from '../../kit/holdfast.js';

/** A sender that gets rid of nothing while Holdfast has done so many other things is held back. */
const TURNS = 10;

/** How a flood ended: all was taken, or the other side stopped taking, or it closed. */
export type FloodEnd = 'sent' | 'held' | 'closed';

/** The edges of which every flood is tried. */
export const edges = ['node', 'uws'] as const;

/** Starts a Holdfast whose heap is small, so that what lasts is collected in time. */
export function startFlooded(
  t: Test,
  edge: (typeof edges)[number],
  routes: readonly string[],
  settings: Readonly<Record<string, string | number | boolean>> = {},
): Promise<Holdfast> {
  return startHoldfast(t, {
    routes,
    settings: { edge, ...settings },
    env: { NODE_OPTIONS: '--max-old-space-size=512 --max-semi-space-size=2' },
  });
}

/** Sends `piece` again and again until so many bytes are gone. */
export async function flood(holdfast: Holdfast, socket: Socket, piece: Buffer, bytes: number): Promise<FloodEnd> {
  for (let sent = 0; sent < bytes; sent += piece.length) {
    if (socket.destroyed || socket.writableEnded) return 'closed';
    if (!socket.write(piece)) await roomOrTurns(holdfast, socket);
    if (socket.writableNeedDrain && !socket.destroyed) return 'held';
  }
  return socket.destroyed ? 'closed' : 'sent';
}

/** Resolves when a socket takes more, or is closed, or Holdfast has had its time to read it. */
function roomOrTurns(holdfast: Holdfast, socket: Socket): Promise<void> {
  return new Promise((resolve, reject) => {
    let over = false;
    const done = () => {
      over = true;
      socket.off('drain', done).off('close', done);
      resolve();
    };
    socket.once('drain', done).once('close', done);
    const turns = async () => {
      for (let i = 0; i < TURNS && !over; i++) await turn(holdfast);
      if (!over) done();
    };
    turns().catch(reject);
  });
}

/** Resolves when Holdfast has done something else. */
export async function turn(holdfast: Holdfast): Promise<void> {
  await (await fetch(`${holdfast.url('admin')}/livez`, { headers: { connection: 'close' } })).text();
}

/** A piece of many copies of something small. */
export function copies(small: Buffer | string, bytes = 262_144): Buffer {
  const one = Buffer.from(small as string, 'latin1');
  return Buffer.concat(Array.from({ length: Math.ceil(bytes / one.length) }, () => one));
}

/** Connects to the clients' listener; the connection is never read from, and goes with the test. */
export async function sender(t: Test, { clients }: Holdfast, head: string): Promise<Socket> {
  const { hostname, port } = new URL(clients);
  const socket = connect(Number(port), hostname);
  t.teardown(() => socket.destroy());
  socket.on('error', () => {});
  await new Promise<void>((resolve) => socket.once('connect', resolve));
  socket.write(head.replaceAll('\n', '\r\n'), 'latin1');
  return socket;
}

/** A WebSocket after its 101, of which nothing more is read. */
export async function unreadWebSocket(t: Test, holdfast: Holdfast, path = '/'): Promise<Socket> {
  const key = 'dGhlIHNhbXBsZSBub25jZQ==';
  const fields = `Host: a\nUpgrade: websocket\nConnection: Upgrade\nSec-WebSocket-Version: 13\nSec-WebSocket-Key: ${key}`;
  const socket = await sender(t, holdfast, `GET ${path} HTTP/1.1\n${fields}\n\n`);
  const first = await new Promise<Buffer>((resolve) => socket.once('data', resolve));
  socket.pause();
  if (!first.toString('latin1').startsWith('HTTP/1.1 101')) throw new Error(first.toString('latin1'));
  return socket;
}

/** Bytes of memory that a process has come to use while `act` ran, at the most. */
export async function growth({ child }: Holdfast, act: () => Promise<unknown>): Promise<number> {
  // Forgets the peak so far (proc(5), clear_refs).
  writeFileSync(`/proc/${child.pid}/clear_refs`, '5');
  const before = memory(child.pid, 'VmRSS');
  await act();
  return memory(child.pid, 'VmHWM') - before;
}

function memory(pid: number, what: string): number {
  const line = new RegExp(`^${what}:\\s*(\\d+) kB`, 'm').exec(readFileSync(`/proc/${pid}/status`, 'latin1'));
  return Number(line?.[1]) * 1_024;
}

/** An origin that is given every connection as it comes, with what has been read of it so far as Latin-1. */
export async function bareOrigin(t: Test, take: (socket: Socket, received: () => string) => void): Promise<string> {
  const sockets = new Set<Socket>();
  const server: Server = createServer((socket) => {
    let received = '';
    sockets.add(socket);
    socket.on('error', () => {});
    socket.on('close', () => sockets.delete(socket));
    socket.on('data', (bytes) => {
      received += bytes.toString('latin1');
    });
    take(socket, () => received);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.teardown(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  const { port } = server.address() as { port: number };
  return `127.0.0.1:${port}`;
}
