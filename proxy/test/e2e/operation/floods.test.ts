/** Floods of small things, and of things that nobody takes: what they cost a whole Holdfast in memory, on each edge. */
import { createHash } from 'node:crypto';
import type { Socket } from 'node:net';
import t, { type Test } from 'tap';
import { encodeFrame, opcodes } from '../../kit/clients/raw-frames.js';
import type { Holdfast } from '../../kit/holdfast.js';
import { responseHold, startOrigin } from '../../kit/origins/origin.js';
import { until } from '../../kit/until.js';
import { bareOrigin, copies, edges, flood, growth, sender, startFlooded, turn, unreadWebSocket } from './flood.js';

t.setTimeout(600_000);

const MIB = 2 ** 20;

const masked = (opcode: number, payload = '', fin = true) => encodeFrame(opcode, payload, { mask: true, fin });

const plain = (text: string) => `HTTP/1.1 200 OK\r\nContent-Length: ${text.length}\r\n\r\n${text}`;

/** How much a flood may cost, in bytes, and what is answered 200 afterwards. */
interface Expected {
  readonly max?: number;
  readonly good?: string;
}

/** Checks what a flood costs, and that nothing else comes of it. */
async function cost(t: Test, holdfast: Holdfast, act: () => Promise<unknown>, expected: Expected = {}): Promise<void> {
  const { max = 100 * MIB, good = '/good' } = expected;
  const bytes = await growth(holdfast, async () => {
    await act();
    // What has been read before these is done with by then.
    for (let i = 0; i < 5; i++) await turn(holdfast);
  });
  t.ok(bytes < max, `it costs ${Math.round(bytes / MIB)} MiB, less than ${max / MIB}`);
  t.ok(holdfast.child.running, 'and Holdfast is alive');
  const answer = await fetch(`${holdfast.clients}${good}`);
  t.equal(answer.status, 200, 'the next good request is right');
}

/** An origin that answers good requests, and does this with the others, once their heads are there. */
function rawOrigin(t: Test, take: (socket: Socket, head: string) => void): Promise<string> {
  return bareOrigin(t, (socket, received) => {
    socket.once('data', () => {
      if (received().includes('/good')) socket.write(plain('good'));
      else take(socket, received());
    });
  });
}

/** Accepts the handshake of a WebSocket, in the way of an origin without libraries. */
function accept(socket: Socket, request: string): void {
  const key = /^sec-websocket-key: (.*)\r$/im.exec(request)?.[1] ?? '';
  const answer = createHash('sha1').update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest('base64');
  const head = `HTTP/1.1 101 S\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${answer}\r\n\r\n`;
  socket.write(head);
}

