/** Loads the binary of uWebSockets.js, and declares the part of it that is used. */
import { createRequire } from 'node:module';
import { EdgeError } from '../../errors.js';

/** What the library takes as text: strings go out as UTF-8, buffers as they are. */
export type UwsText = string | Buffer;

/** A request, valid within its handler only. */
export interface UwsRequest {
  getCaseSensitiveMethod(): string;
  /** The target without its query; invalid UTF-8 comes as U+FFFD. */
  getUrl(): string;
  /** Undefined without a `?`. */
  getQuery(): string | undefined;
  /** The first field of this name, in Latin-1; empty when there is none. */
  getHeader(name: string): string;
  /** Names in lower case, values decoded as UTF-8. */
  forEach(run: (name: string, value: string) => void): void;
}

/** The answer to a request; any call after the end of the answer or of the connection throws. */
export interface UwsAnswer {
  writeStatus(text: UwsText): this;
  writeHeader(name: UwsText, value: UwsText): this;
  /** A chunk; false when bytes of earlier turns are still in the library's own, unbounded buffer. */
  write(chunk: UwsText): boolean;
  /** A part of a body of this length: whether it was taken whole, and whether the answer is complete. */
  tryEnd(chunk: UwsText, length: number): [taken: boolean, complete: boolean];
  /** Bytes that `tryEnd` has taken so far. */
  getWriteOffset(): number;
  end(body?: UwsText, closeConnection?: boolean): this;
  endWithoutBody(): this;
  close(): this;
  cork(run: () => void): this;
  onAborted(run: () => void): this;
  onWritable(run: (offset: number) => boolean): this;
  /** The chunk is detached when the call returns. */
  onData(run: (chunk: ArrayBuffer, isLast: boolean) => void): this;
  pause(): void;
  resume(): void;
  /** The certificate that the client has shown, in PEM; empty without one. Of TLS listeners only. */
  getX509Certificate?(): string;
  /** 4 or 16 bytes; none on a unix socket. */
  getRemoteAddress(): ArrayBuffer;
  /** What the connection has said by the PROXY protocol, which the library reads from everybody; empty where it has not. */
  getProxiedRemoteAddress(): ArrayBuffer;
  upgrade<T>(userData: T, key: string, protocol: string, extensions: string, context: unknown): void;
}

/** An open WebSocket; any call after its `close` event throws. */
export interface UwsWebSocket<T> {
  getUserData(): T;
  /** 1 sent, 0 buffered, 2 dropped. */
  send(message: UwsText, isBinary: boolean, compress: boolean): number;
  ping(message: UwsText): number;
  end(code?: number, reason?: UwsText): void;
  close(): void;
  getBufferedAmount(): number;
  cork(this: UwsWebSocket<T> | UwsAnswer, run: () => void): void;
}

/** What a WebSocket route is made of. */
export interface UwsWebSocketRoute<T> {
  readonly compression: number;
  readonly maxPayloadLength: number;
  readonly maxBackpressure: number;
  readonly idleTimeout: number;
  readonly sendPingsAutomatically: boolean;
  upgrade(answer: UwsAnswer, request: UwsRequest, context: unknown): void;
  open(socket: UwsWebSocket<T>): void;
  message(socket: UwsWebSocket<T>, message: ArrayBuffer, isBinary: boolean): void;
  ping(socket: UwsWebSocket<T>, message: ArrayBuffer): void;
  pong(socket: UwsWebSocket<T>, message: ArrayBuffer): void;
  drain(socket: UwsWebSocket<T>): void;
  close(socket: UwsWebSocket<T>, code: number, reason: ArrayBuffer): void;
}

/** A bound listener, or false. */
export type UwsToken = object | false;

/** Routes and their connections. Everything is written inside `cork`. */
export interface UwsApp {
  any(pattern: string, handler: (answer: UwsAnswer, request: UwsRequest) => void): this;
  ws<T>(pattern: string, route: UwsWebSocketRoute<T>): this;
  /** Called for connections: with 1 for an opened, -1 for a closed one that was not upgraded. */
  filter(run: (answer: UwsAnswer, change: number) => void): this;
  listen(host: string, port: number, options: number, done: (token: UwsToken) => void): this;
  listen_unix(done: (token: UwsToken) => void, path: string): this;
  /** Chooses the server name whose routes follow. */
  domain(name: string): this;
  addServerName(name: string, files: UwsCertificate): this;
  removeServerName(name: string): this;
  missingServerName(run: (name: string) => void): this;
  /** Cuts every connection and stops listening. */
  close(): this;
}

/** Certificate files, in PEM. */
export interface UwsCertificate {
  readonly cert_file_name?: string;
  readonly key_file_name?: string;
  /** Clients are asked for a certificate of these authorities; without one they get in, with another they do not. */
  readonly ca_file_name?: string;
  /** Of TLS 1.2. */
  readonly ssl_ciphers?: string;
}

/** The library. */
export interface UwsLibrary {
  App(): UwsApp;
  SSLApp(files: UwsCertificate): UwsApp;
  us_listen_socket_close(token: object): void;
  us_socket_local_port(token: object): number;
  readonly DISABLED: number;
  readonly SHARED_COMPRESSOR: number;
  readonly SHARED_DECOMPRESSOR: number;
  readonly LIBUS_LISTEN_EXCLUSIVE_PORT: number;
  _cfg(what: string): void;
}

const OFFICIAL = 'uWebSockets.js';

/**
 * Loads the library: the package of its own name if it is installed, else the binary of this platform and version of node.
 * Its limit of a request head is one for a process, and is set by the first call: `clientBufferSize`.
 * @throws EdgeError `ERR_EDGE_UNAVAILABLE`, which says what to install
 */
export function loadUws(
  clientBufferSize: number,
  require: NodeJS.Require = createRequire(import.meta.url),
): UwsLibrary {
  const binary = `@uwsjs/${process.platform}-${process.arch}-${process.versions.node.split('.')[0]}`;
  process.env.UWS_HTTP_MAX_HEADERS_SIZE ??= String(clientBufferSize);
  const causes: string[] = [];
  for (const name of [OFFICIAL, binary]) {
    try {
      const library = require(name) as UwsLibrary;
      // Otherwise it names itself in a field of every answer.
      library._cfg('silent');
      return library;
    } catch (error) {
      causes.push(`${name}: ${(error as Error).message.split('\n', 1)[0]}`);
    }
  }
  const tooOld = causes.map((cause) => /version `GLIBC_([\d.]+)' not found/.exec(cause)?.[1]).find(Boolean);
  if (tooOld !== undefined) {
    const { header } = process.report.getReport() as { readonly header?: { readonly glibcVersionRuntime?: string } };
    const text =
      `edge uws: the binary of uWebSockets.js for node ${process.versions.node.split('.')[0]} needs glibc ${tooOld}, and this ` +
      `system has ${header?.glibcVersionRuntime ?? 'an older one'}: use a newer system, node 20 or 22, or edge: node ` +
      `(${causes.join('; ')})`;
    throw new EdgeError('ERR_EDGE_UNAVAILABLE', text);
  }
  const text =
    `edge uws: no binary of uWebSockets.js for ${process.platform} ${process.arch} and node ${process.versions.node}: ` +
    `install ${OFFICIAL} or ${binary}, or use edge: node (${causes.join('; ')})`;
  throw new EdgeError('ERR_EDGE_UNAVAILABLE', text);
}
