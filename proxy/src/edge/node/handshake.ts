/** Answers the WebSocket handshakes of the node edge. `handshake-check` decides which are valid. */
import { type IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { RawHeaders } from '@holdfast/grip';
import type { MessageSocket } from '../../websocket/message-socket.js';
import type { WsAcceptor } from '../../websocket/ws-handshakes.js';
import { acceptedHeaders, checkedHeaders } from '../client-headers.js';
import type { ClientHandshake } from '../port.js';
import type { NodeConnection } from './connection.js';
import { NodeResponse, type NodeResponseDeps } from './response.js';

/** A handshake under way on a socket that node has handed over. */
export class NodeHandshake implements ClientHandshake {
  readonly response: NodeResponse;
  readonly #message: IncomingMessage;
  readonly #early: Buffer;
  readonly #connection: NodeConnection;
  readonly #acceptor: WsAcceptor;
  readonly #answer: ServerResponse;

  /** `early` is what the client sent after its head. */
  constructor(
    message: IncomingMessage,
    early: Buffer,
    connection: NodeConnection,
    acceptor: WsAcceptor,
    deps: NodeResponseDeps,
  ) {
    this.#message = message;
    this.#early = early;
    this.#connection = connection;
    this.#acceptor = acceptor;
    const answer = new ServerResponse(message);
    answer.shouldKeepAlive = false;
    answer.once('finish', () => message.socket.destroySoon());
    this.#answer = answer;
    this.response = new NodeResponse(answer, '1.1', connection, deps);
  }

  /** Its turn has come: the answers to the requests before it on its connection are complete. */
  begin(): void {
    this.#answer.assignSocket(this.#message.socket);
    // A client may send its first frames early. If it is refused they are dropped.
    this.#connection.last(true);
  }

  accept(headers: RawHeaders, extensions?: string): MessageSocket | undefined {
    const socket = this.#message.socket as Socket;
    if (this.response.over || socket.destroyed) return undefined;
    const kept = acceptedHeaders(headers);
    if (extensions !== undefined) kept.push('Sec-WebSocket-Extensions', extensions);
    const checked = checkedHeaders({ status: 101, reason: 'Switching Protocols', headers: kept }, 'switch');
    this.#answer.detachSocket(socket);
    this.#connection.handOver();
    return this.#acceptor.accept(this.#message.rawHeaders, socket, this.#early, checked);
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
