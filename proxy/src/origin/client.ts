/**
 * Owns: requests to HTTP targets over pooled connections: the only importer of undici. Does not own: which target, what
 * headers, or what is done with the answer.
 *
 * undici's raw handler interface is used because it gives header pairs as they came, before anything is parsed into
 * objects, and flow control by return value; nothing is allocated per request beyond one `HttpCall`.
 */
import { isIP } from 'node:net';
import type { ResponseHead } from '@holdfast/grip';
import { buildConnector, Client, type Dispatcher } from 'undici';
import type { HttpTarget } from '../routes/target.js';
import { connectOptions, isBlocked } from './connect-options.js';
import { blockedError, OriginError } from './errors.js';
import { guardedConnect } from './guarded-connect.js';
import type { Origin, OriginCall, OriginHandler, OriginRequest } from './origin.js';
import { OriginConnections } from './origin-connections.js';

/** How origins are talked to. Times in ms. */
export interface OriginClientOptions {
  readonly connectTimeout: number;
  /** Longest silence of an origin, before its head and in its body. */
  readonly inactivityTimeout: number;
  /** How long an unused connection is kept. */
  readonly keepAliveTimeout: number;
  /** Longest response head in bytes. */
  readonly maxHeaderBytes: number;
  /** Whether another connection may be opened; absent: always. */
  readonly admits?: () => boolean;
}

/** How long requests under way may go on when the client is closed, in ms. */
const CLOSE_GRACE_MS = 3_000;

/** TLS pools are kept per server name; names come from clients, so their number is bounded. */
const MAX_TLS_POOLS = 512;

/** Connections to all HTTP targets: keyed by target, and for TLS by the name that the certificate must bear. */
export class OriginClient {
  readonly #options: OriginClientOptions;
  readonly #plain = new Map<string, PooledOrigin>();
  readonly #tls = new Map<string, PooledOrigin>();
  #closed: Promise<void> | undefined;

  constructor(options: OriginClientOptions) {
    this.#options = options;
  }

  /** The origin behind a target, for requests that carry `host` as their Host header. */
  origin(target: HttpTarget, host: string): Origin {
    if (target.ssl) return this.#tlsOrigin(target, host);
    const key = `${target.host}|${target.port}|${target.untrusted}`;
    let origin = this.#plain.get(key);
    if (origin === undefined) {
      origin = new PooledOrigin(target, this.#options);
      this.#plain.set(key, origin);
    }
    return origin;
  }

  /** Closes every connection; requests under way have a moment to complete, then they fail. */
  close(): Promise<void> {
    this.#closed ??= this.#close();
    return this.#closed;
  }

  async #close(): Promise<void> {
    const origins = [...this.#plain.values(), ...this.#tls.values()];
    let timer: NodeJS.Timeout | undefined;
    const grace = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, CLOSE_GRACE_MS);
    });
    // What is still to be said, such as that sessions are over, is said.
    await Promise.race([Promise.all(origins.map((origin) => origin.close())), grace]);
    clearTimeout(timer);
    await Promise.all(origins.map((origin) => origin.destroy()));
  }

  #tlsOrigin(target: HttpTarget, host: string): Origin {
    const parts = [target.host, target.port, target.untrusted, target.insecure, target.trustConnectHost];
    const key = [...parts, target.clientCert, target.clientKey, host.toLowerCase()].join('|');
    let origin = this.#tls.get(key);
    // Most recently used last, so that the first is the one to let go.
    if (origin !== undefined) this.#tls.delete(key);
    else {
      try {
        origin = new PooledOrigin(target, this.#options);
      } catch (cause) {
        // A client certificate that cannot be read: tried again for the next request.
        const error = new OriginError('ERR_ORIGIN_CONNECT', (cause as Error).message, 'connect', { cause });
        return { dispatch: (_, handler) => failing(handler, error) };
      }
    }
    this.#tls.set(key, origin);
    if (this.#tls.size > MAX_TLS_POOLS) {
      const [oldest, unused] = this.#tls.entries().next().value as [string, PooledOrigin];
      this.#tls.delete(oldest);
      void unused.close();
    }
    return origin;
  }
}

const always = () => true;

class PooledOrigin implements Origin {
  readonly #connections: OriginConnections<Dispatcher.DispatchOptions, Dispatcher.DispatchHandler>;
  readonly #blocked: boolean;
  #closed = false;

  constructor(target: HttpTarget, options: OriginClientOptions) {
    const name = isIP(target.host) === 6 ? `[${target.host}]` : target.host;
    const url = `${target.ssl ? 'https' : 'http'}://${name}:${target.port}`;
    this.#blocked = isBlocked(target);
    const settings = {
      pipelining: 1,
      allowH2: false,
      headersTimeout: options.inactivityTimeout,
      bodyTimeout: options.inactivityTimeout,
      keepAliveTimeout: options.keepAliveTimeout,
      maxHeaderSize: options.maxHeaderBytes,
      connect: guardedConnect(
        buildConnector({ allowH2: false, timeout: options.connectTimeout, ...connectOptions(target) }),
        options.admits ?? always,
      ),
    };
    this.#connections = new OriginConnections(() => new Client(url, settings));
  }

