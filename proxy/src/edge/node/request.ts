/** A request on the node edge: its body, its WebSocket handshake, and what of it is read from node's message. */
import { type IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { headerValue, type RawHeaders } from '@holdfast/grip';
import type { MessageSocket } from '../../websocket/message-socket.js';
import type { WsAcceptor } from '../../websocket/ws-handshakes.js';
import { acceptedHeaders, checkedHeaders } from '../client-headers.js';
import { type BodySink, type ClientBody, type ClientHandshake, UNKNOWN_ADDRESS } from '../port.js';
import { checkMethodAt, headTooLong, malformed, type Refusal, type RequestHead } from '../request-check.js';
import { NodeConnection } from './connection.js';
import { NodeResponse } from './response.js';
import type { NodeResponseDeps } from './response-deps.js';

/** A body carried by node's `IncomingMessage`. Node itself enforces the declared length. */
class NodeBody implements ClientBody {
  readonly length: number | undefined;
  readonly #message: IncomingMessage;
  readonly #faulted: (error: unknown) => void;
  #onRead: (() => void) | undefined;
  #dropped = false;
  #broken = false;
  #finish: ((ended: boolean) => void) | undefined;

  /**
   * `onRead` is called once when the body is first asked for: the moment for `100 Continue`. `faulted` takes what its reader
   * throws.
   */
  constructor(
    message: IncomingMessage,
    length: number | undefined,
    faulted: (error: unknown) => void,
    onRead?: () => void,
  ) {
    this.#message = message;
    this.#faulted = faulted;
    this.length = length;
    this.#onRead = onRead;
  }

  read(sink: BodySink): void {
    this.#onRead?.();
    this.#onRead = undefined;
    let open = true;
    const finish = (ended: boolean) => {
      if (!open) return;
      open = false;
      try {
        if (ended) sink.onEnd(this.#message.rawTrailers);
        else sink.onAbort();
      } catch (error) {
        this.#faulted(error);
      }
    };
    // A message that broke before it was read emits nothing any more.
    if (this.#broken || (this.#message.destroyed && !this.#message.readableEnded)) {
      queueMicrotask(() => finish(false));
      return;
    }
    this.#finish = finish;
    this.#message.on('data', (chunk: Buffer) => {
      if (!open || this.#dropped) return;
      try {
        sink.onData(chunk);
      } catch (error) {
        open = false;
        this.#faulted(error);
      }
    });
    this.#message.on('end', () => finish(true));
    this.#message.on('error', () => finish(false));
    this.#message.on('close', () => finish(false));
  }

  pause(): void {
    if (!this.#dropped) this.#message.pause();
  }

  resume(): void {
    this.#message.resume();
  }

  /** The rest will not come: the client has gone, or sent something malformed. */
  break(): void {
    this.#broken = true;
    this.#finish?.(false);
  }

  /**
   * Discards the rest, paused or not: the answer is complete, and the next request of the connection comes after this body.
   */
  drop(): void {
    this.#dropped = true;
    this.#message.resume();
  }
}

/** A handshake under way on a socket that node has handed over. */
export class NodeHandshake implements ClientHandshake {
  readonly response: NodeResponse;
  readonly #message: IncomingMessage;
  readonly #early: Buffer;
  readonly #connection: NodeConnection;
  readonly #acceptor: WsAcceptor;
  readonly #answer: ServerResponse;
  readonly #deps: NodeResponseDeps;

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
    this.#deps = deps;
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
    this.#deps.writes.delete(socket);
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

/** The body of a request, which ends with its answer; undefined where it has none. */
export function readBody(
  message: IncomingMessage,
  answer: ServerResponse,
  response: NodeResponse,
  expectsContinue: boolean,
): NodeBody | undefined {
  const length = headerValue(message.rawHeaders, 'content-length');
  const chunked = headerValue(message.rawHeaders, 'transfer-encoding') !== undefined;
  if (!chunked && (length === undefined || Number(length) === 0)) return undefined;
  const onRead = expectsContinue ? continuation(answer, response) : undefined;
  const body = new NodeBody(message, chunked ? undefined : Number(length), (error) => response.faulted(error), onRead);
  response.body = body;
  answer.once('finish', () => body.drop());
  return body;
}

/** Sends 100 Continue when called: once the body is read. */
function continuation(answer: ServerResponse, response: NodeResponse): () => void {
  const { shouldKeepAlive } = answer;
  // Before the 100 the client may send its next request or the body: only a close keeps them apart.
  answer.shouldKeepAlive = false;
  return () => {
    if (answer.headersSent || response.over) return;
    answer.shouldKeepAlive = shouldKeepAlive;
    answer.writeContinue();
  };
}

/** The address as an operator writes it: IPv4 without the IPv6 mapping; see `ClientRequest` for one that is not known. */
export function plainAddress(address: string | undefined, isLocal = false): string {
  if (address === undefined) return isLocal ? '' : UNKNOWN_ADDRESS;
  return address.startsWith('::ffff:') ? address.slice(7) : address;
}

/** The client's address: of its end of the connection, or as a load balancer has named it. */
export function addressOf(socket: Socket): string {
  const connection = NodeConnection.of(socket);
  return connection?.proxiedClient?.address ?? plainAddress(socket.remoteAddress, connection?.rules.isLocal);
}

/** The parts of a message that are checked. */
export function headOf(message: IncomingMessage): RequestHead {
  return {
    method: message.method as string,
    target: message.url as string,
    version: message.httpVersion,
    headers: message.rawHeaders,
  };
}

/** The error of node's parser for bytes that it rejects. */
interface ParserError extends NodeJS.ErrnoException {
  /** What was being parsed. */
  readonly rawPacket?: Buffer;
  /** How far it came. */
  readonly bytesParsed?: number;
}

/** The answer to bytes that node's parser rejects, or to a head that is slow to come. */
export function parserRefusal(error: ParserError, clientBufferSize: number): Refusal {
  const { code, message, rawPacket, bytesParsed = 0 } = error;
  if (code === 'ERR_HTTP_REQUEST_TIMEOUT') return { status: 408, text: 'Request timed out.\n' };
  if (code === 'HPE_HEADER_OVERFLOW') return headTooLong(clientBufferSize);
  const refusal =
    code === 'HPE_INVALID_METHOD' && rawPacket !== undefined ? checkMethodAt(rawPacket, bytesParsed) : undefined;
  if (refusal !== undefined) return refusal;
  const text = message.replace(/^Parse Error: /, '');
  return malformed(text.charAt(0).toLowerCase() + text.slice(1));
}
