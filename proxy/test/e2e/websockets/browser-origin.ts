/** An origin for WebSockets of a browser: what a page can see of a server, each thing at a path, its faults included. */
import { createHash } from 'node:crypto';
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import type { Test } from 'tap';
import { type WebSocket, WebSocketServer } from 'ws';

/** RFC 6455 §1.3. */
const GUID = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11';

/** Fields of one connection or one address, not of the page. */
const OF_THE_HOP = new Set([
  'host',
  'connection',
  'upgrade',
  'origin',
  'sec-websocket-key',
  'sec-websocket-extensions',
]);
/** Fields that Holdfast adds. */
const OF_THE_PROXY = /^(x-forwarded-|grip-)/;

/** How late the late answers come. */
const LATE_MS = 1_000;

const frame = (head: number, payload: Buffer | string) => {
  const data = Buffer.from(payload);
  return Buffer.concat([Buffer.from([head, data.length]), data]);
};
const text = (payload: string) => frame(0x81, payload);
const close = (code: number, reason = '') =>
  frame(0x88, Buffer.concat([Buffer.from([code >> 8, code & 0xff]), Buffer.from(reason)]));

/** What a server's library does with a socket. */
const spoken: Readonly<Record<string, (socket: WebSocket, request: IncomingMessage) => void>> = {
  '/echo': (socket) => socket.on('message', (data, isBinary) => socket.send(data, { binary: isBinary })),
  '/close': (socket) =>
    socket.on('message', (data) => {
      const [code = '', ...reason] = data.toString().split(' ');
      socket.close(code === '' ? undefined : Number(code), reason.join(' '));
    }),
  '/greets': (socket) => socket.send('welcome'),
  '/greets-and-closes': (socket) => {
    socket.send('welcome');
    socket.send('and');
    socket.close(4001, 'goodbye');
  },
  '/many': (socket) => {
    for (let n = 0; n < 2_000; n++) socket.send(String(n));
    socket.close(1000, 'all');
  },
  '/fragments': (socket) => {
    socket.send('one ', { fin: false });
    socket.ping('between');
    socket.send('two ', { fin: false });
    socket.send('', { fin: false });
    socket.send('three', { fin: true });
    socket.send(Buffer.from([0, 255]), { fin: false });
    socket.send(Buffer.from([1]), { fin: true });
  },
  '/pings': (socket) => {
    socket.ping('here');
    socket.on('pong', (data) => socket.send(`pong ${data}`));
  },
  '/headers': (socket, { rawHeaders }) => {
    const lines: string[] = [];
    for (let i = 0; i < rawHeaders.length; i += 2) {
      const name = rawHeaders[i]?.toLowerCase() ?? '';
      if (!OF_THE_HOP.has(name) && !OF_THE_PROXY.test(name)) lines.push(`${name}: ${rawHeaders[i + 1]}`);
    }
    socket.send(lines.sort().join('\n'));
  },
  '/path': (socket, { url = '' }) => socket.send(url),
};

/** Bytes that a server sends behind its 101 when the first bytes of the client have come. */
const raw: Readonly<Record<string, Buffer>> = {
  '/masked': Buffer.concat([text('before'), Buffer.from([0x81, 0x82, 0, 0, 0, 0, 0x68, 0x69])]),
  '/reserved-bit': Buffer.concat([text('before'), frame(0xc1, 'x')]),
  '/reserved-opcode': Buffer.concat([text('before'), frame(0x83, 'x')]),
  '/reserved-control': Buffer.concat([text('before'), frame(0x8b, 'x')]),
  '/utf8': Buffer.concat([text('before'), frame(0x81, Buffer.from([0xff]))]),
  '/cut-utf8': Buffer.concat([text('before'), frame(0x81, Buffer.from([0xe2, 0x82]))]),
  '/long-ping': Buffer.concat([text('before'), Buffer.from([0x89, 126, 0, 126]), Buffer.alloc(126)]),
  '/fragmented-ping': Buffer.concat([text('before'), frame(0x09, 'x')]),
  '/text-within-text': Buffer.concat([text('before'), frame(0x01, 'a'), text('b')]),
  '/continues-nothing': Buffer.concat([text('before'), frame(0x80, 'a')]),
  '/close-of-one-byte': Buffer.concat([text('before'), frame(0x88, 'a')]),
  '/close-1005': Buffer.concat([text('before'), close(1005)]),
  '/close-1006': Buffer.concat([text('before'), close(1006)]),
  '/close-999': Buffer.concat([text('before'), close(999)]),
  '/close-bad-reason': Buffer.concat([text('before'), frame(0x88, Buffer.from([3, 232, 0xff]))]),
  '/close-empty': Buffer.concat([text('before'), frame(0x88, '')]),
  '/close-then-text': Buffer.concat([text('before'), close(1000, 'x'), text('after')]),
};