  dispatch(request: OriginRequest, handler: OriginHandler): OriginCall {
    if (this.#blocked) return failing(handler, blockedError());
    if (this.#closed) return failing(handler, new OriginError('ERR_ORIGIN_CONNECT', 'The client is closed', 'connect'));
    const call = new HttpCall(handler);
    const { method, path, headers, body } = request;
    this.#connections.dispatch({ method: method as Dispatcher.HttpMethod, path, headers, body }, call);
    call.dispatched = true;
    return call;
  }

  close(): Promise<void> {
    this.#closed = true;
    return this.#connections.close();
  }

  destroy(): Promise<void> {
    this.#closed = true;
    return this.#connections.destroy();
  }
}

/** A request that has failed before it could be sent. */
function failing(handler: OriginHandler, error: OriginError): OriginCall {
  const call = new HttpCall(handler);
  queueMicrotask(() => call.fail(error));
  return call;
}

/** One request on a pool: undici's handler on one side, the proxy's on the other. */
class HttpCall implements OriginCall, Dispatcher.DispatchHandler {
  /** False while undici's `dispatch` runs: it may report a bad argument from within. */
  dispatched = false;
  readonly #handler: OriginHandler;
  #abort: ((error?: Error) => void) | undefined;
  #resume: (() => void) | undefined;
  #connected = false;
  /** Of the final answer; 0 while there is none. */
  #status = 0;
  #over = false;

  constructor(handler: OriginHandler) {
    this.#handler = handler;
  }

  resume(): void {
    this.#resume?.();
  }

  abort(): void {
    if (this.#over) return;
    this.#over = true;
    this.#abort?.();
  }

  fail(error: OriginError): void {
    if (this.#over) return;
    this.#over = true;
    this.#handler.onError(error);
  }

  onConnect(abort: (error?: Error) => void): void {
    this.#connected = true;
    this.#abort = abort;
    if (this.#over) abort();
  }

  onHeaders(status: number, raw: Buffer[], resume: () => void, reason: string): boolean {
    if (this.#over) return true;
    const headers: string[] = [];
    let length: number | undefined;
    for (let i = 0; i < raw.length; i += 2) {
      const name = (raw[i] as Buffer).toString('latin1');
      const value = (raw[i + 1] as Buffer).toString('latin1');
      if (name.length === 14 && name.toLowerCase() === 'content-length') length = Number(value);
      headers.push(name, value);
    }
    const head: ResponseHead = { status, reason, headers };
    if (status < 200) this.#handler.onInformation(head);
    else {
      this.#status = status;
      this.#resume = resume;
      this.#handler.onHead(head, length);
    }
    return true;
  }

  onData(chunk: Buffer): boolean {
    return this.#over || this.#handler.onData(chunk);
  }

  onComplete(): void {
    if (this.#over) return;
    this.#over = true;
    this.#handler.onEnd();
  }

  onError(cause: Error & { code?: string }): void {
    // undici misses the body that the length of a 304 speaks of (RFC 9110 §8.6), once all of the answer is there.
    if (this.#status === 304 && cause.code === 'UND_ERR_RES_CONTENT_LENGTH_MISMATCH') {
      this.onComplete();
      return;
    }
    const error = classify(cause, this.#connected, this.#status !== 0);
    if (this.dispatched) this.fail(error);
    else queueMicrotask(() => this.fail(error));
  }
}

/** Names the failure behind one of undici's or the system's errors. */
function classify(cause: Error & { code?: string }, connected: boolean, headSeen: boolean): OriginError {
  const code = cause.code ?? '';
  const options = { cause };
  if (cause instanceof OriginError) return cause;
  if (code === 'UND_ERR_INVALID_ARG' || code === 'UND_ERR_NOT_SUPPORTED' || code.startsWith('UND_ERR_REQ_')) {
    return new OriginError('ERR_ORIGIN_REQUEST', cause.message, 'no', options);
  }
  if (!connected) return new OriginError('ERR_ORIGIN_CONNECT', cause.message, 'connect', options);
  if (code === 'UND_ERR_HEADERS_TIMEOUT' || code === 'UND_ERR_BODY_TIMEOUT') {
    return new OriginError('ERR_ORIGIN_TIMEOUT', cause.message, 'no', options);
  }
  if (code === 'UND_ERR_SOCKET' && !cause.message.startsWith('bad')) {
    // A connection that has carried an answer before and is closed without a byte of this one was closed while idle.
    const { bytesRead } = (cause as { socket?: { bytesRead?: number } }).socket ?? {};
    const stale = !headSeen && bytesRead !== undefined && bytesRead > 0;
    return new OriginError('ERR_ORIGIN_CLOSED', cause.message, stale ? 'stale' : 'no', options);
  }
  if (code === 'ECONNRESET' || code === 'EPIPE') {
    return new OriginError('ERR_ORIGIN_CLOSED', cause.message, headSeen ? 'no' : 'stale', options);
  }
  if (code !== '' && !code.startsWith('HPE_') && !code.startsWith('UND_ERR_')) {
    return new OriginError('ERR_ORIGIN_CLOSED', cause.message, 'no', options);
  }
  return new OriginError('ERR_ORIGIN_MALFORMED', cause.message, 'no', options);
}
