/** Attacks by more than the other side reads. All are bounded in bytes and time. */
import type { Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { acceptFor, encodeFrame } from '../frames.js';
import { tokenPath } from '../hostile-origin.js';
import {
  type Attack,
  answer,
  begin,
  FLOOD_MS,
  flood,
  newToken,
  open,
  request,
  type Target,
  upgrade,
} from './attack.js';

const MB = 1_000_000;

/** Opens so many connections and plays the same on each. */
async function on(
  target: Target,
  count: number,
  play: (socket: Socket, index: number) => Promise<void>,
): Promise<void> {
  const sockets = await Promise.all(Array.from({ length: count }, () => open(target.node.port('clients'))));
  await Promise.all(sockets.map(play));
  for (const socket of sockets) socket.destroy();
}

const accepted = (key: string | undefined) =>
  Buffer.from(
    `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${acceptFor(key ?? '')}\r\n\r\n`,
  );

const keyOf = (fields: readonly (readonly [string, string])[]) =>
  fields.find(([name]) => name === 'sec-websocket-key')?.[1];
const repeated = (frame: Buffer, bytes: number) =>
  Buffer.concat(Array.from({ length: Math.ceil(bytes / frame.length) }, () => frame));
const masked = (opcode: number, payload = '', fin = true) =>
  encodeFrame({ opcode, payload: Buffer.from(payload), masked: true, fin });

export const floodAttacks: readonly Attack[] = [
  {
    name: 'interim answers without end, to a client that reads nothing',
    run: async (target) => {
      const token = newToken();
      const interim = repeated(
        Buffer.from('HTTP/1.1 103 Early Hints\r\nLink: </style.css>; rel=preload\r\n\r\n'),
        60_000,
      );
      target.origin.plan(token, {
        answer: (_request, _index, socket) => {
          void flood(socket, interim, 120 * MB);
          return [];
        },
      });
      await on(target, 4, async (socket) => {
        socket.pause();
        socket.write(request(tokenPath('/f/', token)));
        await delay(FLOOD_MS);
      });
      target.origin.forget(token);
    },
  },
  {
    name: 'empty messages for an origin that is asked over HTTP and does not answer',
    run: async (target) => {
      const token = newToken();
      target.origin.plan(token, {
        answer: ({ body }) =>
          body.toString('latin1', 0, 4) === 'OPEN'
            ? [answer('HTTP/1.1 200 OK\r\nContent-Type: application/websocket-events', 'OPEN\r\n')]
            : [],
      });
      const frames = repeated(masked(1), 60_000);
      await on(target, 2, async (socket) => {
        await begin(socket, upgrade(tokenPath('/o/', token)));
        socket.resume();
        await flood(socket, frames, 60 * MB);
      });
      target.origin.forget(token);
    },
  },
  {
    name: 'messages of a million fragments',
    run: async (target) => {
      const token = newToken();
      target.origin.plan(token, { answer: ({ fields }) => [accepted(keyOf(fields))], frames: () => {} });
      const rest = repeated(masked(0, 'x', false), 70_000);
      await on(target, 5, async (socket) => {
        await begin(socket, upgrade(tokenPath('/f/', token)));
        socket.resume();
        socket.write(masked(1, 'x', false));
        await flood(socket, rest, 7 * MB);
      });
      target.origin.forget(token);
    },
  },
  {
    name: 'pings whose pongs are not read',
    run: async (target) => {
      const token = newToken();
      target.origin.plan(token, { answer: ({ fields }) => [accepted(keyOf(fields))], frames: () => {} });
      const pings = repeated(masked(9, 'p'.repeat(125)), 65_000);
      const paths = [tokenPath('/f/', token), '/ws'];
      await on(target, 6, async (socket, index) => {
        await begin(socket, upgrade(paths[index % 2] as string));
        await flood(socket, pings, 60 * MB);
      });
      target.origin.forget(token);
    },
  },
  {
    name: 'echoes that are not read, of an origin and of the test target',
    run: async (target) => {
      const messages = repeated(masked(2, 'e'.repeat(60_000)), 120_000);
      await on(target, 6, async (socket, index) => {
        await begin(socket, upgrade(['/good/ws', '/ws', '/good/events'][index % 3] as string));
        await flood(socket, messages, 60 * MB);
      });
    },
  },
  {
    name: 'tiny echoes that are not read',
    run: async (target) => {
      const messages = repeated(masked(1), 60_000);
      await on(target, 3, async (socket, index) => {
        await begin(socket, upgrade(['/good/ws', '/ws', '/good/events'][index % 3] as string));
        await flood(socket, messages, 20 * MB);
      });
    },
  },
  {
    name: 'uploads that an origin does not read',
    run: async (target) => {
      const token = newToken();
      target.origin.plan(token, {
        early: true,
        answer: (_request, _index, socket) => {
          socket.pause();
          return [];
        },
      });
      const piece = Buffer.alloc(64_000, 0x75);
      const chunk = Buffer.concat([Buffer.from(`${piece.length.toString(16)}\r\n`), piece, Buffer.from('\r\n')]);
      await on(target, 20, async (socket, index) => {
        const framing = index % 2 === 0 ? 'Content-Length: 900000000' : 'Transfer-Encoding: chunked';
        socket.write(`POST ${tokenPath('/f/', token)} HTTP/1.1\r\nHost: test\r\n${framing}\r\n\r\n`);
        await flood(socket, index % 2 === 0 ? piece : chunk, 40 * MB);
      });
      target.origin.forget(token);
    },
  },
  {
    name: 'a host that is none, in very many requests',
    run: async (target) => {
      const one = 'GET / HTTP/1.1\r\nHost: [\r\n\r\n';
      await on(target, 40, async (socket) => {
        socket.resume();
        for (const end = Date.now() + FLOOD_MS; Date.now() < end && !socket.destroyed; ) {
          socket.write(one);
          await Promise.race([
            new Promise((resolve) => socket.once('data', resolve).once('close', resolve)),
            delay(200),
          ]);
        }
      });
    },
  },
  {
    name: 'held clients that go on sending',
    run: async (target) => {
      const token = newToken();
      target.origin.plan(token, {
        answer: () => [answer(`HTTP/1.1 200 OK\r\nGrip-Hold: stream\r\nGrip-Channel: ${token}`, 'open')],
      });
      // In large writes: what is read at once is kept as one.
      const piece = repeated(
        Buffer.from(`GET ${tokenPath('/f/', token)} HTTP/1.1\r\nHost: test\r\nX-Fill: ${'f'.repeat(8_000)}\r\n\r\n`),
        64_000,
      );
      await on(target, 400, async (socket) => {
        await begin(socket, `GET ${tokenPath('/f/', token)} HTTP/1.1\r\nHost: test\r\n\r\n`);
        socket.resume();
        await flood(socket, piece, 1.5 * MB);
        await delay(500);
      });
      target.origin.forget(token);
    },
  },
  {
    name: 'handshakes of TLS that stall',
    run: async ({ tlsPort }) => {
      const sockets = await Promise.all(Array.from({ length: 300 }, () => open(tlsPort)));
      for (const socket of sockets) socket.write(Buffer.from('1603010200010001fc0303', 'hex'));
      await delay(1_500);
      for (const socket of sockets) socket.destroy();
    },
  },
  {
    name: 'idle connections to the control port',
    run: async ({ node }) => {
      const sockets = await Promise.all(Array.from({ length: 1_100 }, () => open(node.port('control'))));
      await delay(2_000);
      for (const socket of sockets) socket.destroy();
    },
  },
  {
    name: 'as many connections as there are file descriptors',
    run: async ({ node }) => {
      const sockets: Socket[] = [];
      for (let n = 0; n < 30; n++)
        sockets.push(...(await Promise.all(Array.from({ length: 100 }, () => open(node.port('clients'))))));
      const livez = await fetch(`http://127.0.0.1:${node.port('admin')}/livez`, {
        signal: AbortSignal.timeout(5_000),
      }).catch((error: Error) => ({ status: error.message }));
      await delay(1_000);
      for (const socket of sockets) socket.destroy();
      if (livez.status !== 200) throw new Error(`/livez answers ${livez.status}`);
    },
  },
];
