/**
 * Owns: WebSockets of both roles on the `ws` library: its only importer. Does not own: which handshakes are accepted, or
 * what messages mean. `ws` keeps the protocol strict: masks, reserved bits and opcodes, UTF-8, close codes, sizes.
 */
import type { ClientRequest, IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { headerValue, headerValues, type RawHeaders, type ResponseHead } from '@holdfast/grip';
import WebSocket, { type PerMessageDeflateOptions, type Server, WebSocketServer } from 'ws';
import { type DirectHandle, type DirectWriter, DirectWrites, streamBinding } from '../direct-writes.js';
import { FlushQueue } from '../flush-queue.js';
import { extensionsNamed } from './extensions.js';
import type { FramePiece } from './frame-piece.js';
import type { MessageSocket, MessageType, SocketOwner } from './message-socket.js';

/** Limits and features of all sockets. */
export interface SocketSettings {
  /** Longest message in bytes, after inflation; a longer one closes the socket with 1009. */
  readonly maxMessage: number;
  /** Whether permessage-deflate (RFC 7692) is negotiated. */
  readonly compression: boolean;
  /** How long the other side has to complete a closing handshake before the connection is cut, in ms. */
  readonly closeTimeout?: number;
}

const CLOSE_TIMEOUT_MS = 5_000;

/** From so many bytes waiting on, `send` asks to be held back. */
const HIGH_WATER = 262_144;

/** Longest header of a frame, in bytes (RFC 6455 §5.2). */
const FRAME_MAX = 14;

/** More fragments than any sender makes of a message: `ws`'s own limit is low enough to be met by accident. */
const MAX_FRAGMENTS = 1_048_576;

/** Longest head of an origin's answer, in bytes: as for its other answers. */
const MAX_HEAD = 65_536;

const OPTIONS = { autoPong: false, maxFragments: MAX_FRAGMENTS, skipUTF8Validation: false };

/** No context is kept between messages, so that an idle socket costs no window memory on either side. */
const DEFLATE: PerMessageDeflateOptions = {
  serverNoContextTakeover: true,
  clientNoContextTakeover: true,
  threshold: 512,
};

/** What `ws` is told for a socket of either role. */
function optionsOf({ maxMessage, compression, closeTimeout = CLOSE_TIMEOUT_MS }: SocketSettings) {
  return { ...OPTIONS, closeTimeout, maxPayload: maxMessage, perMessageDeflate: compression && DEFLATE };
}

/** One for all sockets: what is pushed to one in a turn of the event loop is one write. */
const pushes = new FlushQueue();

/** What happens on a connection, as the arguments of `emit`; `close` last, after an `error` if there was one. */
type Happening =
  | [event: 'message', data: Buffer, isBinary: boolean]
  | [event: 'ping' | 'pong', data: Buffer]
  | [event: 'error', error: Error]
  | [event: 'close', code: number, reason: Buffer];

/**
 * The library's socket, with one listener for everything once it is taken over: a list of five for each takes as much
 * memory as the rest of an idle one. Before, its events are a handshake's and go to whoever listens.
 */
class LibrarySocket extends WebSocket {
  #taker: WsSocket | undefined;

  takenBy(taker: WsSocket): void {
    this.removeAllListeners();
    this.#taker = taker;
  }

  override emit(...happening: [event: string | symbol, ...rest: unknown[]]): boolean {
    if (this.#taker === undefined) return super.emit(...happening);
    this.#taker.happened(happening as Happening);
    return true;
  }
}

/** A connection to which encoded frames are written as they are. */
interface Wire {
  readonly stream: Duplex;
  readonly direct: DirectWrites;
  /** Undefined where frames must go through the stream. */
  readonly handle: DirectHandle | undefined;
}

/** A WebSocket of either role. */
export class WsSocket implements MessageSocket, DirectWriter {
  readonly #socket: LibrarySocket;
  /** For frames that are encoded already; undefined where they must be masked or deflated. */
  readonly #wire: Wire | undefined;
  #owner: SocketOwner | undefined;
  /** What is pushed in a turn: mostly one frame. */
  #piece: FramePiece | undefined;
  #morePieces: FramePiece[] | undefined;
  #pieceBytes = 0;
  /** Bytes that a direct write has left behind. */
  #behind = 0;
  #starved = false;
  #over = false;
  #error: Error | undefined;

  constructor(socket: LibrarySocket, wire: Wire | undefined) {
    this.#socket = socket;
    this.#wire = wire;
    socket.pause();
    socket.takenBy(this);
  }

  own(owner: SocketOwner): void {
    this.#owner = owner;
    this.#socket.resume();
  }

  send(type: MessageType, data: Buffer): boolean {
    this.flush();
    const socket = this.#socket;
    if (this.#over || socket.readyState !== WebSocket.OPEN) return true;
    // Whoever may be held back by this is told when it has gone.
    const isMuch = this.#starved || this.waiting + data.length + FRAME_MAX >= HIGH_WATER;
    const sent = isMuch ? () => this.#sent() : undefined;
    if (type === 'ping') socket.ping(data, undefined, sent);
    else if (type === 'pong') socket.pong(data, undefined, sent);
    else socket.send(data, { binary: type === 'binary' }, sent);
    if (this.waiting < HIGH_WATER) return true;
    this.#starved = true;
    return false;
  }

  push(piece: FramePiece): void {
    if (this.#over) return;
    if (this.#piece === undefined) {
      this.#piece = piece;
      pushes.addSoon(this);
    } else {
      this.#morePieces ??= [];
      this.#morePieces.push(piece);
    }
    this.#pieceBytes += piece.payload.length;
  }

  close(code?: number, reason?: Buffer): void {
    this.flush();
    if (code === undefined) this.#socket.close();
    else this.#socket.close(code, reason);
    // The other side's Close may be behind messages that nobody has read.
    this.#socket.resume();
  }

  abort(): void {
    this.#over = true;
    this.#owner = undefined;
    this.#dropPieces();
    this.#socket.terminate();
  }

  pause(): void {
    this.#socket.pause();
  }

  resume(): void {
    this.#socket.resume();
  }

  get waiting(): number {
    return this.#over ? 0 : this.#pieceBytes + this.#behind + this.#socket.bufferedAmount;
  }

  /** Writes the frames pushed so far. */
  flush(): void {
    const first = this.#piece;
    if (first === undefined) return;
    const more = this.#morePieces;
    this.#dropPieces();
    if (this.#over || this.#socket.readyState !== WebSocket.OPEN) return;
    const wire = this.#wire;
    if (wire === undefined) {
      this.send(first.type, first.payload);
      for (const piece of more ?? []) this.send(piece.type, piece.payload);
      return;
    }
    if (more === undefined && this.#writeDirectly(wire, first.frame)) return;
    const { stream } = wire;
    // Whoever is held back is held back by these too: the last of them tells.
    const sent = this.#starved ? () => this.#sent() : undefined;
    const last = more?.pop();
    if (more === undefined || last === undefined) {
      stream.write(first.frame, sent);
      return;
    }
    stream.cork();
    stream.write(first.frame);
    for (const piece of more) stream.write(piece.frame);
    stream.write(last.frame, sent);
    stream.uncork();
  }

  directlyWritten(isBroken: boolean): void {
    this.#behind = 0;
    if (isBroken) this.#wire?.stream.destroy();
    this.#sent();
  }

  /** False, with nothing written, where that cannot be: what waits must not be overtaken. */
  #writeDirectly({ direct, handle }: Wire, frame: Buffer): boolean {
    if (handle === undefined || this.#behind > 0 || this.#socket.bufferedAmount > 0) return false;
    const left = direct.write(handle, frame, this);
    if (left > 0) this.#behind = left;
    return left >= 0;
  }

  /** From the library: called by the socket that this one has taken. */
  happened(happening: Happening): void {
    switch (happening[0]) {
      case 'message':
        this.#owner?.onMessage(happening[2] ? 'binary' : 'text', happening[1]);
        break;
      case 'ping':
      case 'pong':
        this.#owner?.onMessage(happening[0], happening[1]);
        break;
      case 'error':
        this.#error = happening[1];
        break;
      case 'close':
        this.#closed(happening[1], happening[2]);
    }
  }

  #sent(): void {
    if (!this.#starved || this.waiting >= HIGH_WATER) return;
    this.#starved = false;
    this.#owner?.onWritable();
  }

  #dropPieces(): void {
    this.#piece = undefined;
    this.#morePieces = undefined;
    this.#pieceBytes = 0;
  }

  #closed(code: number, reason: Buffer): void {
    if (this.#over) return;
    this.#over = true;
    this.#dropPieces();
    const owner = this.#owner;
    this.#owner = undefined;
    // 1006 is `ws`'s word for a connection that ended without a Close frame (RFC 6455 §7.1.5).
    if (code === 1006) owner?.onLost(this.#error);
    else owner?.onClose(code === 1005 ? undefined : code, reason);
  }
}

/** What the library reads of a client's request: to make node's own list of its fields would cost more than the rest. */
interface Asked {
  readonly method: 'GET';
  readonly url: '/';
  readonly headers: Record<string, string | undefined>;
  /** Ours: the fields of the answer beside those of the handshake. */
  readonly answer: RawHeaders;
}

/** Accepts handshakes of clients. One for a process: it holds no connections. */
export class WsAcceptor {
  readonly #server: Server<typeof LibrarySocket>;
  readonly #compression: boolean;
  readonly #direct: DirectWrites;

  /** `direct`: left out, by what this version of node has. */
  constructor(settings: SocketSettings, direct = new DirectWrites(streamBinding())) {
    this.#direct = direct;
    this.#compression = settings.compression;
    this.#server = new WebSocketServer({
      WebSocket: LibrarySocket,
      ...optionsOf(settings),
      noServer: true,
      clientTracking: false,
    });
    this.#server.on('headers', (lines, request) => {
      const { answer } = request as unknown as Asked;
      for (let i = 0; i < answer.length; i += 2) lines.push(`${answer[i]}: ${answer[i + 1]}`);
    });
    // With a listener `ws` leaves the answer to it: here, to `accept`.
    this.#server.on('wsClientError', () => {});
  }

  /**
   * Writes the 101 with these header fields beside those of the handshake; undefined when the client has gone. `asked` are
   * the fields of the handshake, which must have been checked before; `early` is what came after the request's head.
   */
  accept(asked: RawHeaders, wire: Socket, early: Buffer, answer: RawHeaders): WsSocket | undefined {
    let accepted: WsSocket | undefined;
    const upgrade = (offer: string | undefined) => {
      // Without the offer of subprotocols: that is between client and origin, and `ws` would judge it.
      const headers = {
        upgrade: 'websocket',
        'sec-websocket-key': headerValue(asked, 'sec-websocket-key'),
        'sec-websocket-version': '13',
        'sec-websocket-extensions': offer,
      };
      const request: Asked = { method: 'GET', url: '/', headers, answer };
      this.#server.handleUpgrade(request as unknown as IncomingMessage, wire, early, (socket) => {
        const bare = { stream: wire, direct: this.#direct, handle: this.#direct.handleOf(wire) };
        accepted = new WsSocket(socket, socket.extensions === '' ? bare : undefined);
      });
    };
    // Header fields are Latin-1, and `ws` writes the head as a string in the default encoding.
    wire.setDefaultEncoding('latin1');
    const offered = this.#compression ? headerValues(asked, 'sec-websocket-extensions') : [];
    upgrade(offered.length === 0 ? undefined : offered.join(', '));
    // What is left for `ws` to refuse is an offer of compression that it cannot take: it is declined (RFC 7692 §5.1).
    if (accepted === undefined && !wire.destroyed) upgrade(undefined);
    wire.setDefaultEncoding('utf8');
    if (accepted === undefined) wire.destroy();
    return accepted;
  }
}

/** One handshake to an origin. */
export interface DialRequest {
  readonly secure: boolean;
  readonly host: string;
  readonly port: number;
  /** Path and query, sent as they are. */
  readonly path: string;
  /** All fields but those of the handshake itself; Sec-WebSocket-Protocol among them if subprotocols are offered. */
  readonly headers: RawHeaders;
  /** Extensions to offer beside permessage-deflate; empty for none. */
  readonly extension: string;
  /** Options for node's net.connect and tls.connect. */
  readonly connect: object;
  /** Time for connecting, in ms. */
  readonly connectTimeout: number;
  /** Time for the answer to the handshake once connected, in ms; absent for no limit. */
  readonly answerTimeout?: number;
  /** Longest body of an answer that is not a 101, in bytes. */
  readonly maxBody: number;
}

/** Hears of one handshake: exactly one call. */
export interface DialHandler {
  dialed(socket: WsSocket, headers: RawHeaders): void;
  /** An answer other than 101; `body` is undefined when it is longer than `maxBody`. */
  refused(head: ResponseHead, body: Buffer | undefined): void;
  /** `connected` tells whether the request may have reached the origin. */
  failed(error: Error, connected: boolean): void;
}

/** Fields that `ws` writes itself. */
const HANDSHAKE = new Set([
  'connection',
  'upgrade',
  'sec-websocket-key',
  'sec-websocket-version',
  'sec-websocket-extensions',
]);

/** Opens a WebSocket to an origin; the result gives the attempt up, after which the handler hears nothing. */
export function dialSocket(dial: DialRequest, settings: SocketSettings, handler: DialHandler): () => void {
  let over = false;
  let connected = false;
  let answer: IncomingMessage | undefined;
  const once = (call: () => void) => {
    if (over) return;
    over = true;
    call();
  };
  const failed = (error: Error) => once(() => handler.failed(error, connected));
  let socket: LibrarySocket;
  try {
    socket = new LibrarySocket(urlOf(dial), {
      ...optionsOf(settings),
      ...dial.connect,
      maxHeaderSize: MAX_HEAD,
      finishRequest: (request) => {
        writeHead(request, dial);
        limitWaiting(request, dial, () => {
          connected = true;
        });
        request.end();
      },
    });
  } catch (error) {
    // A host that no URL can hold.
    queueMicrotask(() => failed(error as Error));
    return () => {
      over = true;
    };
  }
  socket.on('upgrade', (response) => {
    answer = response;
    hideFrom(response);
  });
  socket.on('open', () => {
    const { rawHeaders } = answer as IncomingMessage;
    const wrapped = new WsSocket(socket, undefined);
    if (over) wrapped.abort();
    else once(() => handler.dialed(wrapped, rawHeaders));
  });
  socket.on('error', failed);
  socket.on('unexpected-response', (request, response) => {
    void readAll(response, dial.maxBody).then((body) => {
      const { statusCode = 502, statusMessage = '', rawHeaders } = response;
      once(() => handler.refused({ status: statusCode, reason: statusMessage, headers: rawHeaders }, body));
      request.destroy();
    }, failed);
  });
  return () => {
    over = true;
    socket.terminate();
  };
}

function urlOf({ secure, host, port }: DialRequest): string {
  return `${secure ? 'wss' : 'ws'}://${host.includes(':') ? `[${host}]` : host}:${port}/`;
}

/** Bounds the two waits of a handshake: for the connection, and then for the answer. */
function limitWaiting(request: ClientRequest, dial: DialRequest, onConnected: () => void): void {
  const limit = (ms: number, what: string) =>
    setTimeout(() => request.destroy(new Error(`${what} timed out`)), ms).unref();
  let timer: NodeJS.Timeout | undefined = limit(dial.connectTimeout, 'connecting');
  const stop = () => clearTimeout(timer);
  request.once('socket', (connection) => {
    connection.once(dial.secure ? 'secureConnect' : 'connect', () => {
      stop();
      timer = dial.answerTimeout === undefined ? undefined : limit(dial.answerTimeout, 'the handshake');
      onConnected();
    });
  });
  request.once('response', stop);
  request.once('upgrade', stop);
  request.once('close', stop);
}

/** `ws` would refuse what it has not offered itself: a subprotocol that the client asked for, and `grip`. */
function hideFrom({ headers }: IncomingMessage): void {
  delete headers['sec-websocket-protocol'];
  const known = extensionsNamed([headers['sec-websocket-extensions'] ?? ''], 'permessage-deflate');
  if (known.length > 0) headers['sec-websocket-extensions'] = known.join(', ');
  else delete headers['sec-websocket-extensions'];
}

function writeHead(request: ClientRequest, dial: DialRequest): void {
  request.path = dial.path;
  const values = new Map<string, { name: string; values: string[] }>();
  for (let i = 0; i < dial.headers.length; i += 2) {
    const name = dial.headers[i] as string;
    const lower = name.toLowerCase();
    if (HANDSHAKE.has(lower)) continue;
    const known = values.get(lower) ?? { name, values: [] };
    known.values.push(dial.headers[i + 1] as string);
    values.set(lower, known);
  }
  for (const field of values.values()) {
    request.setHeader(field.name, field.values.length === 1 ? (field.values[0] as string) : field.values);
  }
  const offered = request.getHeader('Sec-WebSocket-Extensions');
  const all = [dial.extension, offered].filter((extension) => extension !== undefined && extension !== '');
  if (all.length > 0) request.setHeader('Sec-WebSocket-Extensions', all.join(', '));
}

async function readAll(response: IncomingMessage, limit: number): Promise<Buffer | undefined> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of response) {
    bytes += (chunk as Buffer).length;
    if (bytes > limit) return undefined;
    chunks.push(chunk as Buffer);
  }
  return Buffer.concat(chunks);
}
