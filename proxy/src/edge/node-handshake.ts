/**
 * Owns: WebSocket handshakes of the node edge: which are valid, and answering them. Does not own: the socket after the 101.
 */
import { type IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { headerValue, headerValues, type RawHeaders } from '@holdfast/grip';
import type { MessageSocket } from '../websocket/message-socket.js';
import type { WsAcceptor } from '../websocket/ws-socket.js';
import { clientHeaders } from './client-headers.js';
import type { ClientHandshake } from './edge.js';
import type { NodeConnection } from './node-connection.js';
import { type FlushQueue, NodeResponse } from './node-response.js';

/** A refused handshake: what the client is told. */
export interface HandshakeRefusal {
  readonly status: number;
  readonly text: string;
  readonly headers: RawHeaders;
}

/** 16 bytes in base64 (RFC 6455 §4.1). */
const KEY = /^[+/0-9A-Za-z]{22}==$/;

/** Fields that may not be repeated (RFC 6455 §11.3). */
const ONCE = ['Upgrade', 'Sec-WebSocket-Key', 'Sec-WebSocket-Version'] as const;

const HANDSHAKE = new Set([
  'sec-websocket-accept',
  'sec-websocket-extensions',
  'sec-websocket-key',
  'sec-websocket-version',
]);

const invalid = (why: string): HandshakeRefusal => ({
  status: 400,
  text: `Request contained an Upgrade header with value "websocket" but the request was not a valid WebSocket request: ${why}.\n`,
  headers: [],
});

/** Whether a request asks for a WebSocket: by its Upgrade field, compared without case as RFC 9110 §7.8 has it. */
export function asksForWebSocket(headers: RawHeaders): boolean {
  const upgrade = headerValue(headers, 'upgrade');
  return upgrade !== undefined && upgrade.trim().toLowerCase() === 'websocket';
}

/** Checks a handshake by RFC 6455 §4.2.1; undefined when it is valid. */
export function checkHandshake(message: IncomingMessage): HandshakeRefusal | undefined {
  const { rawHeaders } = message;
  if (message.method !== 'GET') return invalid(`the method is ${message.method}, not GET`);
  if (message.httpVersion !== '1.1') return invalid('it is not HTTP/1.1');
  for (const name of ONCE)
    if (headerValues(rawHeaders, name.toLowerCase()).length > 1) return invalid(`it has more than one ${name}`);
  const key = headerValue(rawHeaders, 'sec-websocket-key');
  if (key === undefined) return invalid('it has no Sec-WebSocket-Key');
  if (!KEY.test(key.trim())) return invalid('its Sec-WebSocket-Key is not 16 bytes in base64');
  const length = headerValue(rawHeaders, 'content-length');
  if (headerValue(rawHeaders, 'transfer-encoding') !== undefined || (length !== undefined && Number(length) !== 0)) {
    return invalid('it has a body');
  }
  const version = headerValue(rawHeaders, 'sec-websocket-version');
  if (version === undefined) return invalid('it has no Sec-WebSocket-Version');
  if (version.trim() === '13') return undefined;
  return {
    status: 426,
    text: `WebSocket version ${version.trim()} is not supported, version 13 is.\n`,
    headers: ['Sec-WebSocket-Version', '13', 'Upgrade', 'websocket'],
  };
}

/** A handshake under way on a socket that node has handed over. */
export class NodeHandshake implements ClientHandshake {
  readonly response: NodeResponse;
  readonly #message: IncomingMessage;
  readonly #early: Buffer;
  readonly #connection: NodeConnection;
  readonly #acceptor: WsAcceptor;

  /** `early` is what the client sent after its head. */
  constructor(
    message: IncomingMessage,
    early: Buffer,
    connection: NodeConnection,
    acceptor: WsAcceptor,
    flushes: FlushQueue,
  ) {
    this.#message = message;
    this.#early = early;
    this.#connection = connection;
    this.#acceptor = acceptor;
    const answer = new ServerResponse(message);
    answer.shouldKeepAlive = false;
    answer.once('finish', () => message.socket.destroySoon());
    this.response = new NodeResponse(answer, '1.1', flushes);
    // Node has taken its own listener off; `close` follows, and is all that counts.
    message.socket.on('error', () => {});
  }

  /** Its turn has come: the answers to the requests before it on its connection are complete. */
  begin(): void {
    this.response.response.assignSocket(this.#message.socket);
    // A client may send its first frames early. They are nobody's if it is refused.
    this.#connection.last(true);
  }

  accept(headers: RawHeaders, extensions?: string): MessageSocket | undefined {
    const socket = this.#message.socket as Socket;
    if (this.response.over || socket.destroyed) return undefined;
    this.response.response.detachSocket(socket);
    this.#connection.handOver();
    const kept: string[] = [];
    const allowed = clientHeaders(headers);
    for (let i = 0; i < allowed.length; i += 2) {
      const name = allowed[i] as string;
      if (!HANDSHAKE.has(name.toLowerCase())) kept.push(name, allowed[i + 1] as string);
    }
    if (extensions !== undefined) kept.push('Sec-WebSocket-Extensions', extensions);
    return this.#acceptor.accept(this.#message, socket, this.#early, kept);
  }
}

/** The bytes of a request head without its wish to change protocols, for a parser to read it once more as a plain request. */
export function plainHead(message: IncomingMessage): Buffer {
  let head = `${message.method} ${message.url} HTTP/${message.httpVersion}\r\n`;
  const { rawHeaders } = message;
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const lower = (rawHeaders[i] as string).toLowerCase();
    if (lower !== 'upgrade' && lower !== 'http2-settings') head += `${rawHeaders[i]}: ${rawHeaders[i + 1]}\r\n`;
  }
  return Buffer.from(`${head}\r\n`, 'latin1');
}
