/** Requests to HTTP targets over pooled connections: the only importer of undici, whose raw handler interface it uses (ADR 2). */
import { isIP, type LookupFunction } from 'node:net';
import { type Containment, uncontained } from '@holdfast/control-api';
import { headerValue } from '@holdfast/grip';
import { buildConnector, Client, type Dispatcher } from 'undici';
import type { Options } from '../config/table.js';
import { blockedError, OriginError } from '../errors.js';
import type { HttpTarget } from '../routes/target.js';
import { withoutRoot } from '../routes/target.js';
import { connectOptions, guardedConnect, isBlocked } from './connect-options.js';
import { HttpCall } from './http-call.js';
import type { Origin, OriginCall, OriginHandler, OriginRequest } from './port.js';
import { type Connect, readingExactly } from './undici/answer-reading.js';
import { plainConnections } from './undici/plain-connections.js';

/** How requests to origins are made. Without `originConnectionMaxAge` connections have no maximum age. */
export interface OriginClientOptions
  extends Pick<Options, 'originConnectTimeout' | 'originTimeout' | 'originKeepAliveTimeout'>,
    Partial<Pick<Options, 'originConnectionMaxAge'>> {
  /** How names are looked up; only tests give other than the system's way. */
  readonly lookup?: LookupFunction;
  /** Longest response head in bytes. */
  readonly maxHeaderBytes: number;
  /** Left out: nothing is contained. */
  readonly faults?: Containment;
  /** Whether another connection may be opened; absent: always. */
  readonly admits?: () => boolean;
  /** Called for each connection: whether undici's parser is known, which decides how exactly answers are read. */
  readonly parserFound?: (isFound: boolean) => void;
}

/**
 * How long requests under way may go on when the client is closed, in ms.
 *
 * @limit {s} for requests at origins when their client is closed
 * @over connections closed
 */
const CLOSE_GRACE_MS = 3_000;

/**
 * Pools without TLS. There is one for each target, and for each port of `link_hosts` that an origin has named.
 *
 * @limit {} pools of connections without TLS
 * @over the first is closed when idle, and made anew when it is needed
 */
export const MAX_PLAIN_POOLS = 4_096;

/**
 * TLS pools are kept per server name; names come from clients, so their number is bounded.
 *
 * @limit {} pools of TLS connections
 * @over the least recently used is closed when idle
 */
const MAX_TLS_POOLS = 512;

/** Connections to all HTTP targets: keyed by target, and for TLS by the name that the certificate must bear. */
export class OriginClient {
  readonly #options: OriginClientOptions;
  readonly #plain = new Map<string, PooledOrigin>();
  /** The same by the target itself, while it is there: to name it costs more than the rest of finding it. */
  readonly #known = new WeakMap<HttpTarget, PooledOrigin>();
  readonly #tls = new Map<string, PooledOrigin>();
  #closed: Promise<void> | undefined;

  constructor(options: OriginClientOptions) {
    this.#options = options;
  }

  /** The origin behind a target, for requests that carry `host` as their Host header. */
  origin(target: HttpTarget, host: string): Origin {
    if (target.ssl) return this.#tlsOrigin(target, host);
    const known = this.#known.get(target);
    return known?.isClosed === false ? known : this.#plainOrigin(target);
  }