for (const edge of edges) {
  t.test(`edge ${edge}: interim answers without end`, async (t) => {
    let isOver = false;
    const hints = copies(`HTTP/1.1 103 Early Hints\r\nLink: </${'x'.repeat(900)}>\r\n\r\n`);
    const target = await rawOrigin(t, (socket) => {
      void flood(holdfast, socket, hints, 400 * MIB).then(() => {
        isOver = true;
      });
    });
    const holdfast: Holdfast = await startFlooded(t, edge, [`* ${target}`]);
    const act = async () => {
      const client = await sender(t, holdfast, 'GET /hints HTTP/1.1\nHost: a\n\n');
      client.pause();
      await until('what the origin gets rid of', () => isOver);
    };
    await cost(t, holdfast, act);
    await holdfast.record('of the request', ({ status, url }) => status === 502 && String(url).endsWith('/hints'));
  });

  t.test(`edge ${edge}: empty messages to an origin over HTTP`, async (t) => {
    const origin = await startOrigin(t, (request, response, seen) => {
      request.on('end', () => {
        if (request.method === 'GET') response.end('good');
        else if (seen.body.startsWith('OPEN')) {
          response.writeHead(200, { 'Content-Type': 'application/websocket-events' });
          response.end('OPEN\r\n');
        }
        // Others are never answered.
      });
    });
    const holdfast = await startFlooded(t, edge, [`* ${origin.target},over_http`]);
    const messages = copies(masked(opcodes.text));
    await cost(t, holdfast, async () => flood(holdfast, await unreadWebSocket(t, holdfast), messages, 24 * MIB));
  });

  t.test(`edge ${edge}: a message of a million fragments`, async (t) => {
    const target = await rawOrigin(t, accept);
    const holdfast = await startFlooded(t, edge, [`* ${target}`]);
    const fragments = copies(masked(opcodes.continuation, 'x', false));
    const act = async () => {
      const socket = await unreadWebSocket(t, holdfast);
      socket.write(masked(opcodes.text, 'x', false));
      await flood(holdfast, socket, fragments, 7 * MIB);
    };
    await cost(t, holdfast, act, { max: 60 * MIB });
  });

  t.test(`edge ${edge}: pings of a client that does not read`, async (t) => {
    const holdfast = await startFlooded(t, edge, ['* test']);
    const pings = copies(masked(opcodes.ping, 'p'.repeat(100)));
    const act = async () => flood(holdfast, await unreadWebSocket(t, holdfast, '/ws'), pings, 64 * MIB);
    await cost(t, holdfast, act, { max: 60 * MIB, good: '/' });
  });

  t.test(`edge ${edge}: an echo that nobody reads`, async (t) => {
    const holdfast = await startFlooded(t, edge, ['* test']);
    const messages = copies(masked(opcodes.binary, 'x'.repeat(60_000)));
    const act = async () => flood(holdfast, await unreadWebSocket(t, holdfast, '/ws'), messages, 200 * MIB);
    await cost(t, holdfast, act, { good: '/' });
  });

  t.test(`edge ${edge}: uploads that an origin does not read`, async (t) => {
    const target = await rawOrigin(t, (socket) => void socket.pause());
    const holdfast = await startFlooded(t, edge, [`* ${target}`]);
    const act = async () => {
      const head = `POST / HTTP/1.1\nHost: a\nContent-Length: ${200 * MIB}\n\n`;
      const sockets = await Promise.all(Array.from({ length: 20 }, () => sender(t, holdfast, head)));
      const piece = Buffer.alloc(262_144);
      await Promise.all(sockets.map((socket) => flood(holdfast, socket, piece, 100 * MIB)));
    };
    await cost(t, holdfast, act, { max: 150 * MIB });
  });

  t.test(`edge ${edge}: clients that go on sending behind a request that is held`, async (t) => {
    const origin = await startOrigin(t, (request, response) => {
      if (request.url === '/good') response.end('good');
      else response.writeHead(200, responseHold('room')).end('nothing');
    });
    const holdfast = await startFlooded(t, edge, [`* ${origin.target}`]);
    const act = async () => {
      const polls = Array.from({ length: 100 }, () => sender(t, holdfast, 'GET /poll HTTP/1.1\nHost: a\n\n'));
      const sockets = await Promise.all(polls);
      await holdfast.holds('response', 100);
      const request = copies(`GET / HTTP/1.1\r\nHost: a\r\nX-Filler: ${'x'.repeat(8_000)}\r\n\r\n`, 65_536);
      await Promise.all(sockets.map((socket) => flood(holdfast, socket, request, 2 * MIB)));
    };
    await cost(t, holdfast, act, { max: 60 * MIB });
  });

  t.test(`edge ${edge}: an answer of an origin over HTTP with millions of events`, async (t) => {
    const events = Buffer.concat([Buffer.from('OPEN\r\n'), copies('TEXT\r\n', 12 * MIB)]);
    const origin = await startOrigin(t, (request, response) => {
      if (request.method === 'GET') response.end('good');
      else response.writeHead(200, { 'Content-Type': 'application/websocket-events' }).end(events);
    });
    const holdfast = await startFlooded(t, edge, [`* ${origin.target},over_http`]);
    await cost(t, holdfast, () => unreadWebSocket(t, holdfast).catch(() => 'refused'));
  });
}
