/**
 * An origin for WebSockets that does what the client tells it, in both kinds: `direct` speaks WebSocket with the grip
 * extension, `over-http` is GRIP's own library for origins that are asked over HTTP. Both understand the same, so
 * that one test covers both. Over HTTP a connection carries many requests, but one each for clients whose path is
 * `/once`.
 */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { createServer as createTlsServer, type ServerOptions } from 'node:https';
import type { AddressInfo } from 'node:net';
import { type WebSocketContext, WebSocketEvent } from '@fanoutio/grip';
import { ServeGrip } from '@fanoutio/serve-grip';
import { type WebSocket, WebSocketServer } from 'ws';
import { patternOf } from '../pattern.js';

/** The kinds of origin, and what their targets need in a route. */
export const kinds = { direct: '', 'over-http': ',over_http' } as const;

export type Kind = keyof typeof kinds;

/** How to serve. */
export interface EchoOptions {
  /** A free one when absent. */
  readonly port?: number;
  readonly tls?: ServerOptions;
  /**
   * Told of what happens, in these words: `open PATH`, `text N`, `binary N`, `ping PAYLOAD`, `close CODE REASON`, `gone`,
   * and over HTTP `asked` for a request without events.
   */
  readonly note: (line: string) => void;
}

/** An origin that listens. */
export interface EchoOrigin {
  /** `127.0.0.1:port`. */
  readonly target: string;
  /** Cuts all connections. */
  close(): void;
}

/** The origin's end of one WebSocket, whatever carries it. */
interface End {
  send(data: Buffer, isBinary: boolean): void;
  subscribe(channel: string): void;
  ping(payload: string): void;
  close(code: number | undefined, reason: string): void;
  hang(): void;
}

function obey(end: End, data: Buffer, isBinary: boolean): void {
  const [command, argument = '', ...rest] = isBinary || data[0] !== 0x21 ? [] : data.toString().split(' ');
  if (command === undefined) end.send(data, isBinary);
  else if (command === '!subscribe') end.subscribe(argument);
  else if (command === '!ping') end.ping(argument);
  else if (command === '!bytes') end.send(patternOf(Number(argument)), true);
  else if (command === '!close') end.close(argument === '' ? undefined : Number(argument), rest.join(' '));
  else if (command === '!hang') end.hang();
  else throw new Error(`unknown command ${command}`);
}

const refuse = (response: ServerResponse) => response.writeHead(404).end('Open a WebSocket here.\n');

/** The client's word for the subprotocol it likes best, which the origin speaks too, whatever it is. */
const firstProtocol = (offered: string) => offered.split(',')[0]?.trim() ?? '';

/** Starts an origin of a kind. */
export async function listen(kind: Kind, { port = 0, tls, note }: EchoOptions): Promise<EchoOrigin> {
  const server = tls === undefined ? createServer() : createTlsServer(tls);
  if (kind === 'over-http') serveEvents(server, note);
  else serveWebSockets(server, note);
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
  return {
    target: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    close: () => {
      server.close();
      server.closeAllConnections();
    },
  };
}

// direct

function serveWebSockets(server: ReturnType<typeof createServer>, note: EchoOptions['note']): void {
  const sockets = new WebSocketServer({
    server,
    perMessageDeflate: false,
    handleProtocols: (offered) => [...offered][0] ?? false,
  });
  server.on('request', (_request, response) => refuse(response));
  sockets.on('headers', (lines, { headers }) => {
    const offered = (headers['sec-websocket-extensions'] ?? '').split(',').map((extension) => extension.trim());
    if (offered.includes('grip')) lines.push('Sec-WebSocket-Extensions: grip');
  });
  sockets.on('connection', (socket, request) => {
    note(`open ${request.url}`);
    const end = directEnd(socket);
    socket.on('message', (data, isBinary) => {
      note(`${isBinary ? 'binary' : 'text'} ${(data as Buffer).length}`);
      obey(end, data as Buffer, isBinary);
    });
    socket.on('ping', (payload) => note(`ping ${payload}`));
    socket.on('error', () => {});
    socket.on('close', (code, reason) => note(code === 1006 ? 'gone' : `close ${code} ${reason}`.trim()));
  });
  server.on('close', () => {
    for (const socket of sockets.clients) socket.terminate();
  });
}

function directEnd(socket: WebSocket): End {
  return {
    send: (data, isBinary) => socket.send(Buffer.concat([Buffer.from('m:'), data]), { binary: isBinary }),
    subscribe: (channel) => socket.send(`c:${JSON.stringify({ type: 'subscribe', channel })}`),
    ping: (payload) => socket.ping(payload),
    close: (code, reason) => (code === undefined ? socket.close() : socket.close(code, reason)),
    hang: () => {},
  };
}

// over-http

function serveEvents(server: ReturnType<typeof createServer>, note: EchoOptions['note']): void {
  const serveGrip = new ServeGrip({ grip: 'http://127.0.0.1:1/' });
  server.on('request', (request: IncomingMessage, response: ServerResponse) => {
    serveGrip.exec(request, response, (error) => {
      if (error !== undefined) throw error;
      const context = request.grip?.wsContext;
      if (context) answer(context, request, response, note);
      else refuse(response);
    });
  });
}

function answer(
  context: WebSocketContext,
  { url, headers }: IncomingMessage,
  response: ServerResponse,
  note: EchoOptions['note'],
): void {
  if (url === '/once') response.setHeader('Connection', 'close');
  if (context.isOpening()) {
    note(`open ${url}`);
    context.accept();
    const protocol = firstProtocol(headers['sec-websocket-protocol'] ?? '');
    if (protocol !== '') response.setHeader('Sec-WebSocket-Protocol', protocol);
  }
  if (context._inEvents.length === 0) note('asked');
  let hangs = false;
  const hang = () => {
    hangs = true;
  };
  // The library's own `recv` passes over pings, and a lone one it does not answer: here they are to be seen.
  for (const event of context._inEvents) {
    const { type } = event;
    const content = Buffer.from(event.content ?? '');
    if (type === 'TEXT' || type === 'BINARY') {
      note(`${type.toLowerCase()} ${content.length}`);
      obey(eventsEnd(context, hang), content, type === 'BINARY');
    } else if (type === 'PING') note(`ping ${content}`);
    else if (type === 'DISCONNECT') note('gone');
    else if (type === 'CLOSE') {
      note(`close ${content.length < 2 ? 1005 : content.readUInt16BE()} ${content.subarray(2)}`.trim());
      context.close(content.length < 2 ? 0 : content.readUInt16BE());
    }
  }
  if (!hangs) response.end();
}

function eventsEnd(context: WebSocketContext, hang: () => void): End {
  return {
    send: (data, isBinary) => (isBinary ? context.sendBinary(data) : context.send(data)),
    subscribe: (channel) => context.subscribe(channel),
    ping: (payload) => context.outEvents.push(new WebSocketEvent('PING', payload)),
    close: (code, reason) => {
      if (reason === '') context.close(code);
      else context.outEvents.push(closeEvent(code ?? 0, reason));
    },
    hang,
  };
}

/** A close with a reason: the library has no call for it. */
function closeEvent(code: number, reason: string): WebSocketEvent {
  const content = Buffer.from(`--${reason}`);
  content.writeUInt16BE(code);
  return new WebSocketEvent('CLOSE', content);
}
