/** Floods of small things, and of things that nobody takes: none of them may cost more memory than a few megabytes. */
import { createHash } from 'node:crypto';
import type { Socket } from 'node:net';
import t, { type Test } from 'tap';
import { encodeFrame, opcodes } from '../websocket/raw-frames.js';
import { bareOrigin, copies, edges, flood, growth, sender, startFlooded, turn, unreadWebSocket } from './flood.js';
import type { Holdfast } from './holdfast.js';
import { responseHold, startOrigin } from './origin.js';
import { until } from './until.js';

const MIB = 2 ** 20;

t.setTimeout(600_000);

/** What a flood may cost, in bytes. Each took several times as much before it was bounded. */
const COST_MAX = 100 * MIB;

const masked = (opcode: number, payload = '', fin = true) => encodeFrame(opcode, payload, { mask: true, fin });

/** Checks what a flood costs, and that nothing else comes of it. `good` is answered 200. */
async function cost(
  t: Test,
  holdfast: Holdfast,
  act: () => Promise<unknown>,
  { max = COST_MAX, good = '/good' } = {},
): Promise<void> {
  const bytes = await growth(holdfast, async () => {
    await act();
    // What has been read before these is done with by then.
    for (let i = 0; i < 5; i++) await turn(holdfast);
  });
  t.comment(`${Math.round(bytes / MIB)} MiB`);
  t.ok(bytes < max, `it costs ${Math.round(bytes / MIB)} MiB, less than ${max / MIB}`);
  t.ok(holdfast.child.running, 'and Holdfast is alive');
  const answer = await fetch(`${holdfast.clients}${good}`);
  t.equal(answer.status, 200, 'the next good request is right');
}

/** Accepts the handshake of a WebSocket whose request has come, in the way of an origin without libraries. */
function accept(socket: Socket, request: string): void {
  const key = /^sec-websocket-key: (.*)\r$/im.exec(request)?.[1] ?? '';
  const answer = createHash('sha1').update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest('base64');
  const head = `HTTP/1.1 101 S\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${answer}\r\n\r\n`;
  socket.write(head);
}

const plain = (text: string) => `HTTP/1.1 200 OK\r\nContent-Length: ${text.length}\r\n\r\n${text}`;

