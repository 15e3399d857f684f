/**
 * Owns: requests to HTTP targets over pooled connections: the only importer of undici. Does not own: which target, what
 * headers, or what is done with the answer.
 *
 * undici's raw handler interface is used because it gives header pairs as they came, before anything is parsed into
 * objects, and flow control by return value; nothing is allocated per request beyond one `HttpCall`.
 */
import { isIP, type LookupFunction } from 'node:net';
import type { Readable } from 'node:stream';
import { type Containment, uncontained } from '@holdfast/control-api';
import { headerValue, isFinalStatus, isInterimStatus, type ResponseHead, sendableReason } from '@holdfast/grip';
import { buildConnector, Client, type Dispatcher } from 'undici';
import { realClock } from '../clock.js';
import { withoutRoot } from '../routes/host-name.js';
import type { HttpTarget } from '../routes/target.js';
import { withAnswerFraming } from './answer-framing.js';
import { connectOptions, isBlocked } from './connect-options.js';
import { blockedError, faultError, OriginError } from './errors.js';
import { guardedConnect } from './guarded-connect.js';
import { withLastWords } from './last-words.js';
import type { Origin, OriginCall, OriginHandler, OriginRequest } from './origin.js';
import { OriginConnections } from './origin-connections.js';
import { withReasonBytes } from './reason-bytes.js';
import type { Connect } from './undici-parser.js';
import { type Framing, frameUpload } from './upload-framing.js';

/** How origins are talked to. Times in ms. */
export interface OriginClientOptions {
  readonly connectTimeout: number;
  /** Longest silence of an origin, before its head and in its body. */
  readonly inactivityTimeout: number;
  /** How long an unused connection is kept where its origin does not say. */
  readonly keepAliveTimeout: number;
  /** After this a connection takes no further request, so that names are looked up again. Left out: never. */
  readonly maxAge?: number;
  /** How names are looked up; only tests give other than the system's way. */
  readonly lookup?: LookupFunction;
  /** Longest response head in bytes. */
  readonly maxHeaderBytes: number;
  /** Left out: nothing is contained. */
  readonly faults?: Containment;
  /** Whether another connection may be opened; absent: always. */
  readonly admits?: () => boolean;
}

/** How long requests under way may go on when the client is closed, in ms. */
const CLOSE_GRACE_MS = 3_000;

/**
 * Most interim answers to one request, and what they may have in all, in bytes of names and values: as much as the head of
 * one final answer. They are passed on as they come, whether or not the client reads, so that this is also what waits for it.
 * An origin that sends more is broken off.
 */
export const INTERIM_MAX = 100;
export const INTERIM_BYTES_MAX = 65_536;

/**
 * Pools without TLS. There is one for each target, and for each port of `link_hosts` that an origin has named; beyond, the
 * first is closed when idle, and made anew when it is needed.
 */