  #plainOrigin(target: HttpTarget): Origin {
    const key = `${target.host}|${target.port}|${target.untrusted}`;
    let origin = this.#plain.get(key);
    if (origin === undefined) {
      origin = new PooledOrigin(target, this.#options);
      this.#plain.set(key, origin);
      if (this.#plain.size > MAX_PLAIN_POOLS) closeFirst(this.#plain);
    }
    this.#known.set(target, origin);
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
    // Requests under way, such as those that report the end of sessions, still go out.
    await Promise.race([Promise.all(origins.map((origin) => origin.close())), grace]);
    clearTimeout(timer);
    await Promise.all(origins.map((origin) => origin.destroy()));
  }

  #tlsOrigin(target: HttpTarget, host: string): Origin {
    const parts = [target.host, target.port, target.untrusted, target.insecure, target.trustConnectHost];
    const key = [...parts, target.clientCert, target.clientKey, host.toLowerCase()].join('|');
    let origin = this.#tls.get(key);
    // Most recently used last, so that the first is the one to close.
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
    if (this.#tls.size > MAX_TLS_POOLS) closeFirst(this.#tls);
    return origin;
  }
}

function closeFirst(pools: Map<string, PooledOrigin>): void {
  const [key, pool] = pools.entries().next().value as [string, PooledOrigin];
  pools.delete(key);
  void pool.close();
}

const always = () => true;

class PooledOrigin implements Origin {
  readonly #connections: OriginConnections<Dispatcher.DispatchOptions, Dispatcher.DispatchHandler>;
  readonly #blocked: boolean;
  readonly #faults: Containment;
  readonly #headTimeout: number;
  /** For TLS, where it differs from the Host field. Without TLS any, for undici would look for one in the Host field of each request. */
  readonly #serverName: string | undefined;
  #closed = false;