for (const edge of edges) {
  t.test(`edge ${edge}`, async (t) => {
    t.test('interim answers without end', async (t) => {
      let isOver = false;
      const hints = copies(`HTTP/1.1 103 Early Hints\r\nLink: </${'x'.repeat(900)}>\r\n\r\n`);
      const target = await bareOrigin(t, (socket, received) => {
        socket.once('data', () => {
          if (received().includes('/good')) socket.write(plain('good'));
          else {
            void flood(holdfast, socket, hints, 600 * MIB).then(() => {
              isOver = true;
            });
          }
        });
      });
      const holdfast = await startFlooded(t, edge, [`* ${target}`]);
      await cost(t, holdfast, async () => {
        const client = await sender(t, holdfast, 'GET /hints HTTP/1.1\nHost: a\n\n');
        client.pause();
        await until('what the origin gets rid of', () => isOver);
      });
      await holdfast.record('of the request', ({ status, url }) => status === 502 && String(url).endsWith('/hints'));
    });

    t.test('empty messages to an origin over HTTP', async (t) => {
      const origin = await startOrigin(t, (request, response, seen) => {
        request.on('end', () => {
          if (request.method === 'GET') response.end('good');
          else if (seen.body.startsWith('OPEN')) {
            response.writeHead(200, {
              'Content-Type': 'application/websocket-events',
              'Sec-WebSocket-Extensions': 'grip',
            });
            response.end('OPEN\r\n');
          }
          // Others are never answered.
        });
      });
      const holdfast = await startFlooded(t, edge, [`* ${origin.target},over_http`]);
      await cost(t, holdfast, async () => {
        const sockets = await Promise.all([1, 2].map(() => unreadWebSocket(t, holdfast)));
        await Promise.all(sockets.map((socket) => flood(holdfast, socket, copies(masked(opcodes.text)), 24 * MIB)));
      });
    });

    t.test('messages of a million fragments', async (t) => {
      const target = await bareOrigin(t, (socket, received) => {
        socket.once('data', () => {
          if (received().includes('/good')) socket.write(plain('good'));
          else accept(socket, received());
        });
      });
      const holdfast = await startFlooded(t, edge, [`* ${target}`]);
      await cost(t, holdfast, async () => {
        const sockets = await Promise.all([1, 2].map(() => unreadWebSocket(t, holdfast)));
        const fragments = copies(masked(opcodes.continuation, 'x', false));
        await Promise.all(
          sockets.map((socket) => {
            socket.write(masked(opcodes.text, 'x', false));
            return flood(holdfast, socket, fragments, 7 * MIB);
          }),
        );
      });
    });

    t.test('pings of clients that do not read', async (t) => {
      const holdfast = await startFlooded(t, edge, ['* test']);
      const act = async () => {
        const sockets = await Promise.all([1, 2].map(() => unreadWebSocket(t, holdfast, '/ws')));
        await Promise.all(
          sockets.map((socket) => flood(holdfast, socket, copies(masked(opcodes.ping, 'ping')), 24 * MIB)),
        );
      };
      await cost(t, holdfast, act, { good: '/' });
    });

    t.test('an echo that nobody reads', async (t) => {
      const holdfast = await startFlooded(t, edge, ['* test']);
      const act = async () => {
        const sockets = await Promise.all([1, 2].map(() => unreadWebSocket(t, holdfast, '/ws')));
        await Promise.all(
          sockets.map((socket, i) => {
            const message = i < 1 ? masked(opcodes.text, 'x') : masked(opcodes.binary, 'x'.repeat(60_000));
            return flood(holdfast, socket, copies(message), 64 * MIB);
          }),
        );
      };
      await cost(t, holdfast, act, { good: '/' });
    });

    t.test('uploads that an origin does not read', async (t) => {
      const target = await bareOrigin(t, (socket, received) => {
        socket.once('data', () => {
          if (received().includes('/good')) socket.write(plain('good'));
          else socket.pause();
        });
      });
      const holdfast = await startFlooded(t, edge, [`* ${target}`]);
      await cost(
        t,
        holdfast,
        async () => {
          const head = `POST / HTTP/1.1\nHost: a\nContent-Length: ${200 * MIB}\n\n`;
          const sockets = await Promise.all(Array.from({ length: 20 }, () => sender(t, holdfast, head)));
          await Promise.all(sockets.map((socket) => flood(holdfast, socket, Buffer.alloc(262_144), 100 * MIB)));
        },
        { max: 150 * MIB },
      );
    });

    t.test('clients that go on sending behind a request that is held', async (t) => {
      const origin = await startOrigin(t, (request, response) => {
        if (request.url === '/good') response.end('good');
        else response.writeHead(200, responseHold('room')).end('nothing');
      });
      const holdfast = await startFlooded(t, edge, [`* ${origin.target}`]);
      await cost(t, holdfast, async () => {
        const sockets = await Promise.all(
          Array.from({ length: 200 }, () => sender(t, holdfast, 'GET /poll HTTP/1.1\nHost: a\n\n')),
        );
        await holdfast.holds('response', 200);
        await Promise.all(sockets.map((socket) => flood(holdfast, socket, Buffer.alloc(65_536, 'x'), 2 * MIB)));
      });
    });

    t.test('small requests behind one that waits for its origin', async (t) => {
      const origin = await startOrigin(t, (request, response) => {
        if (request.url === '/good') response.end('good');
      });
      const holdfast = await startFlooded(t, edge, [`* ${origin.target}`]);
      await cost(t, holdfast, async () => {
        const sockets = await Promise.all(
          Array.from({ length: 25 }, () => sender(t, holdfast, 'GET /slow HTTP/1.1\nHost: a\n\n')),
        );
        const requests = copies('GET / HTTP/1.1\r\nHost:a\r\n\r\n', 65_536);
        await Promise.all(sockets.map((socket) => flood(holdfast, socket, requests, 2 * MIB)));
      });
    });

    t.test('bodies in chunks of one byte', async (t) => {
      const origin = await startOrigin(t, (request, response) => {
        if (request.url === '/good') response.end('good');
        else request.on('end', () => response.writeHead(200, responseHold('room')).end('nothing'));
      });
      const holdfast = await startFlooded(t, edge, [`* ${origin.target}`]);
      await cost(t, holdfast, async () => {
        const head = 'POST /poll HTTP/1.1\nHost: a\nTransfer-Encoding: chunked\n\n';
        const sockets = await Promise.all(Array.from({ length: 6 }, () => sender(t, holdfast, head)));
        for (const socket of sockets)
          socket.write(Buffer.concat([copies('1\r\nx\r\n', 300_000), Buffer.from('0\r\n\r\n')]));
        await holdfast.holds('response', 6);
      });
    });

    t.test('an answer of an origin over HTTP with millions of events', async (t) => {
      const events = Buffer.concat([Buffer.from('OPEN\r\n'), copies('TEXT\r\n', 20 * MIB)]);
      const origin = await startOrigin(t, (request, response) => {
        if (request.method === 'GET') response.end('good');
        else response.writeHead(200, { 'Content-Type': 'application/websocket-events' }).end(events);
      });
      const holdfast = await startFlooded(t, edge, [`* ${origin.target},over_http`]);
      await cost(
        t,
        holdfast,
        async () => {
          const upgrade = 'Upgrade: websocket\nConnection: Upgrade\nSec-WebSocket-Version: 13';
          const head = `GET / HTTP/1.1\nHost: a\n${upgrade}\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\n\n`;
          const client = await sender(t, holdfast, head);
          await new Promise((resolve) => client.once('data', resolve));
          client.pause();
        },
        { max: 150 * MIB },
      );
    });

    t.test('messages of an origin to a client that does not read', async (t) => {
      const sent: { done: boolean }[] = [];
      const target = await bareOrigin(t, (socket, received) => {
        socket.once('data', () => {
          if (received().includes('/good')) socket.write(plain('good'));
          else {
            accept(socket, received());
            const isPing = received().includes('/pings');
            const one = { done: false };
            sent.push(one);
            void flood(holdfast, socket, copies(encodeFrame(isPing ? opcodes.ping : opcodes.text, '')), 24 * MIB).then(
              () => {
                one.done = true;
              },
            );
          }
        });
      });
      const holdfast = await startFlooded(t, edge, [`* ${target}`]);
      await cost(t, holdfast, async () => {
        const paths = ['/messages', '/pings'];
        await Promise.all(paths.map((path) => unreadWebSocket(t, holdfast, path)));
        await until('what the origin gets rid of', () => sent.length === 2 && sent.every(({ done }) => done));
      });
    });
  });
}
