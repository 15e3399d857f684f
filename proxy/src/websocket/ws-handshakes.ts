/** The handshakes of the `ws` library: those of clients, once they have been checked, and those with origins. */
import type { ClientRequest, IncomingMessage } from 'node:http';
import { Socket } from 'node:net';
import { type Containment, uncontained } from '@holdfast/control-api';
import {
  headerValue,
  headerValues,
  isFinalStatus,
  type RawHeaders,
  type ResponseHead,
  sendableReason,
} from '@holdfast/grip';
import { KeptBytes } from '../runtime/kept-bytes.js';
import { DirectWrites, streamBinding } from '../runtime/node-internals/socket-writes.js';
import { extensionsNamed } from './message-socket.js';
import { type LibraryServer, LibrarySocket, makeLibraryServer, optionsOf, type SocketSettings } from './ws-library.js';
import { type Wire, WsSocket } from './ws-socket.js';

/** The part of a client's request that the library reads: building node's own list of its fields would cost more than the rest. */
interface Asked {
  readonly method: 'GET';
  readonly url: '/';
  readonly headers: Record<string, string | undefined>;
  /** Ours: the fields of the answer beside those of the handshake. */
  readonly answer: RawHeaders;
}

/** Accepts handshakes of clients. One for a process: it holds no connections. */
export class WsAcceptor {
  readonly #server: LibraryServer;
  readonly #compression: boolean;
  readonly #direct: DirectWrites;
  readonly #faults;

  /** `direct`: left out, by what this version of node has. `faults`: left out, nothing is contained. */
  constructor(settings: SocketSettings, direct = new DirectWrites(streamBinding()), faults = uncontained) {
    this.#faults = faults;
    this.#direct = direct;
    this.#compression = settings.allowCompression;
    this.#server = makeLibraryServer(settings);
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
        const bare = { stream: wire, direct: this.#direct, handle: this.#direct.handleOf(wire), masks: false };
        accepted = new WsSocket(socket, socket.extensions === '' ? bare : undefined, this.#faults);
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

/**
 * Longest head of an origin's answer, in bytes: as for its other answers.
 *
 * @limit {} bytes of the head of an origin's answer to a handshake
 * @over the handshake fails, 502
 */
const MAX_HEAD = 65_536;

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
  readonly originConnectTimeout: number;
  /** Time for the answer to the handshake once connected, in ms; absent for no limit. */
  readonly originTimeout?: number;
  /** Longest body of an answer that is not a 101, in bytes. */
  readonly maxBody: number;
  /** Most interim answers before; with more the handshake fails. */
  readonly maxInterim: number;
}

/** Takes the outcome of one handshake: exactly one call. What it throws comes back as `faulted`. */
export interface DialHandler {
  faulted(error: unknown): void;
  dialed(socket: WsSocket, headers: RawHeaders): void;
  /** An answer other than 101; `body` is undefined when it is longer than `maxBody`. */
  refused(head: ResponseHead, body: Buffer | undefined): void;
  /** `connected`: whether the request may have reached the origin. */
  failed(error: Error, connected: boolean): void;
}

/** Fields that `ws` writes itself; and Trailer: without a body there are none, and node throws where one is named. */
const HANDSHAKE = new Set([
  'connection',
  'upgrade',
  'sec-websocket-key',
  'sec-websocket-version',
  'sec-websocket-extensions',
  'trailer',
]);

/** For all WebSockets to origins. */
let directly: DirectWrites | undefined;

/** An open WebSocket to an origin as its connection; undefined where messages may be deflated. */
function wireTo(socket: LibrarySocket, direct: DirectWrites): Wire | undefined {
  const { stream, extensions } = socket;
  if (extensions !== '' || !(stream instanceof Socket)) return undefined;
  return { stream, direct, handle: direct.handleOf(stream), masks: true };
}

/** Opens a WebSocket to an origin; the result gives the attempt up, after which the handler is not called. */
export function dialSocket(
  dial: DialRequest,
  settings: SocketSettings,
  handler: DialHandler,
  faults: Containment = uncontained,
): () => void {
  directly ??= new DirectWrites(streamBinding());
  const direct = directly;
  let over = false;
  let connected = false;
  let answer: IncomingMessage | undefined;
  const once = (call: () => void) => {
    if (over) return;
    over = true;
    try {
      call();
    } catch (error) {
      faults.caught('origin', error);
      faults.run('origin', () => handler.faulted(error));
    }
  };
  const failed = (error: Error) => once(() => handler.failed(error, connected));
  let socket: LibrarySocket;
  try {
    socket = new LibrarySocket(urlOf(dial), {
      ...optionsOf(settings),
      ...dial.connect,
      maxHeaderSize: MAX_HEAD,
      finishRequest: (request) => {
        limitWaiting(request, dial, () => {
          connected = true;
        });
        limitInterim(request, dial.maxInterim);
        try {
          writeHead(request, dial);
          request.end();
        } catch (error) {
          // Thrown on, it would leave the connection open for ever. This way it is a failure like the others.
          request.destroy(error as Error);
        }
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
    const wrapped = new WsSocket(socket, wireTo(socket, direct), faults);
    if (over) wrapped.abort();
    else once(() => handler.dialed(wrapped, rawHeaders));
  });
  socket.on('error', failed);
  socket.on('unexpected-response', (request, response) => {
    const { statusCode: status = 0, statusMessage = '', rawHeaders } = response;
    if (!isFinalStatus(status)) {
      failed(new Error(`the origin answered with status ${String(status).padStart(3, '0')}`));
      request.destroy();
      return;
    }
    const head = { status, reason: sendableReason(status, statusMessage), headers: rawHeaders };
    void readAll(response, dial.maxBody).then((body) => {
      once(() => handler.refused(head, body));
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

/** Bounds what comes before the answer; each is an object of its own, which nothing reads. */
function limitInterim(request: ClientRequest, max: number): void {
  let count = 0;
  const one = () => {
    if (++count > max) request.destroy(new Error(`more than ${max} interim answers`));
  };
  request.on('information', one).on('continue', one);
}

/** Bounds the waits of a handshake: for the connection, for the answer, and for its body if it is a refusal. */
function limitWaiting(request: ClientRequest, dial: DialRequest, onConnected: () => void): void {
  const limit = (ms: number, what: string) =>
    setTimeout(() => request.destroy(new Error(`${what} timed out`)), ms).unref();
  let timer: NodeJS.Timeout | undefined = limit(dial.originConnectTimeout, 'connecting');
  const stop = () => clearTimeout(timer);
  request.once('socket', (connection) => {
    connection.once(dial.secure ? 'secureConnect' : 'connect', () => {
      stop();
      timer = dial.originTimeout === undefined ? undefined : limit(dial.originTimeout, 'the handshake');
      onConnected();
    });
  });
  request.once('response', () => {
    stop();
    timer = dial.originTimeout === undefined ? undefined : limit(dial.originTimeout, 'the refusal');
  });
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
  const kept = new KeptBytes();
  for await (const chunk of response) {
    kept.add(chunk as Buffer);
    if (kept.length > limit) return undefined;
  }
  return kept.whole();
}
