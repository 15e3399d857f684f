/** A `WsSocket` of either role for a test, with a raw other side and a listener that writes down its events. */
import { createServer } from 'node:http';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import type { RawHeaders, ResponseHead } from '@holdfast/grip';
import type { Test } from 'tap';
import type { DirectWrites } from '../../dist/runtime/node-internals/socket-writes.js';
import type { MessageType, SocketHandler } from '../../dist/websocket/message-socket.js';
import { type DialHandler, type DialRequest, dialSocket, WsAcceptor } from '../../dist/websocket/ws-handshakes.js';
import type { SocketSettings } from '../../dist/websocket/ws-library.js';
import type { WsSocket } from '../../dist/websocket/ws-socket.js';
import { RawSocket } from '../kit/clients/raw-socket.js';
import { RawOrigin } from './raw-origin.js';

/** `server`: towards clients. `client`: towards origins. */
export type Role = 'server' | 'client';

export const roles: readonly Role[] = ['server', 'client'];

/** What a socket told its owner, in order. */
export type Heard =
  | readonly [MessageType, string]
  | readonly ['close' | 'closing' | 'breach', number | undefined, string]
  | readonly ['lost', Error | undefined];

/** Owns a socket and writes down what it hears. */
export class Listener implements SocketHandler {
  readonly heard: Heard[] = [];
  /** The last message as it came. */
  data: Buffer = Buffer.alloc(0);
  writables = 0;
  #wakers: (() => void)[] = [];

  onMessage(type: MessageType, data: Buffer): void {
    this.data = data;
    // Only the beginning of a long one: the whole is in `data`.
    this.add([type, data.toString('utf8', 0, 200)]);
  }

  onClose(code: number | undefined, reason: Buffer): void {
    this.add(['close', code, reason.toString()]);
  }

  onLost(error: Error | undefined): void {
    this.add(['lost', error]);
  }

  onWritable(): void {
    this.writables++;
    this.#wake();
  }

  /** Takes the next of what was heard. */
  async next(): Promise<Heard> {
    await this.until(() => this.heard.length > 0);
    return this.heard.shift() as Heard;
  }

  async until(done: () => boolean): Promise<void> {
    while (!done()) await new Promise<void>((resolve) => this.#wakers.push(resolve));
  }

  add(heard: Heard): void {
    this.heard.push(heard);
    this.#wake();
  }

  #wake(): void {
    const wakers = this.#wakers;
    this.#wakers = [];
    for (const wake of wakers) wake();
  }
}

/** An open connection with both ends in hand. */
export interface Opened {
  readonly socket: WsSocket;
  /** What `socket` writes to. */
  readonly wire: Duplex;
  readonly listener: Listener;
  /** The other side. */
  readonly other: RawSocket;
}

export interface OpenOptions extends Partial<SocketSettings> {
  /** Header lines of the other side's handshake. */
  readonly lines?: readonly string[];
  /** Whether somebody owns the socket from the beginning. */
  readonly owned?: boolean;
  /** How a server writes encoded frames, if not as node allows. */
  readonly direct?: DirectWrites;
}

const MESSAGE_MAX = 16 * 2 ** 20;

/** Opens a connection; it is cut at the end of the test. */
export async function openSocket(t: Test, role: Role, options: OpenOptions = {}): Promise<Opened> {
  const { lines = [], owned = true, direct, ...given } = options;
  const settings = { websocketMessageMax: MESSAGE_MAX, allowCompression: false, ...given };
  const listener = new Listener();
  const { socket, wire, other } = await (role === 'server'
    ? accepted(t, settings, lines, direct)
    : dialed(t, settings, lines));
  t.teardown(() => socket.abort());
  if (owned) socket.setHandler(listener);
  return { socket, wire, listener, other };
}

type Ends = Omit<Opened, 'listener'>;

async function accepted(
  t: Test,
  settings: SocketSettings,
  lines: readonly string[],
  direct: DirectWrites | undefined,
): Promise<Ends> {
  const acceptor = new WsAcceptor(settings, direct);
  const server = createServer();
  t.teardown(() => server.close());
  const ours = new Promise<Omit<Ends, 'other'>>((resolve, reject) => {
    server.on('upgrade', (request, wire: Socket, early: Buffer) => {
      const socket = acceptor.accept(request.rawHeaders, wire, early, []);
      if (socket === undefined) reject(new Error('not accepted'));
      else resolve({ socket, wire });
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as { port: number };
  const other = await RawSocket.open(t, port, lines);
  return { ...(await ours), other };
}

async function dialed(t: Test, settings: SocketSettings, lines: readonly string[]): Promise<Ends> {
  const origin = await RawOrigin.listen(t);
  const outcome = dial(dialTo(origin.port), settings);
  const other = (await origin.next()).accept(lines);
  const { socket } = await outcome.then((dialed) => {
    if ('socket' in dialed) return dialed;
    throw new Error('the handshake failed', { cause: dialed });
  });
  return { socket, wire: other.socket, other };
}

/** What became of one handshake with an origin. */
export type Dialed =
  | { readonly socket: WsSocket; readonly headers: RawHeaders }
  | { readonly head: ResponseHead; readonly body: Buffer | undefined }
  | { readonly error: Error; readonly connected: boolean };

/** Dials and waits for the outcome. */
export function dial(request: DialRequest, settings: SocketSettings): Promise<Dialed> {
  return new Promise((resolve) => {
    const handler: DialHandler = {
      dialed: (socket, headers) => resolve({ socket, headers }),
      refused: (head, body) => resolve({ head, body }),
      faulted: (error) => {
        throw error;
      },
      failed: (error, connected) => resolve({ error, connected }),
    };
    dialSocket(request, settings, handler);
  });
}

/** A plain handshake with a port of 127.0.0.1. */
export function dialTo(port: number, options: Partial<DialRequest> = {}): DialRequest {
  return {
    secure: false,
    host: '127.0.0.1',
    port,
    path: '/',
    headers: ['Host', 'test'],
    extension: '',
    connect: {},
    originConnectTimeout: 10_000,
    maxBody: 100_000,
    maxInterim: 3,
    ...options,
  };
}