export const MAX_PLAIN_POOLS = 4_096;

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
      if (this.#plain.size > MAX_PLAIN_POOLS) letFirstGo(this.#plain);
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
        origin = new PooledOrigin(target, this.#options, rootedName(host));
      } catch (cause) {
        // A client certificate that cannot be read: tried again for the next request.
        const error = new OriginError('ERR_ORIGIN_CONNECT', (cause as Error).message, 'connect', { cause });
        return { dispatch: (_, handler) => failing(handler, error, this.#options.faults ?? uncontained) };
      }
    }
    this.#tls.set(key, origin);
    if (this.#tls.size > MAX_TLS_POOLS) letFirstGo(this.#tls);
    return origin;
  }
}

function letFirstGo(pools: Map<string, PooledOrigin>): void {
  const [key, pool] = pools.entries().next().value as [string, PooledOrigin];
  pools.delete(key);
  void pool.close();
}

const always = () => true;

/** A connector whose connections read answers as they are to be read here. */
const reading = <Options>(connect: Connect<Options>) => withReasonBytes(withAnswerFraming(withLastWords(connect)));

class PooledOrigin implements Origin {
  readonly #connections: OriginConnections<Dispatcher.DispatchOptions, Dispatcher.DispatchHandler>;
  readonly #blocked: boolean;
  readonly #faults: Containment;
  readonly #headTimeout: number;
  /** For TLS, where it is not that of the Host field. */
  readonly #serverName: string | undefined;
  #closed = false;

  constructor(target: HttpTarget, options: OriginClientOptions, serverName?: string) {
    this.#serverName = serverName;
    const name = isIP(target.host) === 6 ? `[${target.host}]` : target.host;
    const url = `${target.ssl ? 'https' : 'http'}://${name}:${target.port}`;
    this.#blocked = isBlocked(target);
    this.#faults = options.faults ?? uncontained;
    this.#headTimeout = options.inactivityTimeout;
    const connect = buildConnector({
      allowH2: false,
      timeout: options.connectTimeout,
      ...connectOptions(target, options.lookup),
    });
    const settings = {
      pipelining: 1,
      allowH2: false,
      headersTimeout: options.inactivityTimeout,
      bodyTimeout: options.inactivityTimeout,
      keepAliveTimeout: options.keepAliveTimeout,
      maxHeaderSize: options.maxHeaderBytes,
      connect: reading(guardedConnect(connect, options.admits ?? always) as Connect<never>) as typeof connect,
    };
    this.#connections = new OriginConnections(() => new Client(url, settings), options.maxAge);
  }

  dispatch(request: OriginRequest, handler: OriginHandler): OriginCall {
    if (this.#blocked) return failing(handler, blockedError(), this.#faults);
    if (this.#closed) {
      return failing(handler, new OriginError('ERR_ORIGIN_CONNECT', 'The client is closed', 'connect'), this.#faults);
    }
    const { method, path, headers, body, trailers } = request;
    const call = new HttpCall(handler, this.#headTimeout, body, this.#faults);
    if (body !== null && !Buffer.isBuffer(body)) {
      call.framing = { length: headerValue(headers, 'content-length'), trailers };
    }
    const options = { method: method as Dispatcher.HttpMethod, path, headers, body, servername: this.#serverName };
    this.#connections.dispatch(options as Dispatcher.DispatchOptions, call);
    call.pool = this;
    call.dispatched = true;
    return call;
  }

  closeIdle(): void {
    this.#connections.closeIdle();
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

/** The name in a Host value that ends in the dot of the root, without it and the port: undici would ask for it with the dot. */
function rootedName(host: string): string | undefined {
  const name = host.replace(/:\d+$/, '');
  return name.endsWith('.') ? withoutRoot(name) : undefined;
}

/** A request that has failed before it could be sent. */
function failing(handler: OriginHandler, error: OriginError, faults: Containment): OriginCall {
  const call = new HttpCall(handler, 0, null, faults);
  queueMicrotask(() => call.fail(error));
  return call;
}

/** One request on a pool: undici's handler on one side, the proxy's on the other. */
class HttpCall implements OriginCall, Dispatcher.DispatchHandler {
  /** False while undici's `dispatch` runs: it may report a bad argument from within. */
  dispatched = false;
  /** Of a body that is a stream. */
  framing: Framing | undefined;
  /** Whose connection it is on. */
  pool: Pick<PooledOrigin, 'closeIdle'> | undefined;
  readonly #handler: OriginHandler;
  readonly #headTimeout: number;
  #body: OriginRequest['body'];
  readonly #faults: Containment;
  #abort: ((error?: Error) => void) | undefined;
  #resume: (() => void) | undefined;
  #connected = false;
  /** When the request was on a connection; ms. */
  #since = 0;
  /** Undefined while there was none. */
  #interim: Interim | undefined;
  /** Of the final answer; 0 while there is none. */
  #status = 0;
  #over = false;

  /** `headTimeout` in ms, since the request was on a connection. */
  constructor(handler: OriginHandler, headTimeout: number, body: OriginRequest['body'], faults: Containment) {
    this.#handler = handler;
    this.#headTimeout = headTimeout;
    this.#body = body;
    this.#faults = faults;
  }

  resume(): void {
    this.#resume?.();
  }

  abort(): void {
    if (this.#over) return;
    this.#end();
    this.#abort?.();
  }

  fail(error: OriginError): void {
    if (this.#over) return;
    this.#end();
    try {
      this.#handler.onError(error);
    } catch (fault) {
      this.#faults.caught('origin', fault, this.#handler);
    }
  }

  /** After a fault in what the handler has done: the request is over, and the handler learns so as of any failure. */
  #fault(error: unknown): void {
    this.#faults.caught('origin', error);
    if (this.#over) return;
    // In this order: giving a request up is told as an error of its own.
    this.fail(faultError(error));
    this.#abort?.();
  }

  onConnect(abort: (error?: Error) => void): void {
    this.#connected = true;
    this.#since = realClock.monotonic();
    this.#abort = abort;
    const body = this.#body;
    if (this.#over) abort();
    else if (this.framing !== undefined) frameUpload(body as Readable, this.framing);
  }

  onHeaders(status: number, raw: Buffer[], resume: () => void, reason: string): boolean {
    if (this.#over) return true;
    const isFinal = isFinalStatus(status);
    if (!isFinal && !isInterimStatus(status)) {
      this.#refuse(`the origin answered with status ${String(status).padStart(3, '0')}`);
      return true;
    }
    const headers: string[] = [];
    let length: number | undefined;
    for (let i = 0; i < raw.length; i += 2) {
      const name = (raw[i] as Buffer).toString('latin1');
      const value = (raw[i + 1] as Buffer).toString('latin1');
      if (name.length === 14 && name.toLowerCase() === 'content-length') length = Number(value);
      headers.push(name, value);
    }
    const head: ResponseHead = { status, reason: sendableReason(status, reason), headers };
    try {
      if (!isFinal) this.#inform(head);
      else {
        clearTimeout(this.#interim?.timer);
        this.#status = status;
        this.#resume = resume;
        // A 204 has no body, whatever it says (RFC 9110 §8.6).
        this.#handler.onHead(head, status === 204 ? undefined : length);
      }
    } catch (error) {
      this.#fault(error);
    }
    return true;
  }

  /** An answer that is none: its connection is not used again. */
  #refuse(why: string): void {
    const abort = this.#abort;
    this.fail(new OriginError('ERR_ORIGIN_MALFORMED', why, 'no'));
    abort?.();
  }

  onData(chunk: Buffer): boolean {
    try {
      return this.#over || this.#handler.onData(chunk);
    } catch (error) {
      this.#fault(error);
      return true;
    }
  }

  /** undici declares strings, and gives bytes. */
  onComplete(trailers: readonly (Buffer | string)[] | null): void {
    if (this.#over) return;
    this.#end();
    try {
      if (trailers === null || trailers.length === 0) this.#handler.onEnd();
      else this.#handler.onEnd(trailers.map((text) => (typeof text === 'string' ? text : text.toString('latin1'))));
    } catch (error) {
      this.#faults.caught('origin', error);
      this.#over = false;
      this.fail(faultError(error));
    }
  }

  onError(cause: Error & { code?: string }): void {
    const error = classify(cause, this.#connected, this.#status !== 0);
    // Those that are kept have been idle for longer than this one was: the same request is not to meet another such.
    if (error.repeat === 'stale') this.pool?.closeIdle();
    if (this.dispatched) this.fail(error);
    else queueMicrotask(() => this.fail(error));
  }

  #end(): void {
    this.#over = true;
    // Whoever keeps the call does not keep the body.
    this.#body = null;
    clearTimeout(this.#interim?.timer);
  }

  /** Passes an interim answer on, unless the origin makes too much of them. */
  #inform(head: ResponseHead): void {
    this.#interim ??= { count: 0, bytes: 0, timer: this.#limitHead(realClock.monotonic() - this.#since) };
    const interim = this.#interim;
    interim.count++;
    for (const text of head.headers) interim.bytes += text.length;
    if (interim.count > INTERIM_MAX) this.#break(tooMuch(`more than ${INTERIM_MAX} interim answers`));
    else if (interim.bytes > INTERIM_BYTES_MAX) {
      this.#break(tooMuch(`more than ${INTERIM_BYTES_MAX} bytes of interim answers`));
    } else this.#handler.onInformation(head);
  }

  /** undici begins to wait anew with each interim answer; an upload may take its time. */
  #limitHead(elapsed: number): NodeJS.Timeout | undefined {
    if (this.#headTimeout === 0) return undefined;
    const expire = () => {
      const body = this.#body;
      const uploads = body !== null && !Buffer.isBuffer(body) && !body.readableEnded && !body.destroyed;
      if (uploads && this.#interim !== undefined) this.#interim.timer = this.#limitHead(0);
      else this.#break(new OriginError('ERR_ORIGIN_TIMEOUT', 'only interim answers, and no final one', 'no'));
    };
    return setTimeout(expire, Math.max(0, this.#headTimeout - elapsed)).unref();
  }

  #break(error: OriginError): void {
    if (this.#over) return;
    this.#end();
    this.#abort?.();
    this.#handler.onError(error);
  }
}

/** What has come of interim answers. */
interface Interim {
  count: number;
  bytes: number;
  /** Until the final one must be there. */
  timer: NodeJS.Timeout | undefined;
}

function tooMuch(text: string): OriginError {
  return new OriginError('ERR_ORIGIN_MALFORMED', text, 'no');
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