/** How handshakes fail. */
const refused: Readonly<Record<string, string>> = {
  '/200': 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok',
  '/302': 'HTTP/1.1 302 Found\r\nLocation: /echo\r\nContent-Length: 0\r\n\r\n',
  '/401': 'HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Bearer\r\nContent-Length: 0\r\n\r\n',
  '/403': 'HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno',
  '/503': 'HTTP/1.1 503 Service Unavailable\r\nRetry-After: 1\r\nContent-Length: 0\r\n\r\n',
  '/nothing': '',
};

const accepted = ({ headers }: IncomingMessage, more = '', key = headers['sec-websocket-key'] ?? '') =>
  `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${createHash(
    'sha1',
  )
    .update(`${key}${GUID}`)
    .digest('base64')}\r\n${more}\r\n`;

/** Handshakes that a browser has to look at. */
const handshakes: Readonly<Record<string, (request: IncomingMessage) => string | Buffer>> = {
  '/wrong-key': (request) => accepted(request, '', 'of another'),
  '/protocol-not-offered': (request) => accepted(request, 'Sec-WebSocket-Protocol: other\r\n'),
  '/extension-not-offered': (request) => accepted(request, 'Sec-WebSocket-Extensions: x-other\r\n'),
  '/in-one-write': (request) =>
    Buffer.concat([Buffer.from(accepted(request)), text('first'), text('second'), close(4002, 'at once')]),
  '/cookies': (request) =>
    accepted(request, 'Set-Cookie: ws=1; Path=/\r\nSet-Cookie: hidden=2; Path=/; HttpOnly\r\n') +
    close(1000).toString('latin1'),
};

/** What happens when the client's first bytes have come. */
const afterwards: Readonly<Record<string, (socket: Duplex) => Promise<void> | void>> = {
  '/drops': (socket) => void socket.destroy(),
  '/ends': (socket) => void socket.end(text('before')),
  // The client's Close is answered late, and not before what was still to be said.
  '/late-close': async (socket) => {
    await delay(LATE_MS);
    socket.write(text('still'));
    socket.write(text('here'));
    socket.end(close(1000, 'late'));
  },
  '/other-close': (socket) => void socket.end(close(4003, 'mine')),
};

/** Starts it; it ends with the test. @returns its port */
export async function startBrowserOrigin(t: Test): Promise<number> {
  const library = new WebSocketServer({ noServer: true, handleProtocols: (offered) => [...offered][0] ?? false });
  const unspoken = new WebSocketServer({ noServer: true, handleProtocols: () => false });
  const server = createServer((_request, response) => {
    response.setHeader('Content-Type', 'text/html');
    response.end('<!doctype html><title>WebSockets</title>');
  });
  server.on('upgrade', (request, socket, head) => {
    socket.on('error', () => socket.destroy());
    const path = request.url?.split('?', 1)[0] ?? '';
    const speak = spoken[path];
    if (speak !== undefined) return library.handleUpgrade(request, socket, head, (ws) => speak(ws, request));
    if (path === '/without-protocol') return unspoken.handleUpgrade(request, socket, head, (ws) => ws.send('open'));
    if (path === '/slow') {
      const bytes = Buffer.concat([Buffer.from(accepted(request)), text('first'), close(1000)]);
      return void delay(LATE_MS).then(() => socket.end(bytes));
    }
    const refusal = refused[path];
    if (refusal !== undefined) return void socket.end(refusal, 'latin1');
    const handshake = handshakes[path];
    if (handshake !== undefined) {
      socket.once('data', () => socket.end());
      return void socket.write(handshake(request), 'latin1');
    }
    socket.write(accepted(request));
    socket.once('data', () => {
      const bytes = raw[path];
      if (bytes !== undefined) {
        socket.once('data', () => socket.end());
        socket.write(bytes);
      } else void afterwards[path]?.(socket);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.teardown(() => {
    server.close();
    server.closeAllConnections();
  });
  return (server.address() as AddressInfo).port;
}