  constructor(target: HttpTarget, options: OriginClientOptions, serverName?: string) {
    this.#serverName = target.ssl ? serverName : target.host;
    const name = isIP(target.host) === 6 ? `[${target.host}]` : target.host;
    const url = `${target.ssl ? 'https' : 'http'}://${name}:${target.port}`;
    this.#blocked = isBlocked(target);
    this.#faults = options.faults ?? uncontained;
    this.#headTimeout = options.originTimeout;
    const made = {
      allowH2: false,
      timeout: options.originConnectTimeout,
      ...connectOptions(target, options.lookup),
    };
    const connectorOf = (more: object) => buildConnector({ ...made, ...more }) as Connect<never>;
    const connect = target.ssl ? connectorOf({}) : plainConnections<never>((onread) => connectorOf({ onread }));
    const settings = {
      pipelining: 1,
      allowH2: false,
      headersTimeout: options.originTimeout,
      bodyTimeout: options.originTimeout,
      keepAliveTimeout: options.originKeepAliveTimeout,
      maxHeaderSize: options.maxHeaderBytes,
      connect: readingExactly(
        guardedConnect(connect, options.admits ?? always) as Connect<never>,
        options.parserFound ?? always,
      ) as buildConnector.connector,
    };
    this.#connections = new OriginConnections(() => new Client(url, settings), options.originConnectionMaxAge);
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

  /** No request is sent any more. */
  get isClosed(): boolean {
    return this.#closed;
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

/** A connection that takes one request at a time, and connects again where it has to: what is used of undici's `Client`. */
export interface Connection<Request, Handler> {
  dispatch(request: Request, handler: Handler): boolean;
  on(event: 'connect', run: () => void): unknown;
  on(event: 'disconnect', run: () => void): unknown;
  on(event: 'connectionError', run: () => void): unknown;
  /** The request is over, and the next may come. */
  on(event: 'drain', run: () => void): unknown;
  /** `size`: requests that were dispatched and are not over. */
  readonly stats: { readonly size: number };
  close(): Promise<void>;
  destroy(): Promise<void>;
}

/** One of the connections. */
interface Slot<Request, Handler> {
  readonly connection: Connection<Request, Handler>;
  /** `unused`: it has had no request yet, and no event of it will come. */
  state: 'unused' | 'connecting' | 'connected' | 'broken';
  /** When it was connected, in ms of the monotonic clock. */
  since: number;
  /** Its index among those that are idle; -1 while it has a request, or is not connected. */
  index: number;
}

/**
 * The connections to one target: as many as there are requests at a time, in constant time for each request. undici's own pool
 * looks through its connections twice for every request, and keeps what is left of those that are closed; an item that answers
 * thousands of polls brings thousands of requests at once, each on a connection of its own.
 */
export class OriginConnections<Request, Handler> {
  readonly #open: () => Connection<Request, Handler>;
  readonly #maxAge: number;
  readonly #now: () => number;
  readonly #all = new Set<Slot<Request, Handler>>();
  readonly #idle: Slot<Request, Handler>[] = [];

  /** A connection that is older than `maxAge`, in ms, takes no further request. `now` is of a clock that is never set. */
  constructor(
    open: () => Connection<Request, Handler>,
    maxAge = Number.POSITIVE_INFINITY,
    now = () => performance.now(),
  ) {
    this.#open = open;
    this.#maxAge = maxAge;
    this.#now = now;
  }

  /** Connections that are open, being opened, or in use. */
  get size(): number {
    return this.#all.size;
  }

  /** Sends on the connection that was used last, so that those which are not needed time out, or on a new one. */
  dispatch(request: Request, handler: Handler): void {
    const slot = this.#youngIdle() ?? this.#add();
    slot.index = -1;
    slot.connection.dispatch(request, handler);
    // What cannot be sent is refused at once.
    if (slot.connection.stats.size === 0) this.#refused(slot);
    else if (slot.state === 'unused') slot.state = 'connecting';
  }

  /**
   * Closes those that are idle. After one of them turned out to be closed by the other side: the others have been idle for
   * longer.
   */
  closeIdle(): void {
    for (const slot of this.#idle.splice(0)) this.#retire(slot);
  }

  /** Resolves when all requests are over. None may be dispatched any more. */
  async close(): Promise<void> {
    await Promise.all([...this.#all].map(({ connection }) => connection.close()));
  }

  /** Breaks off all requests. */
  async destroy(): Promise<void> {
    await Promise.all([...this.#all].map(({ connection }) => connection.destroy()));
  }

  #add(): Slot<Request, Handler> {
    const connection = this.#open();
    const slot: Slot<Request, Handler> = { connection, state: 'unused', since: 0, index: -1 };
    this.#all.add(slot);
    connection.on('connect', () => {
      slot.state = 'connected';
      slot.since = this.#now();
      this.#free(slot);
    });
    connection.on('disconnect', () => this.#broken(slot));
    connection.on('connectionError', () => this.#broken(slot));
    connection.on('drain', () => this.#free(slot));
    return slot;
  }

  /** A connection that was made for a request that cannot be sent never connects: nothing else would ever let it go. */
  #refused(slot: Slot<Request, Handler>): void {
    if (slot.state !== 'unused') this.#free(slot);
    else {
      this.#all.delete(slot);
      void slot.connection.destroy();
    }
  }

  /** Keeps a connection for the next request unless it has one, or is none any more. */
  #free(slot: Slot<Request, Handler>): void {
    if (slot.index >= 0 || slot.connection.stats.size > 0) return;
    if (slot.state === 'connected' && this.#isOld(slot)) this.#retire(slot);
    else if (slot.state === 'connected') slot.index = this.#idle.push(slot) - 1;
    else if (slot.state === 'broken') this.#all.delete(slot);
  }

  /** The one that was used last of those that may still be used. */
  #youngIdle(): Slot<Request, Handler> | undefined {
    for (let slot = this.#idle.pop(); slot !== undefined; slot = this.#idle.pop()) {
      if (!this.#isOld(slot)) return slot;
      this.#retire(slot);
    }
    return undefined;
  }

  #isOld({ since }: Slot<Request, Handler>): boolean {
    return this.#now() - since >= this.#maxAge;
  }

  /** Closes one that has no request and is in none of the lists any more but that of all. */
  #retire(slot: Slot<Request, Handler>): void {
    slot.index = -1;
    slot.state = 'broken';
    this.#all.delete(slot);
    // One that has been broken off meanwhile cannot be closed any more.
    void slot.connection.close().catch(() => {});
  }

  #broken(slot: Slot<Request, Handler>): void {
    slot.state = 'broken';
    if (slot.index >= 0) this.#leave(slot);
    this.#free(slot);
  }

  /** Takes one out of those that are idle; the last of them gets its index. */
  #leave(slot: Slot<Request, Handler>): void {
    const last = this.#idle.pop() as Slot<Request, Handler>;
    if (last !== slot) {
      this.#idle[slot.index] = last;
      last.index = slot.index;
    }
    slot.index = -1;
  }
}
