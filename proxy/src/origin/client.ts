/** Requests to HTTP targets over pooled connections: by undici's raw handler interface (ADR 2). */
import { isIP, type LookupFunction } from 'node:net';
import { type Containment, uncontained } from '@holdfast/control-api';
import { headerValue } from '@holdfast/grip';
import type { Options } from '../config/table.js';
import { blockedError, OriginError } from '../errors.js';
import type { HttpTarget } from '../routes/target.js';
import { withoutRoot } from '../routes/target.js';
import { connectOptions, guardedConnect, isBlocked } from './connect-options.js';
import { HttpCall } from './http-call.js';
import { OriginConnections } from './origin-connections.js';
import type { Origin, OriginCall, OriginHandler, OriginRequest } from './port.js';
import { type Connect, readingExactly } from './undici/answer-reading.js';
import { buildConnector, Client, type Connector, type Dispatcher } from './undici/library.js';
import { plainConnections } from './undici/plain-connections.js';

/** How requests to origins are made. Without `originConnectionMaxAge` connections have no maximum age. */
export interface OriginClientOptions
  extends Pick<Options, 'originConnectTimeout' | 'originTimeout' | 'originKeepAliveTimeout'>,
    Partial<Pick<Options, 'originConnectionMaxAge'>> {
  /** Most connections to one target; further requests wait for one. Left out: no limit. */
  readonly originConnectionsMax?: number;
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
  readonly #connections: OriginConnections<Dispatcher.DispatchOptions, HttpCall>;
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
      ) as Connector,
    };
    const { originConnectionsMax: max, originConnectionMaxAge: maxAge, originConnectTimeout: patience } = options;
    this.#connections = new OriginConnections<Dispatcher.DispatchOptions, HttpCall>({
      open: () => new Client(url, settings),
      max,
      maxAge,
      patience,
      isOver: (call) => call.isOver,
      refused: (call) => call.fail(noConnectionFree(`${target.host}:${target.port}`, max)),
    });
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

/** All connections that a target may have had a request of their own for longer than another may wait, or too many wait. */
function noConnectionFree(target: string, max: number | undefined): OriginError {
  const text = `no connection to ${target} came free in time: there are ${max}, as origin_connections_max allows`;
  return new OriginError('ERR_ORIGIN_CONNECT', text, 'connect');
}

/** A request that has failed before it could be sent. */
function failing(handler: OriginHandler, error: OriginError, faults: Containment): OriginCall {
  const call = new HttpCall(handler, 0, null, faults);
  queueMicrotask(() => call.fail(error));
  return call;
}
